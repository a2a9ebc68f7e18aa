//! `[state]`, `[audit]`, `[telemetry]` and `[network]`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::stage::Ear;
use super::stage::Stage;
use crate::support::collector::Collector;

super::rows! {
    "state.store" => store;
    "state.path" => path;
    "state.history_retention" => history_retention;
    "audit.stream" => audit_stream;
    "telemetry.otlp_endpoint" => otlp_endpoint;
    "network.proxy" => proxy_of_all;
    "jobs.idmelon.source.network.proxy" => proxy_of_the_source;
    "jobs.idmelon.target.network.proxy" => proxy_of_the_target;
    "network.ca_file" => ca_file_of_all;
    "jobs.idmelon.source.network.ca_file" => ca_file_of_the_source;
    "jobs.idmelon.target.network.ca_file" => ca_file_of_the_target;
}

fn store() {
    for (engine, other) in [("redb", "sled"), ("sled", "redb")] {
        let stage = Stage::new(2, 0).with("state.store", engine);
        stage.converges();
        assert!(
            stage.world.path("state/idmelon").join(engine).exists(),
            "{engine}"
        );
        assert!(
            !stage.world.path("state/idmelon").join(other).exists(),
            "{engine}"
        );
    }
}

fn path() {
    let stage = Stage::new(2, 0).with("state.path", "else/where");
    stage.converges();
    assert!(!stage.world.path("state").exists());
    let folder = fs::metadata(stage.world.path("else/where")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    assert!(stage.world.path("else/where/idmelon").is_dir());
}

/// The last entry stays in any case: the next one is chained to it.
fn history_retention() {
    for (retention, kept) in [("1s", 1), ("1d", 2)] {
        let stage = Stage::new(2, 0).with("state.history_retention", retention);
        stage.converges();
        std::thread::sleep(Duration::from_millis(1100));
        stage.converges();
        let history = stage.run(&["history", "-o", "json"]).exits(0).json();
        let entries = history["entries"].as_array().unwrap().len();
        assert_eq!(entries, kept, "{retention}: {history:#}");
    }
}

fn audit_stream() {
    let stage = Stage::new(2, 0).with("audit.stream", "\"file:told.jsonl\"");
    stage.converges();
    let told = fs::read_to_string(stage.world.path("told.jsonl")).unwrap();
    assert!(told.matches("create_user").count() >= 2, "{told}");
    let stage = Stage::new(2, 0).with("audit.stream", "stdout");
    let out = stage.run(&["sync"]).exits(0).out;
    assert!(out.contains("\"create_user\""), "{out}");
}

/// A cycle, its phases and its requests arrive, the last ones when the program ends; who was synced does not, and logs have none of
/// it. Without a collector a cycle ends as it would.
fn otlp_endpoint() {
    let collector = Collector::start();
    let stage = Stage::new(2, 0).with("telemetry.otlp_endpoint", &collector.url);
    let mut quiet = Stage::new(2, 0);
    let ran = stage.run(&["sync"]).exits(0);
    for sent in [
        "melonsync",
        "cycle",
        "idmelon",
        "initial",
        "converged",
        "observe the source",
        "plan, apply and record",
        "GET",
        "POST",
        "127.0.0.1",
        "http.response.status_code",
    ] {
        assert!(collector.has(sent), "{sent}");
    }
    let user = stage.world.tenant.user(&stage.user(0)).unwrap();
    for kept in [user["userPrincipalName"].as_str().unwrap(), "/Users", "Bearer"] {
        assert!(!collector.has(kept), "{kept}");
    }
    assert!(!ran.err.contains("otel."), "{}", ran.err);
    quiet.set("telemetry.otlp_endpoint", "http://127.0.0.1:9");
    quiet.converges();
    quiet.set("telemetry.otlp_endpoint", "http://collector.corp.example:4317");
    let refused = quiet.run(&["sync"]).exits(2);
    assert!(
        refused.err.contains("would send traces without encryption"),
        "{}",
        refused.err
    );
}

/// Neither side is loopback, which never uses a proxy.
fn elsewhere() -> Stage {
    Stage::new(2, 0)
        .source("login_url", "https://login.example")
        .source("graph_url", "https://graph.example")
        .target("url", "https://scim.example/v2/")
}

/// What `check` asks of a proxy, where this key names it.
fn asked_of_proxy(key: &str) -> (bool, bool) {
    let proxy = Ear::new();
    let stage = elsewhere().with(key, &format!("\"http://{}\"", proxy.address));
    stage.run(&["check"]).exits(1);
    let heard = proxy.heard();
    let asked = |host: &str| {
        heard
            .iter()
            .any(|line| line.starts_with(&format!("CONNECT {host}:443")))
    };
    (asked("login.example"), asked("scim.example"))
}

fn proxy_of_all() {
    assert_eq!(asked_of_proxy("network.proxy"), (true, true));
}

fn proxy_of_the_source() {
    assert_eq!(asked_of_proxy("jobs.idmelon.source.network.proxy"), (true, false));
}

fn proxy_of_the_target() {
    assert_eq!(asked_of_proxy("jobs.idmelon.target.network.proxy"), (false, true));
}

/// A file that holds no certificate is refused, by the side that would have trusted it.
fn refuses_the_file_of(key: &str) {
    let stage = Stage::new(2, 0).with(key, "roots.pem");
    fs::write(stage.world.path("roots.pem"), "no certificate").unwrap();
    let ran = stage.run(&["sync"]).exits(2);
    assert!(ran.err.contains("roots.pem"), "{ran:?}");
}

fn ca_file_of_all() {
    refuses_the_file_of("network.ca_file");
}

fn ca_file_of_the_source() {
    refuses_the_file_of("jobs.idmelon.source.network.ca_file");
}

fn ca_file_of_the_target() {
    refuses_the_file_of("jobs.idmelon.target.network.ca_file");
}
