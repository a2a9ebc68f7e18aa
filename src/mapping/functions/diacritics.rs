//! `NormalizeDiacritics`: names to plain letters, by the table of entra-docs.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::super::evaluate::Call;
use super::Answer;
use super::bounded::Bounded;
use super::text::on_text;

/// Replaces letters with marks. Letters in the table become what the table defines, other Latin letters with marks
/// their base letter; everything else stays as it is: other scripts, and the plain `œ`, `đ`, `þ`, `ð`, which are not in
/// the table.
pub(super) fn normalize_diacritics<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| {
        let mut plain = Bounded::default();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            let marks = rest[first.len_utf8()..]
                .find(|c| !is_combining_mark(c))
                .map_or(rest.len(), |at| at + first.len_utf8());
            let (cluster, behind) = rest.split_at(marks);
            let mut decomposed = cluster.nfd();
            let base = decomposed.next().unwrap_or(first);
            match replacement(base, decomposed.collect::<String>().as_str()) {
                Some(letters) => plain.push(letters)?,
                None if base.is_ascii_alphabetic() => plain.push(base.encode_utf8(&mut [0; 4]))?,
                None => plain.push(cluster)?,
            }
            rest = behind;
        }
        Ok(plain.into_text())
    })
}

/// Returns the replacement of the table where it is more, or another, than the base letter.
fn replacement(base: char, marks: &str) -> Option<&'static str> {
    const MACRON: &str = "\u{304}";
    Some(match (base, marks) {
        ('æ', _) => "ae",
        ('Æ', _) => "AE",
        ('ø', _) | ('œ', MACRON) => "oe",
        ('Ø', _) | ('Œ', MACRON) => "OE",
        ('ß', _) => "ss",
        ('ł', _) => "l",
        ('Ł', _) => "L",
        ('ı', _) => "i",
        _ => return None,
    })
}
