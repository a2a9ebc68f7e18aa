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

/// How many behaviours a test tries at the same time: the servers of all of them are in this process.
const AT_ONCE: usize = 2;
/// Tests that share the behaviours among them, so that no single one is the last to end.
const PARTS: usize = 4;

#[tokio::test]
async fn every_behaviour_ends_in_the_truth_or_says_what_it_cannot_do() {
    every_fourth(0).await;
}

#[tokio::test]
async fn every_behaviour_ends_in_the_truth_second_part() {
    every_fourth(1).await;
}

#[tokio::test]
async fn every_behaviour_ends_in_the_truth_third_part() {
    every_fourth(2).await;
}

#[tokio::test]
async fn every_behaviour_ends_in_the_truth_fourth_part() {
    every_fourth(3).await;
}

async fn every_fourth(part: usize) {
    use futures::StreamExt;
    let mine: Vec<_> = BEHAVIOURS.iter().skip(part).step_by(PARTS).collect();
    assert!(!mine.is_empty());
    let count = mine.len();
    let runs = futures::stream::iter(mine).map(|behaviour| async move {
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
    assert_eq!(results.len(), count);
    assert!(
        report.is_empty(),
        "{} of {} behaviours:\n{}",
        report.len(),
        results.len(),
        report.join("\n")
    );
}
