//! The same small world against every silent, refusing and odd behaviour that was seen at servers in use: it comes to the
//! same truth as at a friendly target, or a finding says exactly what cannot be done. In all cases nobody is removed, no
//! group is emptied, and nobody is there twice.

mod behaviours;
mod first_uses;
mod learned;
mod parsing;
mod story;

use behaviours::BEHAVIOURS;
use behaviours::Outcome;
use story::Stage;

/// How many behaviours are tried at the same time: the servers of all of them are in this process.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_behaviour_ends_in_the_truth_or_says_what_it_cannot_do() {
    use futures::StreamExt;
    let runs = futures::stream::iter(BEHAVIOURS).map(|behaviour| async move {
        let mut stage = Stage::set(behaviour).await;
        let mut wrong = stage.play().await;
        match behaviour.expect {
            Outcome::Same => wrong.extend(stage.unexpected_failures()),
            Outcome::Says(fragments) => wrong.extend(stage.unsaid(fragments)),
        }
        (behaviour.name, wrong)
    });
    let results: Vec<_> = runs.buffer_unordered(AT_ONCE).collect().await;
    let report: Vec<String> = results
        .iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(name, wrong)| format!("--- {name}:\n{}", wrong.join("\n")))
        .collect();
    assert_eq!(results.len(), BEHAVIOURS.len());
    assert!(
        report.is_empty(),
        "{} of {} behaviours:\n{}",
        report.len(),
        results.len(),
        report.join("\n")
    );
}
