//! Entitlements and roles as tables; the walk through nested groups as laws.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::convert::Infallible;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(number: u8) -> SourceId {
    SourceId::from_bytes(u128::from(number).to_be_bytes())
}

fn role(number: u8) -> RoleId {
    RoleId(Uuid::from_u128(u128::from(number)))
}

fn walk(edges: &[(u8, u8)], start: u8) -> Vec<SourceId> {
    let next = |from: SourceId| {
        let to = edges.iter().filter(|(a, _)| id(*a) == from).map(|(_, b)| id(*b));
        Ok::<_, Infallible>(to.collect())
    };
    let Ok(order) = reachable(id(start), next);
    order
}

#[test]
fn nested_groups_are_walked_nearest_first_and_circles_end() {
    for (name, edges, expected) in [
        ("alone", &[][..], &[1][..]),
        ("a chain", &[(1, 2), (2, 3)], &[1, 2, 3]),
        ("in itself", &[(1, 1)], &[1]),
        ("a circle of two", &[(1, 2), (2, 1)], &[1, 2]),
        (
            "a circle behind a chain",
            &[(1, 2), (2, 3), (3, 4), (4, 2)],
            &[1, 2, 3, 4],
        ),
        ("a diamond", &[(1, 2), (1, 3), (2, 4), (3, 4)], &[1, 2, 3, 4]),
        ("only in its direction", &[(2, 1), (1, 3)], &[1, 3]),
    ] {
        let expected: Vec<SourceId> = expected.iter().map(|n| id(*n)).collect();
        assert_eq!(walk(edges, 1), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn the_order_of_memberships_does_not_matter(edges in prop::collection::vec((0u8..12, 0u8..12), 0..40), start in 0u8..12) {
        let set = |edges: &[(u8, u8)]| walk(edges, start).into_iter().collect::<BTreeSet<_>>();
        let mut turned = edges.clone();
        turned.reverse();
        prop_assert_eq!(set(&edges), set(&turned));
        let found = walk(&edges, start);
        prop_assert_eq!(found.len(), set(&edges).len(), "each once");
        prop_assert!(edges.iter().all(|(a, b)| !found.contains(&id(*a)) || found.contains(&id(*b))), "nothing is left out");
    }

    #[test]
    fn one_who_sees_down_is_seen_up(edges in prop::collection::vec((0u8..10, 0u8..10), 0..30), a in 0u8..10, b in 0u8..10) {
        let up: Vec<(u8, u8)> = edges.iter().map(|(group, member)| (*member, *group)).collect();
        prop_assert_eq!(walk(&edges, a).contains(&id(b)), walk(&up, b).contains(&id(a)));
    }
}

#[test]
fn whoever_has_any_assignment_is_assigned_with_the_roles_of_all() {
    let (default, admin, billing) = (RoleId::DEFAULT_ACCESS, role(1), role(2));
    for (name, own, groups, assigned, roles) in [
        ("nothing", None, vec![], false, vec![]),
        (
            "itself, default access",
            Some(vec![default]),
            vec![],
            true,
            vec![default],
        ),
        ("through a group", None, vec![(1, vec![admin])], true, vec![admin]),
        (
            "both",
            Some(vec![billing]),
            vec![(1, vec![default]), (2, vec![admin, billing])],
            true,
            vec![default, admin, billing],
        ),
    ] {
        let groups: Vec<(SourceId, Vec<RoleId>)> =
            groups.into_iter().map(|(g, roles)| (id(g), roles)).collect();
        let entitlement = Entitlement::new(
            own.as_deref(),
            groups.iter().map(|(g, roles)| (*g, roles.as_slice())),
        );
        assert_eq!(entitlement.is_assigned(), assigned, "{name}");
        assert_eq!(entitlement.roles, roles.into_iter().collect(), "{name}");
    }
}

#[test]
fn roles_are_those_that_the_application_defines_with_a_value() {
    let defined = |number: u8, value: Option<&str>, enabled| AppRole {
        id: role(number),
        value: value.map(str::to_owned),
        display_name: Some(format!("Role {number}")),
        enabled,
    };
    let all = [
        defined(0, Some("default"), true),
        defined(1, Some("Zeta"), true),
        defined(2, Some("Alpha"), true),
        defined(3, None, true),
        defined(4, Some("Off"), false),
        defined(5, Some("NotMine"), true),
    ];
    let mine = [0, 1, 2, 3, 4, 9].map(role).into();
    let shown = |number: u8, value: &str| {
        Value::Map(BTreeMap::from([
            ("id".to_owned(), Value::text(role(number).0.to_string())),
            ("value".to_owned(), value.into()),
            ("displayName".to_owned(), Value::text(format!("Role {number}"))),
        ]))
    };
    let expected = Value::List(vec![shown(2, "Alpha"), shown(1, "Zeta")]);
    assert_eq!(role_values(&mine, &all), expected);
    let mut turned = all.to_vec();
    turned.reverse();
    assert_eq!(
        role_values(&mine, &turned),
        expected,
        "whatever the order of the definitions"
    );
    assert_eq!(role_values(&BTreeSet::new(), &all), Value::List(Vec::new()));
}
