use super::*;
use crate::reconcile::fixtures::tid;
use crate::reconcile::forward::plan::ObjectPlan;

fn id(n: u8) -> SourceId {
    SourceId::from_bytes([n; 16])
}

fn change(attribute: &str, before: Value, after: Value) -> Change {
    Change {
        attribute: attribute.into(),
        before,
        after,
    }
}

fn deed(operation: &str, changes: Vec<Change>) -> Deed {
    Deed {
        operation: operation.to_owned(),
        target: Some(tid("t1")),
        changes: Some(changes),
    }
}

fn list(ids: &[u8]) -> Value {
    Value::List(ids.iter().map(|n| Value::text(id(*n).to_string())).collect())
}

fn now(sent: &[(&str, Value)]) -> Now {
    Now {
        kind: ObjectKind::User,
        source: id(1),
        name: "ada".to_owned(),
        target: Some(tid("t1")),
        sent: sent.iter().map(|(name, value)| (*name, value.clone())).collect(),
        members: BTreeMap::new(),
        lost: None,
    }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

#[test]
fn attributes_return_to_what_they_were_before_the_first_change() {
    let deeds = [
        deed(
            "update_user",
            vec![
                change("title", text("a"), text("b")),
                change("nickName", Value::Null, text("n")),
            ],
        ),
        deed("update_user", vec![change("title", text("b"), text("c"))]),
    ];
    let undo = invert(
        &deeds,
        &now(&[("title", text("c")), ("nickName", text("n"))]),
        "C",
        false,
    );
    assert_eq!(undo.findings, Vec::<String>::new());
    let [operation] = undo.operations.as_slice() else {
        panic!("{undo:?}")
    };
    assert_eq!(operation.verb, Verb::UpdateUser);
    assert_eq!(
        operation.changes,
        [
            change("nickName", text("n"), Value::Null),
            change("title", text("c"), text("a"))
        ]
    );
    assert_eq!(undo.hold.attributes[&Name::from("title")], text("c"));
}

#[test]
fn what_was_changed_again_since_or_is_hidden_stays() {
    let deeds = [deed(
        "update_user",
        vec![
            change("title", text("a"), text("b")),
            change("ssn", text(HIDDEN), text(HIDDEN)),
            change("locale", text(HIDDEN), Value::Null),
            change("userType", text("x"), text("x")),
        ],
    )];
    let undo = invert(&deeds, &now(&[("title", text("z"))]), "C", false);
    assert!(undo.operations.is_empty(), "{undo:?}");
    assert_eq!(undo.findings.len(), 2, "{:?}", undo.findings);
    assert!(undo.hold.is_empty());
}

#[test]
fn a_disable_is_undone_by_an_enable_and_the_other_way_round() {
    for (was, is, verb) in [(true, false, Verb::EnableUser), (false, true, Verb::DisableUser)] {
        let deeds = [deed(
            "disable_user",
            vec![change("active", Value::Bool(was), Value::Bool(is))],
        )];
        let undo = invert(&deeds, &now(&[("active", Value::Bool(is))]), "C", false);
        assert_eq!(undo.operations[0].verb, verb);
    }
}

#[test]
fn memberships_return_but_for_those_that_moved_again() {
    let deeds = [
        deed(
            "remove_member",
            vec![change("members", list(&[2, 3]), Value::Null)],
        ),
        deed("add_member", vec![change("members", Value::Null, list(&[4, 5]))]),
    ];
    let group = Now {
        kind: ObjectKind::Group,
        // 3 came back since, 5 left again.
        members: BTreeMap::from([(id(3), tid("t3")), (id(4), tid("t4"))]),
        ..now(&[])
    };
    let undo = invert(&deeds, &group, "C", false);
    let moved: Vec<(Verb, Vec<SourceId>)> = undo
        .operations
        .iter()
        .map(|operation| {
            (
                operation.verb,
                operation.members.iter().map(|member| member.source).collect(),
            )
        })
        .collect();
    assert_eq!(
        moved,
        [(Verb::RemoveMember, vec![id(4)]), (Verb::AddMember, vec![id(2)])]
    );
    assert_eq!(undo.hold.members, BTreeMap::from([(id(2), false), (id(4), true)]));
}

#[test]
fn a_create_is_undone_by_a_delete_and_a_delete_only_where_asked_for() {
    let created = [deed(
        "create_user",
        vec![change("userName", Value::Null, text("ada"))],
    )];
    let undo = invert(&created, &now(&[("userName", text("ada"))]), "C", false);
    assert_eq!(undo.operations[0].verb, Verb::DeleteUser);
    assert!(undo.hold.absent);
    let other = Now {
        target: Some(tid("t9")),
        ..now(&[])
    };
    assert!(invert(&created, &other, "C", false).operations.is_empty());

    let deleted = [deed("delete_user", vec![])];
    let gone = Now {
        target: None,
        lost: Some(Past {
            attributes: [("userName", text("ada"))].into_iter().collect(),
            members: BTreeSet::new(),
        }),
        ..now(&[])
    };
    let undo = invert(&deleted, &gone, "C", false);
    assert!(
        undo.operations.is_empty() && undo.findings[0].contains("--recreate"),
        "{undo:?}"
    );
    let undo = invert(&deleted, &gone, "C", true);
    assert_eq!(
        (undo.operations[0].verb, undo.hold.present),
        (Verb::CreateUser, true)
    );
    let unknown = Now { lost: None, ..gone };
    assert!(invert(&deleted, &unknown, "C", true).operations.is_empty());
}

fn plan(operations: Vec<Operation>) -> ObjectPlan {
    ObjectPlan {
        operations,
        ..ObjectPlan::of(ObjectKind::User, id(1), "ada".to_owned())
    }
}

fn update(verb: Verb, changes: Vec<Change>) -> Operation {
    Operation {
        changes,
        ..operation(&now(&[]), verb, Reason::NotAsSent)
    }
}

#[test]
fn a_hold_keeps_what_the_source_still_says_and_lets_go_of_the_rest() {
    let hold = UndoHold {
        attributes: BTreeMap::from([
            ("active".into(), Value::Bool(false)),
            ("title".into(), text("c")),
            ("nickName".into(), text("n")),
        ]),
        ..UndoHold::default()
    };
    let mut planned = plan(vec![update(
        Verb::DisableUser,
        vec![
            change("active", Value::Bool(true), Value::Bool(false)),
            change("title", text("a"), text("d")),
        ],
    )]);
    let (held, left) = hold.keep(&mut planned);
    assert_eq!(held, 1);
    assert_eq!(
        planned.operations[0].verb,
        Verb::UpdateUser,
        "what is left takes nothing away"
    );
    assert_eq!(
        planned.operations[0].changes,
        [change("title", text("a"), text("d"))]
    );
    assert_eq!(
        left.attributes,
        BTreeMap::from([("active".into(), Value::Bool(false))])
    );

    let (held, left) = left.keep(&mut plan(vec![]));
    assert_eq!((held, left.is_empty()), (0, true), "the source came back");
}

#[test]
fn a_hold_on_the_resource_itself_keeps_it_there_or_away() {
    let away = UndoHold {
        absent: true,
        ..UndoHold::default()
    };
    let there = UndoHold {
        present: true,
        ..UndoHold::default()
    };
    for (hold, verb, held) in [
        (&away, Verb::CreateUser, 1),
        (&away, Verb::LinkUser, 1),
        (&away, Verb::DeleteUser, 0),
        (&there, Verb::DeleteUser, 1),
        (&there, Verb::DisableUser, 1),
        (&there, Verb::UpdateUser, 0),
    ] {
        let mut planned = plan(vec![update(verb, vec![])]);
        let (count, left) = hold.keep(&mut planned);
        assert_eq!(
            (count, planned.operations.len() as u64),
            (held, 1 - held),
            "{verb}"
        );
        assert_eq!(&left, hold);
    }
}
