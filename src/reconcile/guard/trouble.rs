//! Whose trouble a 500 is: the record's, where others are answered well, or the target's. Pure.
//!
//! Connections, timeouts, 429 and 502 to 504 are the target's, whatever else is answered.

/// What a cycle saw of the target's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Objects whose request was answered 500.
    pub broken: u64,
    /// Objects whose requests were answered well.
    pub well: u64,
    /// The last answers, ten and more, were all trouble.
    pub down: bool,
}

/// Whose trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Each entry's own.
    Entry,
    /// The target's.
    Target,
    /// One alone failed, and nothing else was sent: what it did before, and whether the target answers a question, tells.
    Unclear,
}

/// As many as say something of a share. A share of more than [`PERCENT`] is no matter of single records any more: as for a kind
/// of operation that stops.
const LEAST: u64 = 20;
/// See [`LEAST`].
const PERCENT: u64 = 40;

impl Pattern {
    /// Judges it.
    #[must_use]
    pub const fn whose(self) -> Whose {
        let all = self.broken + self.well;
        if self.down || (all >= LEAST && self.broken * 100 > all * PERCENT) {
            return Whose::Target;
        }
        match (self.broken, self.well) {
            (1, 0) => Whose::Unclear,
            (_, 0) => Whose::Target,
            (_, _) => Whose::Entry,
        }
    }
}

/// What to do about a record that always breaks.
#[must_use]
pub fn hint(resource: Option<&str>) -> String {
    let record = match resource {
        Some(resource) => format!("resource {resource}"),
        None => "what it sends for this object".to_owned(),
    };
    format!(
        "others are answered well, so it is this record: look for {record} in the target's own log; it is tried again with growing \
         gaps, or at once with `melonsync escrow retry`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_breaks_among_others_is_its_own_and_all_are_the_targets() {
        for (broken, well, down, expected) in [
            (1, 1, false, Whose::Entry),
            (1, 500, false, Whose::Entry),
            (3, 4, false, Whose::Entry),
            (1, 0, false, Whose::Unclear),
            (2, 0, false, Whose::Target),
            (1, 9, true, Whose::Target),
            (8, 12, false, Whose::Entry),
            (9, 11, false, Whose::Target),
        ] {
            let pattern = Pattern { broken, well, down };
            assert_eq!(pattern.whose(), expected, "{pattern:?}");
        }
    }
}
