//! Microsoft Graph as a [`Writer`]: a client of its own, with a credential of its own; the reader's client has no request that writes.
//!
//! Guarantees: the requests of `request.rs` are all that it can send, and a membership is removed only by an address that ends in
//! `/$ref`; each answer of a batch is judged by itself; a request that may have been carried out is reported as such, and is not
//! sent again here. Reads go through the reader: an app that owns one group and has no right in Graph cannot read.

mod answer;
mod client;
mod request;
pub mod rights;

use std::fmt;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::GraphOptions;
use super::batch::BATCH;
use crate::ports::MembershipWrite;
use crate::ports::Sent;
use crate::ports::SourceError;
use crate::ports::Traffic;
use crate::ports::UserWrite;
use crate::ports::Writer;
use crate::transport::Attempt;
use crate::transport::TransportError;
use crate::transport::retry;

use super::permissions;
use super::permissions::TokenFacts;
use answer::Meaning;
use client::Failed;
use client::WriteClient;
use request::Request;

/// A tenant, written through Microsoft Graph.
pub struct GraphWriter {
    client: WriteClient,
}

impl GraphWriter {
    /// Creates a writer, and sends nothing yet. The options are those of the writer's own app.
    ///
    /// # Errors
    /// When the network options are unusable.
    pub fn new(options: &GraphOptions) -> Result<Self, TransportError> {
        Ok(Self {
            client: WriteClient::new(options)?,
        })
    }

    /// Returns what the writer's token states about itself.
    ///
    /// # Errors
    /// When no token can be had.
    pub async fn token_facts(&self) -> Result<TokenFacts, SourceError> {
        Ok(permissions::facts(&self.client.tokens().bearer().await?))
    }

    /// Sends requests in batches, one after the other: an error counts as one only where nothing was sent before it.
    async fn send(&self, requests: &[Request]) -> Result<Vec<Sent>, SourceError> {
        let mut sent = Vec::with_capacity(requests.len());
        for batch in request::batches(requests, BATCH) {
            match self.batch(batch).await {
                Ok(answers) => sent.extend(answers),
                Err(Failed::Unanswered(what)) => {
                    sent.extend(batch.iter().map(|_| Sent::Unanswered(what.clone())));
                }
                Err(Failed::NotSent(error)) if sent.is_empty() => return Err(error),
                Err(Failed::NotSent(error)) => {
                    let left = requests.len() - sent.len();
                    sent.extend((0..left).map(|_| Sent::NotYet(error.what().clone())));
                    break;
                }
            }
        }
        Ok(sent)
    }

    /// Sends one batch. Those that were throttled inside it are sent again, alone, within the budget.
    async fn batch(&self, requests: &[Request]) -> Result<Vec<Sent>, Failed> {
        let client = &self.client;
        let answers: Mutex<Vec<Option<Sent>>> = Mutex::new(vec![None; requests.len()]);
        let round = |_| async {
            let mut answers = answers.lock().await;
            let open: Vec<usize> = (0..requests.len())
                .filter(|at| !matches!(&answers[*at], Some(sent) if !matches!(sent, Sent::NotYet(_))))
                .collect();
            let asked: Vec<&Request> = open.iter().map(|at| &requests[*at]).collect();
            let meanings = match client.post(&asked).await {
                Ok(meanings) => meanings,
                // What was answered before stands.
                Err(failed) => return Attempt::Fail(Some((open, failed))),
            };
            let (mut longest, mut throttled) = (None, false);
            for (at, meaning) in open.into_iter().zip(meanings) {
                answers[at] = Some(match meaning {
                    Meaning::Settled(sent) => sent,
                    Meaning::Throttled { after, what } => {
                        longest = longest.max(after);
                        throttled = true;
                        client.traffic().throttled();
                        Sent::NotYet(what)
                    }
                });
            }
            if throttled {
                Attempt::Again {
                    after: longest,
                    error: None,
                }
            } else {
                Attempt::Done(())
            }
        };
        let ended = retry(client.retry_policy(), client.traffic(), round).await;
        let mut answers = answers.into_inner();
        if let Err(Some((open, failed))) = ended {
            if open.len() == requests.len() {
                return Err(failed);
            }
            let rest = match failed {
                Failed::Unanswered(what) => Sent::Unanswered(what),
                Failed::NotSent(error) => Sent::NotYet(error.what().clone()),
            };
            for at in open {
                answers[at] = Some(rest.clone());
            }
        }
        let missing = || Sent::Unanswered("no answer in the batch".into());
        Ok(answers
            .into_iter()
            .map(|sent| sent.unwrap_or_else(missing))
            .collect())
    }
}

impl fmt::Debug for GraphWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphWriter").finish_non_exhaustive()
    }
}

#[async_trait]
impl Writer for GraphWriter {
    async fn set(&self, writes: &[UserWrite]) -> Result<Vec<Sent>, SourceError> {
        let requests: Vec<Request> = writes.iter().map(Request::set).collect();
        self.send(&requests).await
    }

    async fn enrol(&self, writes: &[MembershipWrite]) -> Result<Vec<Sent>, SourceError> {
        let requests: Vec<Request> = writes
            .iter()
            .map(|write| Request::enrol(write, self.client.base()))
            .collect();
        self.send(&requests).await
    }

    fn right_for(&self, property: &str) -> &'static str {
        rights::of(property).least
    }

    fn traffic(&self) -> Traffic {
        self.client.traffic().read()
    }
}

#[cfg(test)]
mod tests;
