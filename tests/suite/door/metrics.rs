//! The metrics: each that is promised is there, with its labels and no others, and says what happened.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::world::APPROVER;
use super::world::Door;
use super::world::bearer;
use crate::wiring::stage::until;

/// Each metric with its type and its labels.
pub const PROMISED: &[(&str, &str, &[&str])] = &[
    ("cycle_duration_seconds", "histogram", &["job", "kind", "le"]),
    ("cycles_total", "counter", &["job", "kind", "outcome"]),
    ("operations_total", "counter", &["job", "operation", "result"]),
    ("requests_total", "counter", &["job", "method", "side", "status"]),
    (
        "request_duration_seconds",
        "histogram",
        &["job", "le", "method", "side"],
    ),
    ("throttled_total", "counter", &["job", "side"]),
    ("drift_objects", "gauge", &["class", "job"]),
    ("escrow_entries", "gauge", &["job"]),
    ("withheld_operations", "gauge", &["job", "reason"]),
    ("job_quarantined", "gauge", &["job"]),
    ("last_success_timestamp_seconds", "gauge", &["job"]),
    ("sync_lag_seconds", "gauge", &["job"]),
    ("snapshot_objects", "gauge", &["job", "type"]),
    ("snapshot_bytes", "gauge", &["job"]),
    (
        "credential_expiry_timestamp_seconds",
        "gauge",
        &["credential", "job"],
    ),
    ("build_info", "gauge", &["version"]),
];

pub fn metrics(door: &Door) -> String {
    let answer = door.ask("GET", "/metrics", "", None).is(200);
    assert!(
        answer.head.contains("text/plain; version=0.0.4"),
        "{}",
        answer.head
    );
    answer.body
}

/// The lines of a metric's values, those of a histogram's parts included.
pub fn series<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let full = format!("melonsync_{name}");
    let is_of_it = |line: &&str| {
        let called = line.split(['{', ' ']).next().unwrap_or_default();
        let rest = called.strip_prefix(full.as_str());
        rest.is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter(is_of_it)
        .collect()
}

fn labels(line: &str) -> BTreeSet<String> {
    let inside = line
        .split_once('{')
        .expect(line)
        .1
        .rsplit_once('}')
        .expect(line)
        .0;
    let label = |pair: &str| pair.split('=').next().unwrap().to_owned();
    inside.split("\",").map(label).collect()
}

/// The value of the one line that has all of these labels.
#[track_caller]
pub fn value(text: &str, name: &str, wanted: &[(&str, &str)]) -> f64 {
    let has = |line: &&&str| {
        wanted
            .iter()
            .all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
    };
    let all = series(text, name);
    let found: Vec<_> = all.iter().filter(has).collect();
    assert_eq!(found.len(), 1, "{name} {wanted:?}: {found:?} in\n{text}");
    found[0].rsplit(' ').next().unwrap().parse().unwrap()
}

/// Puts the config in force with this at its end, and a credential that ends on this day.
pub fn reload(door: &Door, end: &str, more: &str) {
    let world = &door.daemon.world;
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let (config, _) = config.split_once("# More\n").unwrap_or((&config, ""));
    let section = "[jobs.idmelon.source.credential]\n";
    let config: String = config
        .lines()
        .filter(|line| !line.starts_with("expires"))
        .map(|line| format!("{line}\n"))
        .collect();
    let config = config.replace(section, &format!("{section}expires = \"{end}\"\n"));
    world.write(&format!("{config}# More\n{more}"));
    door.reload();
    until("the new settings are in force", || {
        door.get("/api/v1/jobs/idmelon").json()["credentials"]["source"] == end
    });
}

pub fn sync(door: &Door) {
    let streamed = format!("{}Accept: text/event-stream\r\n", bearer(APPROVER));
    let all = json!({"full": true});
    door.ask("POST", "/api/v1/jobs/idmelon/sync", &streamed, Some(&all))
        .is(200);
}

/// The metrics of a daemon whose guard holds creates back, and then of the same one when all is done.
fn told() -> (Door, String, String) {
    let door = Door::new();
    reload(
        &door,
        "2037-08-17",
        "[jobs.idmelon.provisioning]\ncreation_threshold = 1\n",
    );
    sync(&door);
    let withheld = metrics(&door);
    reload(&door, "2037-08-18", "");
    sync(&door);
    sync(&door);
    let done = metrics(&door);
    (door, withheld, done)
}

#[test]
fn every_promised_metric_is_there_with_its_type_and_its_labels() {
    let (_door, withheld, done) = told();
    let mut heads = BTreeSet::new();
    for (name, kind, wanted) in PROMISED {
        let head = format!("# TYPE melonsync_{name} {kind}");
        assert!(done.lines().any(|line| line == head), "{head} in\n{done}");
        heads.insert(head);
        let all = [&withheld, &done].into_iter().flat_map(|text| series(text, name));
        let seen: BTreeSet<String> = all.flat_map(labels).collect();
        let wanted: BTreeSet<String> = wanted.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(seen, wanted, "{name}");
    }
    let is_other = |line: &&str| line.starts_with("# TYPE") && !heads.contains(*line);
    let others: Vec<&str> = done.lines().filter(is_other).collect();
    assert!(others.is_empty(), "metrics that nobody promised: {others:?}");
}

#[test]
fn the_metrics_say_what_happened_and_name_nobody() {
    let (door, withheld, done) = told();
    let job = ("job", "idmelon");
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        let found = value(&done, name, labels);
        let same = (found - expected).abs() < f64::EPSILON;
        assert!(same, "{name} {labels:?} is {found}, not {expected}, in\n{done}");
    };
    is("cycles_total", &[job, ("outcome", "withheld")], 1.0);
    is("cycles_total", &[job, ("outcome", "converged")], 2.0);
    is(
        "operations_total",
        &[job, ("operation", "create_user"), ("result", "done")],
        3.0,
    );
    is("snapshot_objects", &[job, ("type", "user")], 3.0);
    is("job_quarantined", &[job], 0.0);
    is(
        "credential_expiry_timestamp_seconds",
        &[job, ("credential", "source")],
        2_134_166_400.0,
    );
    is("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let created = [job, ("side", "target"), ("method", "POST"), ("status", "201")];
    assert!(value(&done, "requests_total", &created) >= 3.0);
    assert!(value(&done, "sync_lag_seconds", &[job]) < 600.0);
    assert!(value(&done, "last_success_timestamp_seconds", &[job]) > 1.7e9);
    // While something is withheld not every change is at the target, and the rest is done.
    assert!(series(&withheld, "sync_lag_seconds").is_empty(), "{withheld}");
    assert!(value(&withheld, "last_success_timestamp_seconds", &[job]) > 1.7e9);
    assert!(!series(&withheld, "withheld_operations").is_empty(), "{withheld}");
    assert!(series(&done, "withheld_operations").is_empty(), "{done}");
    let tenant = &door.daemon.world.tenant;
    for name in ["@", &tenant.user_ids()[0], &tenant.client_secret()] {
        assert!(
            !withheld.contains(name) && !done.contains(name),
            "{name} in\n{done}"
        );
    }
}

/// What the alert rules and the board name is there, and what to do about each alert stands in the documentation.
#[test]
fn alerts_and_board_name_metrics_that_are_there() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name);
    let rules = read("deploy/prometheus/alerts.yml");
    for name in [
        "deploy/prometheus/alerts.yml",
        "deploy/grafana/melonsync.json",
        "docs/operations/metrics.md",
    ] {
        let text = read(name);
        let mut named = BTreeSet::new();
        for (at, _) in text.match_indices("melonsync_") {
            let rest = &text[at + "melonsync_".len()..];
            let end = rest
                .find(|c: char| !c.is_ascii_lowercase() && c != '_')
                .unwrap_or(rest.len());
            let metric = rest[..end].trim_end_matches("_bucket");
            assert!(
                PROMISED.iter().any(|(known, ..)| *known == metric),
                "{name} names melonsync_{metric}"
            );
            named.insert(metric.to_owned());
        }
        let whole = name != "deploy/prometheus/alerts.yml";
        let missing: Vec<&str> = PROMISED
            .iter()
            .map(|(known, ..)| *known)
            .filter(|known| !named.contains(*known))
            .collect();
        assert!(!whole || missing.is_empty(), "{name} does not show {missing:?}");
    }
    let on_call = read("docs/operations/on-call.md");
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        assert!(
            on_call.contains(&format!("| `{alert}` |")),
            "{alert} has no row in on-call.md"
        );
    }
}
