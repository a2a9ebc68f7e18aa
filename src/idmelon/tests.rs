//! The reader against the sandbox's workspace, over HTTP.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::model::clock::SystemClock;
use crate::reconcile::back::keys::KeyState;
use crate::reconcile::back::keys::NoEvidence;
use crate::reconcile::back::keys::judge;
use crate::sandbox::DEFAULT_API_KEY;
use crate::sandbox::Fault;
use crate::sandbox::Server;
use crate::sandbox::Workspace;
use crate::sandbox::limit::until_the_runtime_ends;

async fn start(keys: usize) -> (Workspace, Server, IdmelonKeys) {
    until_the_runtime_ends();
    let workspace = Workspace::new();
    for number in 0..keys {
        workspace.enrol_key(&format!("user{number}@corp.example"));
    }
    let server = workspace.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let reader = reader(&server, DEFAULT_API_KEY);
    (workspace, server, reader)
}

fn reader(server: &Server, key: &str) -> IdmelonKeys {
    let mut url: Url = server.url.parse().unwrap();
    url.set_path("");
    reader_at(url, key)
}

fn reader_at(url: Url, key: &str) -> IdmelonKeys {
    let options = IdmelonOptions {
        url,
        key: Secret::new(key.to_owned()),
        network: NetworkOptions::default(),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::impatient(Duration::from_millis(300)),
    };
    IdmelonKeys::new(options).unwrap()
}

#[tokio::test]
async fn all_keys_are_read_with_their_states() {
    let (workspace, _server, reader) = start(120).await;
    let blocked = workspace.enrol_key("blocked@corp.example");
    workspace.set_key(&blocked, &json!({"isBlocked": true}));
    let pending = workspace.enrol_key("pending@corp.example");
    workspace.set_key(&pending, &json!({"status": 30}));
    let read = reader.keys().await.unwrap();
    assert_eq!(judge(read.listing, Some(122)), Ok(()));
    let count = |state| read.keys.iter().filter(|key| key.state == state).count();
    assert_eq!(
        (
            count(KeyState::Active),
            count(KeyState::Blocked),
            count(KeyState::Pending)
        ),
        (120, 1, 1)
    );
    assert!(
        read.keys
            .iter()
            .any(|key| key.owner.as_deref() == Some("user7@corp.example"))
    );
    let only_reads = workspace.requests().iter().all(|request| request.method == "GET");
    assert!(only_reads);
    // A key that goes is gone from a reading that is evidence all the same.
    workspace.delete_key(&pending);
    let read = reader.keys().await.unwrap();
    assert_eq!((read.keys.len(), judge(read.listing, Some(122))), (121, Ok(())));
}

#[tokio::test]
async fn rows_that_move_are_read_again_until_they_hold_still() {
    let (workspace, _server, reader) = start(120).await;
    // A row is seen twice and another one not at all.
    workspace.update_faults(|faults| faults.keys_shift = Fault::times(1));
    let read = reader.keys().await.unwrap();
    assert_eq!((read.keys.len(), judge(read.listing, None)), (120, Ok(())));
    workspace.update_faults(|faults| {
        faults.keys_without_total = true;
        faults.keys_shift = Fault::times(1);
    });
    let read = reader.keys().await.unwrap();
    assert_eq!((read.keys.len(), judge(read.listing, None)), (120, Ok(())));
}

#[tokio::test]
async fn a_short_listing_is_no_evidence() {
    let (workspace, _server, reader) = start(120).await;
    workspace.update_faults(|faults| faults.keys_omitted = Fault::always());
    let read = reader.keys().await.unwrap();
    assert_eq!(judge(read.listing, None), Err(NoEvidence::Short));
}

#[tokio::test]
async fn what_is_no_listing_is_an_error_and_never_an_empty_one() {
    let (workspace, server, reader_of_all) = start(3).await;
    workspace.update_faults(|faults| faults.html_success = Fault::once());
    let malformed = reader_of_all.keys().await.unwrap_err();
    assert!(
        matches!(malformed, SourceError::Malformed { .. }),
        "{malformed:?}"
    );
    workspace.update_faults(|faults| faults.throttle = Fault::once());
    assert_eq!(reader_of_all.keys().await.unwrap().keys.len(), 3);
    let refused = reader(&server, "a-wrong-key").keys().await.unwrap_err();
    assert!(matches!(refused, SourceError::Unauthorized { .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("a-wrong-key"));
}

#[tokio::test]
async fn what_is_wrong_with_the_api_of_keys_is_put_right_by_its_hint() {
    let (workspace, server, good) = start(3).await;
    let error = |error: SourceError| error.hint().to_owned();
    // Another address, and a page that is no listing: the address and the proxy are checked.
    let mut elsewhere: Url = server.url.parse().unwrap();
    elsewhere.set_path("administrator/elsewhere");
    let wrong = reader_at(elsewhere, DEFAULT_API_KEY).keys().await.unwrap_err();
    assert!(error(wrong).starts_with("check `idmelon_api.url` and `proxy`"));
    workspace.update_faults(|faults| faults.html_success = Fault::once());
    assert!(error(good.keys().await.unwrap_err()).starts_with("check `idmelon_api.url` and `proxy`"));
    assert_eq!(good.keys().await.unwrap().keys.len(), 3);
    // A key that is none, and one that is refused.
    let broken = reader(&server, "sandbox\n-api-key").keys().await.unwrap_err();
    assert!(error(broken).contains("without a line break"));
    let refused = reader(&server, "old").keys().await.unwrap_err();
    assert!(error(refused).starts_with("make a new API key"));
    assert_eq!(
        reader(&server, DEFAULT_API_KEY).keys().await.unwrap().keys.len(),
        3
    );
    // A key of another type.
    workspace.update_faults(|faults| faults.forbidden = Fault::once());
    assert!(error(good.keys().await.unwrap_err()).contains("the type Admin"));
    assert_eq!(good.keys().await.unwrap().keys.len(), 3);
    // Trouble that passes.
    workspace.update_faults(|faults| faults.unavailable = Fault::always());
    assert!(error(good.keys().await.unwrap_err()).contains("the next reading tries again"));
    workspace.update_faults(|faults| faults.unavailable = Fault::never());
    assert_eq!(good.keys().await.unwrap().keys.len(), 3);
}
