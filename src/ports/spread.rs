//! How long things took, and how often each answer came: what the metrics of one side are made of.

use std::collections::BTreeMap;

/// The bounds of the times of requests, in seconds.
pub const REQUEST_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How many of some times are up to each bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    bounds: &'static [f64],
    within: Vec<u64>,
    beyond: u64,
    seconds: f64,
}

impl Spread {
    /// Of no times yet.
    #[must_use]
    pub fn of(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            within: vec![0; bounds.len()],
            beyond: 0,
            seconds: 0.0,
        }
    }

    /// Adds a time.
    pub fn add(&mut self, seconds: f64) {
        self.seconds += seconds;
        let at = self.bounds.iter().position(|bound| seconds <= *bound);
        match at.and_then(|at| self.within.get_mut(at)) {
            Some(count) => *count += 1,
            None => self.beyond += 1,
        }
    }

    /// All of them together.
    #[must_use]
    pub const fn seconds(&self) -> f64 {
        self.seconds
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.within.iter().sum::<u64>() + self.beyond
    }

    /// Each bound with the number of those between it and the one before; the last one is without end.
    #[must_use]
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds
            .zip(self.within.iter().copied().chain([self.beyond]))
            .collect()
    }
}

/// The requests of one method to one side.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodTraffic {
    /// How often each status was the answer; `None`: none came.
    pub answers: BTreeMap<Option<u16>, u64>,
    /// How long they took.
    pub times: Spread,
}

impl Default for MethodTraffic {
    fn default() -> Self {
        Self {
            answers: BTreeMap::new(),
            times: Spread::of(REQUEST_SECONDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_counted_once_where_it_belongs() {
        let mut spread = Spread::of(&[0.1, 1.0]);
        for seconds in [0.05, 0.1, 0.5, 2.0, 3.0] {
            spread.add(seconds);
        }
        assert_eq!(spread.buckets(), [(0.1, 2), (1.0, 1), (f64::INFINITY, 2)]);
        assert_eq!(spread.count(), 5);
        assert!((spread.seconds() - 5.65).abs() < 1e-9);
    }
}
