//! Texts of bounded length: each function may multiply its arguments, and calls nest.

use crate::mapping::stop::Stop;

/// The bytes of the longest text that an expression may make: more than any directory attribute holds, and so little
/// that a pattern which looks at the rest of the text from each of its places still ends in a moment.
pub const MAX_TEXT: usize = 1 << 16;

/// A text that is being assembled, as long as it stays under [`MAX_TEXT`].
#[derive(Debug, Default)]
pub(super) struct Bounded(String);

impl Bounded {
    pub(super) fn push(&mut self, text: &str) -> Result<(), Stop> {
        if self.0.len() + text.len() > MAX_TEXT {
            return Err(Stop::Failed(format!(
                "the text would be longer than {MAX_TEXT} bytes"
            )));
        }
        self.0.push_str(text);
        Ok(())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Returns `text` with `with` in place of every `find`, which is not empty.
pub(super) fn replaced(text: &str, find: &str, with: &str) -> Result<String, Stop> {
    let mut out = Bounded::default();
    let mut copied = 0;
    for (at, _) in text.match_indices(find) {
        out.push(&text[copied..at])?;
        out.push(with)?;
        copied = at + find.len();
    }
    out.push(&text[copied..])?;
    Ok(out.into_text())
}
