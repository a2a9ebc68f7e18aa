//! Each line: yes with evidence, no against it, and else it cannot be told.

use serde_json::json;

use super::*;
use crate::app::entra_job::evidence::Schema;
use crate::app::entra_job::evidence::Tally;
use crate::model::azure_job::AzureJob;
use crate::model::azure_job::JobState;
use crate::snapshot::observed::Observation;

const HOUR: i64 = 3_600_000;

/// All twelve are yes.
fn good() -> Evidence {
    let now = Timestamp(1_780_000_000_000);
    let job = AzureJob {
        id: "scim.1".to_owned(),
        state: JobState::Paused,
        interval: None,
        last: None,
        in_progress: false,
        quarantine: None,
        settings: Default::default(),
    };
    Evidence {
        now,
        jobs: Ok(vec![job]),
        schema: Ok(Schema {
            same: true,
            left_out: Vec::new(),
        }),
        full: Some(
            json!({"started": Timestamp(now.0 - HOUR).to_string(), "outcome": "planned", "operations": {"link_user": 9, "update_user": 2}, "failed": []}),
        ),
        observation: Some(Observation {
            since: Timestamp(now.0 - 8 * 24 * HOUR),
            cycle: now,
            log_until: Some(now),
            log_tried: Some(now),
            log_problem: None,
            holes: Vec::new(),
            salt: [0; 16],
        }),
        tally: Tally {
            same: 40,
            kinds: KINDS.into(),
            ..Tally::default()
        },
        waiting: (0, 0),
        days: [Some(90), Some(90)],
        backup: Some(Timestamp(now.0 - HOUR)),
        cared_for: (1, 1),
        foreign_values: 0,
        vouched: [Vouched::Notify, Vouched::SecondToken].into(),
    }
}

fn answers(evidence: &Evidence) -> String {
    lines(evidence)
        .iter()
        .map(|line| match line.answer {
            Answer::Yes => 'y',
            Answer::No => 'n',
            Answer::Unknown => '?',
        })
        .collect()
}

#[test]
fn a_line_is_yes_only_with_evidence() {
    assert_eq!(answers(&good()), "yyyyyyyyyyyy");
    type Change = fn(&mut Evidence);
    for (name, change, expected) in [
        (
            "the job cannot be seen",
            (|e| e.jobs = Err("403".to_owned())) as Change,
            "?yyyyyyyyyy?",
        ),
        ("there is none", |e| e.jobs = Ok(Vec::new()), "nyyyyyyyyyy?"),
        (
            "it runs",
            |e| e.jobs.as_mut().unwrap()[0].state = JobState::Active,
            "yyyyyyyyyyyn",
        ),
        (
            "it runs still",
            |e| e.jobs.as_mut().unwrap()[0].in_progress = true,
            "yyyyyyyyyyyn",
        ),
        (
            "a state of tomorrow",
            |e| e.jobs.as_mut().unwrap()[0].state = JobState::of("Dozing"),
            "?yyyyyyyyyy?",
        ),
        (
            "the schema cannot be seen",
            |e| e.schema = Err("403".to_owned()),
            "y?yyyyyyyyyy",
        ),
        (
            "another mapping",
            |e| {
                e.schema = Ok(Schema {
                    same: false,
                    left_out: Vec::new(),
                })
            },
            "ynyyyyyyyyyy",
        ),
        (
            "a row that is not carried over",
            |e| e.schema.as_mut().unwrap().left_out.push("roles".to_owned()),
            "ynyyyyyyyyyy",
        ),
        ("no full cycle", |e| e.full = None, "yy??yyyyyyyy"),
        (
            "an old one",
            |e| e.full.as_mut().unwrap()["started"] = "2020-01-01T00:00:00Z".into(),
            "yy??yyyyyyyy",
        ),
        (
            "a broken one",
            |e| e.full.as_mut().unwrap()["outcome"] = "failed".into(),
            "yynnyyyyyyyy",
        ),
        (
            "somebody is unclear",
            |e| e.full.as_mut().unwrap()["failed"] = json!([{}]),
            "yynyyyyyyyyy",
        ),
        (
            "a create",
            |e| e.full.as_mut().unwrap()["operations"]["create_user"] = 1.into(),
            "yyynyyyyyyyy",
        ),
        (
            "a removal",
            |e| e.full.as_mut().unwrap()["operations"]["disable_user"] = 1.into(),
            "yyynyyyyyyyy",
        ),
        ("never observed", |e| e.observation = None, "yyyyn??yyy?y"),
        (
            "five days",
            |e| e.observation.as_mut().unwrap().since.0 += 3 * 24 * HOUR,
            "yyyynyyyyyyy",
        ),
        (
            "no leaver seen",
            |e| e.tally.kinds.retain(|kind| *kind != "leaver"),
            "yyyynyyyyyyy",
        ),
        ("only Azure", |e| e.tally.only_they = 1, "yyyyynyyyyyy"),
        ("differently", |e| e.tally.differently = 1, "yyyyynyyyyyy"),
        (
            "differently, and explained",
            |e| (e.tally.differently, e.tally.explained) = (1, 1),
            "yyyyyyyyyyyy",
        ),
        ("nothing compared", |e| e.tally.same = 0, "yyyyy?yyyyyy"),
        (
            "no right to the log",
            |e| e.observation.as_mut().unwrap().log_problem = Some("403".to_owned()),
            "yyyyy??yyy?y",
        ),
        (
            "a hole in it",
            |e| {
                e.observation
                    .as_mut()
                    .unwrap()
                    .holes
                    .push((Timestamp(0), Timestamp(1)))
            },
            "yyyyy?nyyy?y",
        ),
        ("withheld", |e| e.waiting = (1, 0), "yyyyyyynyyyy"),
        ("in escrow", |e| e.waiting = (0, 1), "yyyyyyynyyyy"),
        ("a credential that ends", |e| e.days[1] = Some(3), "yyyyyyyynyyy"),
        (
            "one of which nothing is known",
            |e| e.days[1] = None,
            "yyyyyyyy?yyy",
        ),
        (
            "nobody vouches for the token",
            |e| e.vouched.retain(|one| *one != Vouched::SecondToken),
            "yyyyyyyy?yyy",
        ),
        ("no backup", |e| e.backup = None, "yyyyyyyyynyy"),
        ("nobody is told", |e| e.cared_for = (0, 1), "yyyyyyyyynyy"),
        (
            "nobody read it",
            |e| e.vouched.retain(|one| *one != Vouched::Notify),
            "yyyyyyyyy?yy",
        ),
        ("another writer", |e| e.foreign_values = 1, "yyyyyyyyyyny"),
        ("a change of neither", |e| e.tally.gone = 1, "yyyyyyyyyy?y"),
    ] {
        let mut evidence = good();
        change(&mut evidence);
        assert_eq!(answers(&evidence), expected, "{name}");
    }
}
