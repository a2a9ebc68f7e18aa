//! What the target announces about itself (ServiceProviderConfig and Schemas), stored for a day so that a cycle need
//! not ask, and how many requests in flight it handled, so that the next process need not begin with two.
//!
//! It is read again after a day, under other rules, and after a refusal that it may not explain. A repeated complaint
//! counts once: otherwise a value that is always refused would have it read in every cycle.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capabilities::Advertised;
use super::fault::Asked;
use crate::model::clock::Timestamp;
use crate::ports::Capabilities;
use crate::ports::TargetError;

/// How long the announcement is trusted.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most complaints in a day that may have it read again: a target whose every refusal is worded differently is not
/// asked for ever.
const MOST_COMPLAINTS: usize = 32;

/// The announcement as stored in the snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    /// The fingerprint of the rules under which it was read.
    under: String,
    advertised: Advertised,
    capabilities: Capabilities,
    /// The kinds of refusals since it was read.
    complaints: BTreeSet<u64>,
    /// True if one of them is new: it is read again before it is used again.
    doubted: bool,
    /// The number of requests in flight that the target handled.
    #[serde(default)]
    in_flight: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    under: String,
    advertised: Option<Advertised>,
    kept: Option<Kept>,
    /// The stored capabilities, while they are trusted.
    believed: Option<Arc<Capabilities>>,
    changed: bool,
}

/// What this process knows of the announcement.
#[derive(Debug, Default)]
pub struct Announced {
    state: Mutex<State>,
    /// One reader at a time: the others use its result.
    pub(super) reading: tokio::sync::Mutex<()>,
}

impl Announced {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Restores before a cycle what an earlier one stored, and sets the rules in force now. What may no longer be
    /// trusted is dropped, except for the complaints of its day. Returns how many requests in flight the target handled
    /// that day.
    pub fn recall(&self, kept: Option<&str>, under: &str, now: Timestamp) -> Option<usize> {
        let mut state = self.state();
        under.clone_into(&mut state.under);
        if state.kept.is_none() {
            state.kept = kept.and_then(|kept| serde_json::from_str(kept).ok());
        }
        let kept = state.kept.as_ref()?;
        let is_young = now >= kept.at && now.minus(A_DAY) < kept.at;
        let is_believed = is_young && kept.under == under && !kept.doubted;
        let in_flight = kept.in_flight.filter(|_| is_young);
        let known = is_believed.then(|| (kept.advertised, Arc::new(kept.capabilities.clone())));
        state.advertised = known.as_ref().map(|(advertised, _)| *advertised);
        state.believed = known.map(|(_, capabilities)| capabilities);
        if !is_young {
            state.kept = None;
        }
        in_flight
    }

    /// Returns the content of ServiceProviderConfig, where it is known.
    pub fn advertised(&self) -> Option<Advertised> {
        self.state().advertised
    }

    /// Stores ServiceProviderConfig, which was read alone.
    pub fn put_advertised(&self, advertised: Advertised) {
        self.state().advertised = Some(advertised);
    }

    /// Returns the whole announcement, where it is known and trusted.
    pub fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.state().believed.clone()
    }

    /// Stores an announcement that was read. Complaints are kept while it equals the one before.
    pub fn put(&self, advertised: Advertised, capabilities: Capabilities, now: Timestamp) {
        let mut state = self.state();
        let before = state.kept.take();
        let in_flight = before.as_ref().and_then(|kept| kept.in_flight);
        let before = before.filter(|kept| kept.advertised == advertised && kept.capabilities == capabilities);
        state.advertised = Some(advertised);
        state.believed = Some(Arc::new(capabilities.clone()));
        state.kept = Some(Kept {
            at: now,
            under: state.under.clone(),
            advertised,
            capabilities,
            complaints: before.map(|kept| kept.complaints).unwrap_or_default(),
            doubted: false,
            in_flight,
        });
        state.changed = true;
    }

    /// Notes a refused request. One that a change of the announcement may explain casts doubt on the announcement.
    pub fn refused(&self, asked: &Asked, error: &TargetError) {
        let TargetError::Refused { what, status, .. } = error else {
            return;
        };
        let of_resources = ["/Users", "/Groups"]
            .iter()
            .any(|kind| asked.path.starts_with(kind));
        let reads_one = asked.method == "GET" && asked.one_resource;
        if !of_resources || reads_one || !matches!(status, 400 | 405 | 422 | 501) {
            return;
        }
        let complaint = complaint(asked, *status, what);
        let mut state = self.state();
        let Some(kept) = &mut state.kept else { return };
        if kept.complaints.len() < MOST_COMPLAINTS && kept.complaints.insert(complaint) {
            kept.doubted = true;
            state.changed = true;
        }
    }

    /// Notes how many requests in flight the target handled.
    pub fn bore(&self, in_flight: usize) {
        let mut state = self.state();
        if let Some(kept) = &mut state.kept
            && kept.in_flight != Some(in_flight)
        {
            kept.in_flight = Some(in_flight);
            state.changed = true;
        }
    }

    /// Returns the text to store, where it changed.
    pub fn take_changed(&self) -> Option<String> {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return None;
        }
        // Numbers, texts and maps with text keys: serde_json fails only for other keys.
        let text = |kept: &Kept| serde_json::to_string(kept).expect("what was announced is always written");
        state.kept.as_ref().map(text)
    }
}

/// Returns the kind of a refusal: the request and its collection, and the message without parts that identify one
/// resource.
fn complaint(asked: &Asked, status: u16, what: &str) -> u64 {
    let collection: String = asked.path.chars().take(6).collect();
    let said = what.split_once(" answered ").map_or(what, |(_, said)| said);
    let words: String = said
        .chars()
        .filter(|c| c.is_ascii_alphabetic())
        .take(80)
        .collect();
    let mut hash = DefaultHasher::new();
    (asked.method, collection, status, words).hash(&mut hash);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn asked() -> Asked {
        Asked {
            method: "PATCH",
            path: "/Users/42".to_owned(),
            one_resource: true,
        }
    }

    fn refusal(words: &str) -> TargetError {
        TargetError::Refused {
            what: format!("PATCH /Users/42 answered 400: {words}").into(),
            status: 400,
            hint: String::new(),
        }
    }

    fn read_at(hour: i64) -> Announced {
        let announced = Announced::default();
        announced.recall(None, "rules", Timestamp(hour * HOUR));
        announced.put(
            Advertised::default(),
            Capabilities::default(),
            Timestamp(hour * HOUR),
        );
        announced
    }

    fn known_after(kept: &str, under: &str, hour: i64) -> bool {
        let next = Announced::default();
        next.recall(Some(kept), under, Timestamp(hour * HOUR));
        next.capabilities().is_some()
    }

    #[test]
    fn it_is_believed_for_a_day_and_under_the_same_rules() {
        let kept = read_at(1).take_changed().unwrap();
        for (under, hour, believed) in [
            ("rules", 2, true),
            ("rules", 24, true),
            ("rules", 25, false),
            ("rules", 0, false),
            ("other rules", 2, false),
        ] {
            assert_eq!(known_after(&kept, under, hour), believed, "{under} at {hour}");
        }
        assert!(!known_after("damaged", "rules", 2));
    }

    #[test]
    fn a_refusal_has_it_read_anew_once_for_each_complaint() {
        let announced = read_at(1);
        announced.refused(&asked(), &refusal("no attribute `title` for 17"));
        let kept = announced.take_changed().unwrap();
        assert!(!known_after(&kept, "rules", 2));
        // The process that reads it again meets the same refusal of another user, and trusts what it read.
        announced.recall(None, "rules", Timestamp(2 * HOUR));
        assert!(announced.capabilities().is_none() && announced.advertised().is_none());
        announced.put(
            Advertised::default(),
            Capabilities::default(),
            Timestamp(2 * HOUR),
        );
        announced.refused(&asked(), &refusal("no attribute `title` for 18"));
        let kept = announced.take_changed().unwrap();
        assert!(known_after(&kept, "rules", 3));
        announced.refused(&asked(), &refusal("no attribute `nickName`"));
        assert!(!known_after(&announced.take_changed().unwrap(), "rules", 3));
    }

    #[test]
    fn how_many_in_flight_it_bore_is_known_the_next_time_whatever_the_rules() {
        let announced = read_at(1);
        announced.bore(16);
        let kept = announced.take_changed().unwrap();
        announced.bore(16);
        assert_eq!(announced.take_changed(), None, "no news");
        for (under, hour, bore) in [
            ("rules", 2, Some(16)),
            ("others", 2, Some(16)),
            ("rules", 30, None),
        ] {
            let next = Announced::default();
            assert_eq!(
                next.recall(Some(&kept), under, Timestamp(hour * HOUR)),
                bore,
                "{under} {hour}"
            );
        }
    }

    #[test]
    fn what_says_nothing_of_it_casts_no_doubt() {
        let announced = read_at(1);
        announced.take_changed();
        let of_a_service = Asked {
            path: "/Schemas".to_owned(),
            ..asked()
        };
        announced.refused(&of_a_service, &refusal("no"));
        let of_a_read = Asked {
            method: "GET",
            ..asked()
        };
        announced.refused(&of_a_read, &refusal("no"));
        let gone = TargetError::NotFound { what: "gone".into() };
        announced.refused(&asked(), &gone);
        assert_eq!(announced.take_changed(), None);
    }
}
