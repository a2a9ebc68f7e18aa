//! What the target announced of itself (ServiceProviderConfig and Schemas), kept for a day so that a cycle need not ask; and
//! how many requests in flight it bore, so that the next process need not begin with two.
//!
//! It is read anew after a day, under other rules, and after a refusal that it may not explain: the same complaint is no
//! reason twice, because a value that is refused for ever would have it read in every cycle.

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

/// How long it is believed.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Complaints that may have it read anew in one day: a target whose every refusal has other words is not asked for ever.
const MOST_COMPLAINTS: usize = 32;

/// What is kept of it in the snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    /// The fingerprint of the rules under which it was read.
    under: String,
    advertised: Advertised,
    capabilities: Capabilities,
    /// Refusals since it was read, each by its kind.
    complaints: BTreeSet<u64>,
    /// One of them is new: it is read again before it is used again.
    doubted: bool,
    /// How many requests in flight it bore.
    #[serde(default)]
    in_flight: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    under: String,
    advertised: Option<Advertised>,
    kept: Option<Kept>,
    /// The kept capabilities, while they are believed.
    believed: Option<Arc<Capabilities>>,
    changed: bool,
}

/// What is known of it in this process.
#[derive(Debug, Default)]
pub struct Announced {
    state: Mutex<State>,
    /// One reader at a time: the others use what it found.
    pub(super) reading: tokio::sync::Mutex<()>,
}

impl Announced {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a cycle: what an earlier one kept, and the rules that are in force now. What may no longer be believed is
    /// forgotten, but for the complaints of its day. Returns how many requests in flight the target bore that day.
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

    /// What ServiceProviderConfig says, where it is known.
    pub fn advertised(&self) -> Option<Advertised> {
        self.state().advertised
    }

    /// It was read alone.
    pub fn put_advertised(&self, advertised: Advertised) {
        self.state().advertised = Some(advertised);
    }

    /// All of it, where it is known and believed.
    pub fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.state().believed.clone()
    }

    /// It was read. Complaints are remembered while it says the same as before.
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

    /// A request was refused. What may come of something that was announced and is so no more casts doubt on it.
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

    /// The target bore so many requests in flight.
    pub fn bore(&self, in_flight: usize) {
        let mut state = self.state();
        if let Some(kept) = &mut state.kept
            && kept.in_flight != Some(in_flight)
        {
            kept.in_flight = Some(in_flight);
            state.changed = true;
        }
    }

    /// What is to be kept of it, where that is other than before.
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

/// A refusal by its kind: what was asked of which collection, and the words without what names one resource.
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
        // The process that has it read again hears the same of another user, and believes what it read.
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
