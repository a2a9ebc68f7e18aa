//! Texts that were parsed before. The same few attribute paths are read for every object, and the lexer of their
//! grammar is costly to build: without this, it was a third of the CPU time of a cycle with a thousand changes.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::PoisonError;
use std::sync::RwLock;

/// The most texts that are kept: a text may come from anywhere.
const MOST: usize = 1000;

/// The results of parsing texts; for a `static`.
pub struct Parsed<T>(LazyLock<RwLock<HashMap<String, T>>>);

impl<T: Clone> Parsed<T> {
    /// Creates an empty store of results.
    #[must_use]
    pub const fn new() -> Self {
        Self(LazyLock::new(RwLock::default))
    }

    /// Returns the stored result for the text, or parses and stores it. A text that does not parse is not stored.
    ///
    /// # Errors
    /// Those of `parse`.
    pub fn get_or_parse<E>(&self, text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, E> {
        if let Some(value) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Ok(value.clone());
        }
        let value = parse(text)?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.insert(text.to_owned(), value.clone());
        }
        Ok(value)
    }
}

impl<T: Clone> Default for Parsed<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_and_a_refused_one_each_time() {
        let known = Parsed::new();
        let mut parsed = 0;
        for _ in 0..3 {
            let parse = |text: &str| {
                parsed += 1;
                text.parse::<u32>()
            };
            assert_eq!(known.get_or_parse("7", parse), Ok(7));
        }
        assert_eq!(parsed, 1);
        for _ in 0..2 {
            assert!(known.get_or_parse("x", str::parse::<u32>).is_err());
        }
    }

    #[test]
    fn it_keeps_a_bounded_number_and_still_answers() {
        let known = Parsed::new();
        for number in 0..2 * MOST {
            assert_eq!(
                known.get_or_parse(&number.to_string(), str::parse::<usize>),
                Ok(number)
            );
        }
        assert_eq!(known.0.read().unwrap().len(), MOST);
    }
}
