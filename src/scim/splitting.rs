//! How a refused bundle of members is split: which of them are sent together next. Pure.
//!
//! Promises: each member is in the end taken, refused alone, or left with those that were refused; one culprit among
//! many costs about two requests for each halving; where no member is taken, it stops after a few tries.

use std::collections::VecDeque;

use crate::model::id::TargetId;
use crate::ports::RefusedMember;
use crate::ports::TargetError;

/// The number of members tried alone, spread over the bundle: where none of them is taken, the members are not the
/// cause.
const PROBES: usize = 8;

/// The number of members refused alone after which the others wait with them: a bundle must not become thousands of
/// requests.
const MOST_REFUSED: usize = 64;

/// A part of the bundle.
#[derive(Debug)]
struct Part {
    members: Vec<TargetId>,
    /// True if it contains a refused member: it is halved, and not sent first.
    spoilt: bool,
    /// True for the other half of the part before it, where both were refused together: where that one is taken, this
    /// one is spoilt.
    other_half: bool,
}

/// A bundle that was refused as a whole.
#[derive(Debug)]
pub struct Splitting {
    /// What is still to be sent.
    parts: VecDeque<Part>,
    /// The members tried alone, while none was taken.
    probes: usize,
    most_probes: usize,
    taken: bool,
    refused: Vec<RefusedMember>,
    /// The members that were not tried any more.
    left: Vec<TargetId>,
}

impl Splitting {
    /// Begins with the members of a bundle that was refused.
    #[must_use]
    pub fn of(members: Vec<TargetId>) -> Self {
        let most_probes = members.len().min(PROBES);
        Self {
            parts: [Part {
                members,
                spoilt: true,
                other_half: false,
            }]
            .into(),
            probes: 0,
            most_probes,
            taken: false,
            refused: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Returns the members to be sent now, or `None` at the end.
    pub fn next_bundle(&mut self) -> Option<Vec<TargetId>> {
        if !self.taken {
            return self.next_probe();
        }
        if self.refused.len() >= MOST_REFUSED {
            let parts = std::mem::take(&mut self.parts);
            self.left.extend(parts.into_iter().flat_map(|part| part.members));
            return None;
        }
        loop {
            let part = self.parts.pop_front()?;
            if !part.spoilt || part.members.len() == 1 {
                return Some(part.members);
            }
            self.halve(part.members);
        }
    }

    /// Returns one member alone, from a place as far as possible from those before.
    fn next_probe(&mut self) -> Option<Vec<TargetId>> {
        if self.probes == self.most_probes {
            return None;
        }
        let rest = &mut self.parts.front_mut()?.members;
        // Of those that are left, so that each of a small bundle has its turn.
        let place = rest.len().saturating_sub(1) * (self.probes % 3) / 2;
        self.probes += 1;
        (place < rest.len()).then(|| vec![rest.remove(place)])
    }

    /// Notes that what was sent last was taken.
    pub fn taken(&mut self) {
        let first = !std::mem::replace(&mut self.taken, true);
        let found = !self.refused.is_empty();
        let Some(next) = self.parts.front_mut() else {
            return;
        };
        if first {
            next.spoilt = !found;
        } else if std::mem::take(&mut next.other_half) {
            next.spoilt = true;
        }
        if next.members.is_empty() {
            self.parts.pop_front();
        }
    }

    /// Notes that these members were refused.
    pub fn refused(&mut self, members: Vec<TargetId>, error: TargetError) {
        if let Some(next) = self.parts.front_mut() {
            next.other_half = false;
        }
        match <[TargetId; 1]>::try_from(members) {
            Ok([member]) => self.refused.push(RefusedMember { member, error }),
            Err(members) => self.halve(members),
        }
    }

    fn halve(&mut self, mut members: Vec<TargetId>) {
        let half = members.split_off(members.len() / 2);
        for (members, other_half) in [(half, true), (members, false)] {
            if !members.is_empty() {
                self.parts.push_front(Part {
                    members,
                    spoilt: false,
                    other_half,
                });
            }
        }
    }

    /// Returns the refused members and those not tried because of them, or `None` where none was taken.
    #[must_use]
    pub fn outcome(self) -> Option<(Vec<RefusedMember>, Vec<TargetId>)> {
        self.taken.then_some((self.refused, self.left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<TargetId> {
        (0..count)
            .map(|number| TargetId::new(&number.to_string()).unwrap())
            .collect()
    }

    /// Returns the members that are refused alone and those left, and the number of requests, where these are bad.
    fn split(count: usize, bad: &[usize]) -> (Option<(Vec<usize>, usize)>, usize) {
        let number = |id: &TargetId| id.as_str().parse::<usize>().unwrap();
        let (mut splitting, mut requests, mut taken) = (Splitting::of(ids(count)), 0, Vec::new());
        while let Some(part) = splitting.next_bundle() {
            requests += 1;
            if part.iter().any(|id| bad.contains(&number(id))) {
                let error = TargetError::Refused {
                    what: String::new().into(),
                    status: 400,
                    hint: String::new(),
                };
                splitting.refused(part, error);
            } else {
                taken.extend(part.iter().map(number));
                splitting.taken();
            }
        }
        let outcome = splitting.outcome().map(|(refused, left)| {
            let mut named: Vec<usize> = refused.iter().map(|one| number(&one.member)).collect();
            let mut all: Vec<usize> = taken
                .iter()
                .chain(&named)
                .copied()
                .chain(left.iter().map(number))
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "each of them once");
            named.sort_unstable();
            (named, left.len())
        });
        (outcome, requests)
    }

    #[test]
    fn the_refused_ones_are_found_and_the_others_taken() {
        for (count, bad, most) in [
            (2, vec![0], 2),
            (5, vec![2], 6),
            (5, vec![0], 3),
            (5, vec![0, 1, 2, 3], 6),
            (8, vec![0, 3, 7], 12),
            (100, vec![41], 16),
            (1000, vec![41], 24),
            (1000, vec![0, 500, 999], 50),
        ] {
            let (outcome, requests) = split(count, &bad);
            assert_eq!(outcome, Some((bad.clone(), 0)), "{count} {bad:?}");
            assert!(requests <= most, "{count} {bad:?}: {requests} requests");
        }
    }

    #[test]
    fn where_everybody_is_refused_it_ends_after_a_few_tries() {
        for (count, tries) in [(1, 1), (2, 2), (5, 5), (1000, PROBES)] {
            let all: Vec<usize> = (0..count).collect();
            assert_eq!(split(count, &all), (None, tries), "{count}");
        }
    }

    #[test]
    fn where_most_are_refused_the_rest_waits_with_them() {
        let bad: Vec<usize> = (1..1000).collect();
        let (outcome, requests) = split(1000, &bad);
        let (named, left) = outcome.unwrap();
        assert_eq!(named.len(), MOST_REFUSED);
        assert!(left > 900 && requests < 200, "{left} {requests}");
    }
}
