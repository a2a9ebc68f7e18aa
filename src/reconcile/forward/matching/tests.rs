use serde_json::json;

use super::*;
use crate::reconcile::fixtures::candidate;
use crate::reconcile::fixtures::id;
use crate::reconcile::fixtures::proven;
use crate::reconcile::fixtures::tid;

fn keys() -> Vec<Key> {
    let key = |path: &str, value: Value| Key {
        path: path.parse().unwrap(),
        value,
    };
    vec![
        key("externalId", Value::text(id(1).to_string())),
        key("userName", "ada@corp".into()),
        key(r#"emails[type eq "work"].value"#, "ada@mail".into()),
    ]
}

/// `adopted ID by PATH`, `none`, or the label of the finding.
fn outcome(found: &[Candidate], adopt: Adopt) -> String {
    let ours = [Value::text(id(1).to_string()), "ada.l".into()];
    match pair(&keys(), &ours, found, &proven(), adopt, id(1)) {
        Pairing::Found { candidate, by } => format!("adopted {} by {by}", candidate.id),
        Pairing::None(_) => "none".to_owned(),
        Pairing::Refused(finding) => finding.label().to_owned(),
    }
}

fn owned(mut candidate: Candidate, owner: u32) -> Candidate {
    candidate.owner = Some(id(owner));
    candidate
}

fn rivalled(mut candidate: Candidate, rival: u32) -> Candidate {
    candidate.rival = Some(id(rival));
    candidate
}

#[test]
fn each_way_of_matching_has_its_outcome() {
    let me = id(1).to_string();
    let by_id = || candidate("t1", json!({"userName": "other", "externalId": me}));
    let by_name = || candidate("t2", json!({"userName": "ada@corp"}));
    let by_mail = || {
        candidate(
            "t3",
            json!({"userName": "x", "emails": [{"type": "work", "value": "ada@mail"}]}),
        )
    };
    let named = |external: &str| {
        vec![candidate(
            "t2",
            json!({"userName": "ada@corp", "externalId": external}),
        )]
    };
    let foreign = || named("somebody else");
    use Adopt::{Any, Never, Unclaimed};
    for (name, found, adopt, expected) in [
        ("nothing there", vec![], Unclaimed, "none"),
        (
            "nothing fits",
            vec![candidate("t9", json!({"userName": "bob@corp"}))],
            Unclaimed,
            "none",
        ),
        (
            "externalId before mail",
            vec![by_mail(), by_id()],
            Unclaimed,
            "adopted t1 by externalId",
        ),
        (
            "two resources for one object, by id and by name",
            vec![by_name(), by_id()],
            Any,
            "ambiguous",
        ),
        (
            "by id, and the name is on another's",
            vec![owned(by_name(), 2), by_id()],
            Unclaimed,
            "adopted t1 by externalId",
        ),
        (
            "userName before mail",
            vec![by_mail(), by_name()],
            Unclaimed,
            "adopted t2 by userName",
        ),
        (
            "mail alone",
            vec![by_mail()],
            Unclaimed,
            r#"adopted t3 by emails[type eq "work"].value"#,
        ),
        (
            "two of one name",
            vec![by_name(), candidate("t4", json!({"userName": "ADA@corp"}))],
            Unclaimed,
            "ambiguous",
        ),
        (
            "two of one externalId",
            vec![by_id(), candidate("t4", json!({"externalId": me}))],
            Any,
            "ambiguous",
        ),
        (
            "case of the name",
            vec![candidate("t2", json!({"userName": "ADA@Corp"}))],
            Unclaimed,
            "adopted t2 by userName",
        ),
        (
            "case of the key",
            vec![candidate("t2", json!({"username": "ada@corp"}))],
            Unclaimed,
            "adopted t2 by userName",
        ),
        (
            "case of the id",
            vec![candidate("t2", json!({"externalId": me.to_uppercase()}))],
            Unclaimed,
            "adopted t2 by externalId",
        ),
        (
            "linked to another",
            vec![owned(by_name(), 2)],
            Any,
            "owned_by_another",
        ),
        (
            "linked to another by id",
            vec![owned(by_id(), 2)],
            Any,
            "owned_by_another",
        ),
        (
            "linked to me",
            vec![owned(by_name(), 1)],
            Unclaimed,
            "adopted t2 by userName",
        ),
        (
            "claimed by two",
            vec![rivalled(by_name(), 2)],
            Any,
            "owned_by_another",
        ),
        (
            "my id beats the rival's name",
            vec![rivalled(by_id(), 2)],
            Unclaimed,
            "adopted t1 by externalId",
        ),
        ("somebody else's", foreign(), Unclaimed, "foreign_external_id"),
        (
            "somebody else's, other case of the key",
            vec![candidate(
                "t2",
                json!({"userName": "ada@corp", "externalID": "x"}),
            )],
            Unclaimed,
            "foreign_external_id",
        ),
        (
            "somebody else's, taken on demand",
            foreign(),
            Any,
            "adopted t2 by userName",
        ),
        (
            "mapped externalId is ours",
            named("ada.l"),
            Unclaimed,
            "adopted t2 by userName",
        ),
        (
            "mapped externalId in another case",
            named("Ada.L"),
            Unclaimed,
            "adopted t2 by userName",
        ),
        (
            "empty externalId is nobody's",
            named(""),
            Unclaimed,
            "adopted t2 by userName",
        ),
        ("never", vec![by_name()], Never, "adopt_never"),
        ("never, not even by id", vec![by_id()], Never, "adopt_never"),
    ] {
        assert_eq!(outcome(&found, adopt), expected, "{name}");
    }
}

#[test]
fn beside_a_leavers_resource_there_is_what_bears_a_key_and_is_nobodys() {
    let named = |target: &str, name: &str| candidate(target, json!({"userName": name}));
    let cases = [
        ("its own", vec![named("taken", "ADA@X")], None),
        ("another's name", vec![named("r2", "bob@x")], None),
        ("somebody's", vec![owned(named("r2", "ada@x"), 7)], None),
        (
            "nobody's",
            vec![named("taken", "x"), named("r2", "ADA@X")],
            Some("r2"),
        ),
    ];
    let key = Key {
        path: "userName".parse().unwrap(),
        value: Value::text("ada@x"),
    };
    for (name, found, expected) in cases {
        let keys = [key.clone()];
        let other = beside(&tid("taken"), &keys, &found).map(|(other, _)| other.id.clone());
        assert_eq!(other, expected.map(tid), "{name}");
    }
}
