//! Secrets are never shown: not in logs, errors, `Debug`, history, summaries or the snapshot.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::model::secret::Secret;
use melonsync::sandbox::Fault;
use melonsync::sandbox::ScimFaults;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::world::World;

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tape {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn secrets_are_in_no_log_no_error_no_summary_and_no_store() {
    let tape = Tape::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(tape.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut world = World::sample(10, 2).await;
    world.retry.budget = Duration::from_millis(30);
    world.workspace.set_token("hunter2-scim-token-value");
    world.tenant.set_client_secret("hunter2-client-secret-value");
    world.restart();
    let mut shown = String::new();
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    shown += &first.story();
    let troubles: [fn(&World); 6] = [
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.unauthorized = Fault::always())
        },
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.html_success = Fault::always())
        },
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.drop_before = Fault::always())
        },
        |world| {
            world
                .workspace
                .update_faults(|faults| faults.forbidden = Fault::always().only("PATCH"))
        },
        |world| {
            world
                .tenant
                .update_faults(|faults| faults.unauthorized = Fault::always())
        },
        |world| world.tenant.expire_secret(),
    ];
    for trouble in troubles {
        world.workspace.set_faults(ScimFaults::default());
        world.tenant.set_faults(Default::default());
        world.restart();
        world.tenant.mutate_attributes(3);
        trouble(&world);
        let ran = world.cycle().await;
        assert_ne!(ran.summary.outcome, Outcome::Converged, "{}", ran.story());
        shown += &ran.story();
        shown += &serde_json::to_string(&ran.summary).unwrap();
        if let Some(error) = &ran.error {
            shown += &format!("{error:?} {error} {}", error.hint());
        }
    }
    shown += &format!("{:?}", Secret::new("hunter2".to_owned()));
    shown += &String::from_utf8_lossy(&tape.0.lock().unwrap());
    for ((_, key), value) in world.store.contents() {
        shown += &String::from_utf8_lossy(&key);
        shown += &String::from_utf8_lossy(&value);
    }
    assert!(shown.contains("Cycle "), "the log was heard");
    assert!(shown.contains("AADSTS7000222"), "the trouble was met");
    for secret in ["hunter2", "Bearer ey", "Bearer sandbox"] {
        let at = shown.find(secret);
        assert!(
            at.is_none(),
            "{:?}",
            at.map(|at| shown.get(at.saturating_sub(200)..at + 40))
        );
    }
}
