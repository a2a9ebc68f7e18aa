//! Character classes and escapes of a .NET pattern.

use super::PatternError;

/// The deepest nesting of subtractions: each costs a level of recursion here and in the library.
const MOST_DEPTH: usize = 8;

/// The meaning of a backslash and what follows it, inside a class and outside.
pub(super) enum Escape {
    /// One character.
    Char(char),
    /// Several, as they are written inside a class.
    Set(String),
}

const WORD: &str = r"\p{L}\p{Mn}\p{Nd}\p{Pc}";
const NOT_WORD: &str = r"[^\p{L}\p{Mn}\p{Nd}\p{Pc}]";

/// General categories, as .NET writes them; case matters there.
const CATEGORIES: &[&str] = &[
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps",
    "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
];

/// The Unicode blocks in which people's names are written; .NET knows them by these names.
const BLOCKS: &[(&str, &str)] = &[
    ("IsBasicLatin", r"\x{0}-\x{7F}"),
    ("IsLatin-1Supplement", r"\x{80}-\x{FF}"),
    ("IsLatinExtended-A", r"\x{100}-\x{17F}"),
    ("IsLatinExtended-B", r"\x{180}-\x{24F}"),
    ("IsCombiningDiacriticalMarks", r"\x{300}-\x{36F}"),
    ("IsGreek", r"\x{370}-\x{3FF}"),
    ("IsGreekandCoptic", r"\x{370}-\x{3FF}"),
    ("IsCyrillic", r"\x{400}-\x{4FF}"),
    ("IsArmenian", r"\x{530}-\x{58F}"),
    ("IsHebrew", r"\x{590}-\x{5FF}"),
    ("IsArabic", r"\x{600}-\x{6FF}"),
    ("IsThai", r"\x{E00}-\x{E7F}"),
    ("IsLatinExtendedAdditional", r"\x{1E00}-\x{1EFF}"),
    ("IsHiragana", r"\x{3040}-\x{309F}"),
    ("IsKatakana", r"\x{30A0}-\x{30FF}"),
    ("IsCJKUnifiedIdeographs", r"\x{4E00}-\x{9FFF}"),
    ("IsHangulSyllables", r"\x{AC00}-\x{D7AF}"),
];

/// Writes the character so that it means only itself, inside a class and outside.
pub(super) fn literal(c: char) -> String {
    if c.is_alphanumeric() || !c.is_ascii() {
        c.to_string()
    } else {
        format!(r"\x{{{:X}}}", u32::from(c))
    }
}

/// Translates a class, from behind its opening bracket. Returns it and what follows it.
pub(super) fn class(text: &str, depth: usize) -> Result<(String, &str), PatternError> {
    if depth > MOST_DEPTH {
        return Err(PatternError::new(format!(
            "classes are subtracted more than {MOST_DEPTH} deep"
        )));
    }
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mut set, mut first) = (String::new(), true);
    loop {
        if let (Some(inner), false) = (rest.strip_prefix("-["), first) {
            let (subtracted, rest) = class(inner, depth + 1)?;
            let rest = rest
                .strip_prefix(']')
                .ok_or_else(|| PatternError::new("a subtraction has to stand last in its class"))?;
            let caret = if negated { "^" } else { "" };
            return Ok((format!("[[{caret}{set}]--{subtracted}]"), rest));
        }
        let Some(c) = rest.chars().next() else {
            return Err(PatternError::new("a class has no closing `]`"));
        };
        if c == ']' && !first {
            let caret = if negated { "^" } else { "" };
            return Ok((format!("[{caret}{set}]"), &rest[1..]));
        }
        first = false;
        rest = item(rest, &mut set)?;
    }
}

/// Translates one character, range or set of a class. Returns what follows it.
fn item<'t>(text: &'t str, set: &mut String) -> Result<&'t str, PatternError> {
    let (from, rest) = member(text)?;
    let Escape::Char(from) = from else {
        if let Escape::Set(inner) = from {
            set.push_str(&inner);
        }
        return Ok(rest);
    };
    set.push_str(&literal(from));
    let range = rest
        .strip_prefix('-')
        .filter(|behind| !behind.starts_with(']') && !behind.starts_with('['));
    let Some(behind) = range else { return Ok(rest) };
    let (to, rest) = member(behind)?;
    let Escape::Char(to) = to else {
        return Err(PatternError::new("a range in a class ends in one character"));
    };
    if to < from {
        return Err(PatternError::new(format!(
            "the range `{from}-{to}` is in reverse order"
        )));
    }
    set.push('-');
    set.push_str(&literal(to));
    Ok(rest)
}

fn member(text: &str) -> Result<(Escape, &str), PatternError> {
    let Some(c) = text.chars().next() else {
        return Err(PatternError::new("a class has no closing `]`"));
    };
    let rest = &text[c.len_utf8()..];
    match (c, rest.strip_prefix('b')) {
        ('\\', Some(rest)) => Ok((Escape::Char('\u{8}'), rest)),
        ('\\', None) => escape(rest),
        _ => Ok((Escape::Char(c), rest)),
    }
}

/// Reads what is behind a backslash. Returns it and what follows. References and anchors are the caller's.
pub(super) fn escape(text: &str) -> Result<(Escape, &str), PatternError> {
    let Some(c) = text.chars().next() else {
        return Err(PatternError::new("a backslash stands at the end"));
    };
    let rest = &text[c.len_utf8()..];
    let set = |set: &str| Ok((Escape::Set(set.to_owned()), rest));
    let char = |c: char| Ok((Escape::Char(c), rest));
    match c {
        'd' => set(r"\p{Nd}"),
        'D' => set(r"\P{Nd}"),
        'w' => set(WORD),
        'W' => set(NOT_WORD),
        's' => set(r"\s"),
        'S' => set(r"\S"),
        'p' | 'P' => category(rest, c == 'P'),
        'a' => char('\u{7}'),
        'e' => char('\u{1B}'),
        'f' => char('\u{C}'),
        'n' => char('\n'),
        'r' => char('\r'),
        't' => char('\t'),
        'v' => char('\u{B}'),
        'x' => coded(rest, 2, 16),
        'u' => coded(rest, 4, 16),
        '0' => {
            let digits = text
                .bytes()
                .take(3)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            coded(text, digits, 8)
        }
        'c' => match rest.bytes().next() {
            Some(letter @ (b'@'..=b'_' | b'a'..=b'z')) => {
                Ok((Escape::Char(char::from(letter & 0x1F)), &rest[1..]))
            }
            _ => Err(PatternError::new(r"`\c` is followed by a letter")),
        },
        c if c.is_alphanumeric() || c == '_' => Err(PatternError::new(format!(
            r"`\{c}` is an escape that .NET does not know"
        ))),
        c => char(c),
    }
}

fn coded(text: &str, digits: usize, radix: u32) -> Result<(Escape, &str), PatternError> {
    let number = text
        .get(..digits)
        .filter(|code| code.bytes().all(|b| b.is_ascii_alphanumeric()))
        .and_then(|code| u32::from_str_radix(code, radix).ok());
    let c = number.map(char::from_u32);
    match c {
        Some(Some(c)) => Ok((Escape::Char(c), &text[digits..])),
        Some(None) => Err(PatternError::new(
            "half of a surrogate pair is no character: write the character itself",
        )),
        None => Err(PatternError::new(format!(
            "a character's code has {digits} digits here"
        ))),
    }
}

fn category(text: &str, negated: bool) -> Result<(Escape, &str), PatternError> {
    let inside = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    let Some((name, rest)) = inside else {
        return Err(PatternError::new(r"`\p` is written as `\p{Lu}`"));
    };
    let sign = if negated { 'P' } else { 'p' };
    if CATEGORIES.contains(&name) {
        return Ok((Escape::Set(format!(r"\{sign}{{{name}}}")), rest));
    }
    match BLOCKS.iter().find(|(known, _)| *known == name) {
        Some((_, range)) if negated => Ok((Escape::Set(format!("[^{range}]")), rest)),
        Some((_, range)) => Ok((Escape::Set((*range).to_owned()), rest)),
        None => Err(PatternError::new(format!(
            "`{name}` is no Unicode category or block that is known here"
        ))),
    }
}
