//! Numbers with their nouns: one entry, two entries.

/// A number with its noun in the singular or plural: `1 entry`, `2 entries`, `0 users`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    many(count as u64, noun)
}

/// The same for what summaries count.
#[must_use]
pub fn many(count: u64, noun: &str) -> String {
    format!("{count} {}", of(count, noun))
}

/// The noun for so many.
#[must_use]
pub fn of(count: u64, noun: &str) -> String {
    let consonant = |letter: char| !"aeiou".contains(letter);
    let stem = noun.strip_suffix('y').filter(|stem| stem.ends_with(consonant));
    match (count, stem) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) if noun.ends_with('s') => format!("{noun}es"),
        (_, None) => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_others_are_many() {
        for (count, noun, expected) in [
            (0, "user", "0 users"),
            (1, "user", "1 user"),
            (2, "user", "2 users"),
            (1, "entry", "1 entry"),
            (2, "entry", "2 entries"),
            (3, "day", "3 days"),
            (2, "address", "2 addresses"),
        ] {
            assert_eq!(counted(count, noun), expected);
        }
    }
}
