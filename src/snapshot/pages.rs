//! Walks over a table of the store, a page at a time, so that only one page of it is in memory.

use crate::ports::KeyValue;
use crate::ports::StoreError;

/// How many entries a walk over a table reads at a time: bounds memory, whatever the directory's size.
pub const PAGE: usize = 1000;

/// A walk over a table that has rows `R` under keys `K`.
#[derive(Debug)]
pub struct Pages<R, K> {
    key: fn(&R) -> K,
    after: Option<K>,
    rows: usize,
    fixed: bool,
    ended: bool,
}

impl<R, K> Pages<R, K> {
    /// Walks a table to which nothing is added meanwhile: a page that is not full is the last.
    #[must_use]
    pub const fn fixed(key: fn(&R) -> K) -> Self {
        Self {
            key,
            after: None,
            rows: PAGE,
            fixed: true,
            ended: false,
        }
    }

    /// Walks a table to which rows may be added meanwhile: only an empty page is its end.
    #[must_use]
    pub const fn growing(key: fn(&R) -> K) -> Self {
        Self {
            key,
            after: None,
            rows: PAGE,
            fixed: false,
            ended: false,
        }
    }

    /// Begins behind this key.
    #[must_use]
    pub fn behind(self, after: Option<K>) -> Self {
        Self { after, ..self }
    }

    /// Reads so many rows at a time.
    #[must_use]
    pub fn of(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// Reads the next page: `read` gets the key of the last row so far, and the number of rows of a page. Returns
    /// `None` at the end.
    pub fn next_page(
        &mut self,
        read: impl FnOnce(Option<&K>, usize) -> Result<Vec<R>, StoreError>,
    ) -> Result<Option<Vec<R>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let page = read(self.after.as_ref(), self.rows)?;
        let last = page.last().map(self.key);
        self.ended = last.is_none() || (self.fixed && page.len() < self.rows);
        self.after = last;
        Ok((!page.is_empty()).then_some(page))
    }
}

/// Walks over entries as they are stored. Some may be added meanwhile.
#[must_use]
pub const fn raw_pages() -> Pages<KeyValue, Vec<u8>> {
    Pages::growing(|(key, _): &KeyValue| key.clone())
}

/// Empties a table: `take` takes out what the beginning of it was `read` to hold, until nothing is left.
///
/// # Errors
/// As `read` and `take`.
pub fn until_empty<R>(
    mut read: impl FnMut(usize) -> Result<Vec<R>, StoreError>,
    mut take: impl FnMut(Vec<R>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let limit = PAGE;
    loop {
        let rows = read(limit)?;
        if rows.is_empty() {
            return Ok(());
        }
        take(rows)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_shows_every_row_once_and_asks_for_an_empty_page_only_where_rows_may_come() {
        for (rows, fixed, growing) in [(0, 1, 1), (1, 1, 2), (PAGE, 2, 2), (PAGE + 1, 2, 3)] {
            let walks = [
                (Pages::fixed(|row: &usize| *row), fixed),
                (Pages::growing(|row| *row), growing),
            ];
            for (mut pages, expected) in walks {
                let (mut seen, mut reads) = (Vec::new(), 0);
                let mut next = || {
                    pages.next_page(|after, limit| {
                        reads += 1;
                        let from = after.map_or(0, |last| last + 1);
                        Ok((from..rows).take(limit).collect())
                    })
                };
                while let Some(page) = next().expect("nothing fails here") {
                    seen.extend(page);
                }
                assert_eq!(seen, (0..rows).collect::<Vec<_>>());
                assert_eq!(reads, expected, "{rows}");
            }
        }
    }
}
