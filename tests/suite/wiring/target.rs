//! `[jobs.NAME.target]`: which service is written, as whom, and how hard.

use std::fs;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use melonsync::sandbox::Fault;

use super::stage::Ear;
use super::stage::Stage;

super::rows! {
    "jobs.idmelon.target.kind" => kind;
    "jobs.idmelon.target.url" => url;
    "jobs.idmelon.target.token" => token;
    "jobs.idmelon.target.token.env" => token_env;
    "jobs.idmelon.target.token.file" => token_file;
    "jobs.idmelon.target.expires" => expires;
    "jobs.idmelon.target.max_concurrency" => max_concurrency;
    "jobs.idmelon.target.requests_per_second" => requests_per_second;
    "jobs.idmelon.target.request_timeout" => request_timeout;
}

const TOKEN: &str = "jobs.idmelon.target.token";

fn kind() {
    for kind in ["scim", "idmelon"] {
        let shown = Stage::new(1, 0)
            .target("kind", kind)
            .run(&["mapping", "show"])
            .exits(0);
        assert!(shown.out.contains(&format!("mapping {kind}@1")), "{}", shown.out);
    }
}

fn url() {
    let ear = Ear::new();
    let stage = Stage::new(1, 0).target("url", &format!("http://{}/base", ear.address));
    let _running = stage.start(&["sync"]);
    ear.hears(" /base/");
}

/// The variable that overrides the key may hold the token itself.
fn token() {
    let stage = Stage::new(1, 0);
    let token = stage.world.workspace.token();
    let stage = stage.with(TOKEN, &token);
    let mut command = stage.command(&["sync", "-q"]);
    command.env_remove("IDMELON_SCIM_TOKEN");
    crate::cli_output::world::finished(command.spawn().unwrap()).exits(0);
    let ran = Stage::new(1, 0).with(TOKEN, "another").run(&["sync"]).exits(1);
    assert!(ran.err.contains("401"), "{ran:?}");
}

fn token_env() {
    let stage = Stage::new(1, 0).with(TOKEN, "{ env = \"ELSEWHERE\" }");
    let ran = stage.run(&["sync"]).exits(2);
    assert!(ran.err.contains("ELSEWHERE"), "{ran:?}");
    let mut command = stage.command(&["sync", "-q"]);
    command
        .env("ELSEWHERE", stage.world.workspace.token())
        .env_remove("IDMELON_SCIM_TOKEN");
    crate::cli_output::world::finished(command.spawn().unwrap()).exits(0);
}

fn token_file() {
    let stage = Stage::new(1, 0).with(TOKEN, "{ file = \"token\" }");
    fs::write(stage.world.path("token"), "another").unwrap();
    stage.run(&["sync"]).exits(1);
    fs::write(stage.world.path("token"), stage.world.workspace.token() + "\n").unwrap();
    stage.converges();
}

fn expires() {
    for (day, level) in [("2020-01-31", "fail"), ("2999-01-31", "ok")] {
        let lines = Stage::new(1, 0).target("expires", day).checked("expiry");
        let line = lines.iter().find(|line| line.contains(day));
        assert!(
            line.is_some_and(|line| line.starts_with(level)),
            "{day}: {lines:?}"
        );
    }
}

/// How long a sync of so many users takes at a service that needs 100 ms for each answer.
fn slow_sync(stage: &Stage) -> Duration {
    stage
        .world
        .workspace
        .update_options(|options| options.latency_ms = 100);
    let watch = Stopwatch::start();
    stage.converges();
    watch.elapsed()
}

fn max_concurrency() {
    let one = slow_sync(&Stage::new(30, 0).target("max_concurrency", "1"));
    assert!(one >= Duration::from_secs(3), "one after the other: {one:?}");
    let many = slow_sync(&Stage::new(30, 0).target("max_concurrency", "30"));
    assert!(many < one, "{many:?} and {one:?}");
}

fn requests_per_second() {
    let stage = Stage::new(20, 0).target("requests_per_second", "10");
    let watch = Stopwatch::start();
    stage.converges();
    let took = watch.elapsed();
    // The first goes out at once.
    assert!(
        took >= Duration::from_millis(1900),
        "20 creates at 10 a second: {took:?}"
    );
}

fn request_timeout() {
    let stage = Stage::new(1, 0).target("request_timeout", "1s");
    stage.world.workspace.update_faults(|faults| {
        faults.slow = Fault::once().only("POST");
        faults.slow_ms = Some(2500);
    });
    let summary = stage.sync(&[]);
    assert_ne!(summary["outcome"], "converged", "{summary:#}");
    assert!(
        summary["failed"].to_string().contains("within 1 s"),
        "{summary:#}"
    );
    let stage = Stage::new(1, 0).target("request_timeout", "20s");
    stage.world.workspace.update_faults(|faults| {
        faults.slow = Fault::once().only("POST");
        faults.slow_ms = Some(2500);
    });
    stage.converges();
}
