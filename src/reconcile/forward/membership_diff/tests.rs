use super::*;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::member;
use crate::reconcile::fixtures::tid;

fn left(mut member: MemberView) -> MemberView {
    member.present = false;
    member
}

fn of_kind(mut member: MemberView, kind: MemberKind) -> MemberView {
    member.kind = kind;
    member
}

/// What becomes of one membership: `+` add, `-ID` remove (`!` with its user), `=ID` found, `skipped`, `pending`.
fn outcome(member: MemberView, observed: Option<&[&str]>) -> String {
    let observed = observed.map(|ids| ShownMembers {
        there: ids.iter().map(|id| tid(id)).collect(),
        whole: true,
    });
    let diff = compare(&[member], observed.as_ref(), &BTreeMap::new());
    let removed = diff.remove.iter().map(|m| {
        format!(
            "-{}{}",
            m.target.as_ref().unwrap(),
            if m.with_user { "!" } else { "" }
        )
    });
    let found = diff
        .found
        .iter()
        .map(|m| format!("={}", m.target.as_ref().unwrap()));
    let mut all: Vec<String> = removed
        .chain(diff.add.iter().map(|_| "+".to_owned()))
        .chain(found)
        .collect();
    all.extend((diff.skipped > 0).then(|| "skipped".to_owned()));
    all.extend((diff.pending > 0).then(|| "pending".to_owned()));
    all.join(" ")
}

#[test]
fn each_state_of_a_member_has_its_outcome() {
    let linked = || Reference::Linked(tid("u1"));
    let expected = |target: Option<&str>| Reference::Expected(target.map(tid));
    for (name, member, observed, outcome_expected) in [
        ("joins", member(1, None, linked()), None, "+"),
        ("is there", member(1, Some("u1"), linked()), None, ""),
        ("left", left(member(1, Some("u1"), linked())), None, "-u1"),
        (
            "left before it was sent",
            left(member(1, None, linked())),
            None,
            "",
        ),
        ("relinked", member(1, Some("old"), linked()), None, "-old +"),
        ("will be made", member(1, None, expected(None)), None, "+"),
        (
            "will be adopted",
            member(1, None, expected(Some("u1"))),
            None,
            "+",
        ),
        (
            "will be adopted anew",
            member(1, Some("old"), expected(Some("u1"))),
            None,
            "-old +",
        ),
        (
            "made anew, id not known",
            member(1, Some("old"), expected(None)),
            None,
            "-old +",
        ),
        (
            "to be made anew in this cycle",
            member(1, Some("old"), Reference::Pending),
            None,
            "pending",
        ),
        (
            "its turn comes",
            member(1, None, Reference::Pending),
            None,
            "pending",
        ),
        (
            "not at the target",
            member(1, None, Reference::Absent),
            None,
            "skipped",
        ),
        (
            "link lost",
            member(1, Some("u1"), Reference::Absent),
            None,
            "-u1 skipped",
        ),
        (
            "gone",
            member(1, Some("u1"), Reference::Gone),
            None,
            "-u1! skipped",
        ),
        (
            "gone and taken out",
            left(member(1, Some("u1"), Reference::Gone)),
            None,
            "-u1!",
        ),
        (
            "gone, never sent",
            left(member(1, None, Reference::Gone)),
            None,
            "",
        ),
        (
            "a device",
            of_kind(member(1, None, Reference::Absent), MemberKind::Other),
            None,
            "skipped",
        ),
        (
            "a nested group",
            of_kind(member(1, None, Reference::Absent), MemberKind::Group),
            None,
            "skipped",
        ),
        (
            "found at adoption",
            member(1, None, linked()),
            Some(&["u1"][..]),
            "=u1",
        ),
        (
            "not found at adoption",
            member(1, None, linked()),
            Some(&[][..]),
            "+",
        ),
        (
            "vanished at the target",
            member(1, Some("u1"), linked()),
            Some(&[][..]),
            "+",
        ),
        (
            "still at the target",
            member(1, Some("u1"), linked()),
            Some(&["u1"][..]),
            "",
        ),
        (
            "left, and at the target",
            left(member(1, Some("u1"), linked())),
            Some(&["u1"][..]),
            "-u1",
        ),
    ] {
        assert_eq!(outcome(member, observed), outcome_expected, "{name}");
    }
}

#[test]
fn strangers_are_left_alone_and_known_users_without_membership_go() {
    let members = [member(1, None, Reference::Linked(tid("u1")))];
    let observed = ShownMembers {
        there: [tid("u1"), tid("u2"), tid("stranger")].into(),
        whole: true,
    };
    let owners = BTreeMap::from([(tid("u1"), id(1)), (tid("u2"), id(2))]);
    let diff = compare(&members, Some(&observed), &owners);
    let removed: Vec<_> = diff.remove.iter().map(|m| m.source).collect();
    assert_eq!(removed, [id(2)]);
    assert_eq!(diff.found.len(), 1);
    assert!(diff.add.is_empty());
}

#[test]
fn a_member_that_was_sent_and_left_is_removed_once() {
    let members = [left(member(1, Some("u1"), Reference::Linked(tid("u1"))))];
    let observed = ShownMembers {
        there: [tid("u1")].into(),
        whole: true,
    };
    let owners = BTreeMap::from([(tid("u1"), id(1))]);
    assert_eq!(compare(&members, Some(&observed), &owners).remove.len(), 1);
}

#[test]
fn what_the_target_holds_through_us_is_counted() {
    let linked = |id: &str| Reference::Linked(tid(id));
    let members = [
        member(1, Some("u1"), linked("u1")),
        member(2, None, linked("u2")),
        left(member(3, Some("u3"), linked("u3"))),
    ];
    assert_eq!(compare(&members, None, &BTreeMap::new()).sent, 2);
}

#[test]
fn who_is_not_seen_in_a_reading_that_is_not_whole_was_not_lost() {
    let linked = |id: &str| Reference::Linked(tid(id));
    let members = [
        member(1, Some("u1"), linked("u1")),
        member(2, None, linked("u2")),
        left(member(3, Some("u3"), linked("u3"))),
    ];
    let unseen = ShownMembers::default();
    let diff = compare(&members, Some(&unseen), &BTreeMap::new());
    assert!(diff.drift.is_empty(), "{diff:?}");
    let (add, remove): (Vec<_>, Vec<_>) = (
        diff.add.iter().map(|member| member.source).collect(),
        diff.remove.iter().map(|member| member.source).collect(),
    );
    assert_eq!((add, remove), (vec![id(2)], vec![id(3)]));
}
