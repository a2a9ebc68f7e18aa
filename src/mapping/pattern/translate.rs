//! Translates a .NET pattern into the pattern that `fancy_regex` reads. One pass without recursion, so that no depth of
//! brackets costs stack.

use super::Groups;
use super::PatternError;
use super::class;
use super::class::Escape;

/// The deepest nesting of brackets: the library refuses more, with a message that does not name the place.
const MOST_DEPTH: usize = 50;

/// The end of the text, or before the line feed that ends it.
const END: &str = r"(?=\n?\z)";

/// A part of the output; a reference waits until all groups are counted.
enum Piece {
    Text(String),
    /// `\1`, `\k<name>`: the text that a group matched.
    Same(String),
    /// `(?(name)`: whether a group took part.
    Whether(String),
}

/// Options that apply up to the end of the bracket that they stand in.
#[derive(Clone, Copy, Default)]
struct Options {
    multiline: bool,
    explicit: bool,
    blanks: bool,
}

struct Translator<'t> {
    rest: &'t str,
    out: Vec<Piece>,
    options: Options,
    outer: Vec<Options>,
    /// Groups in the order of their opening brackets; `None` for an unnamed one.
    groups: Vec<Option<String>>,
    /// True if a quantifier could repeat what is before this place.
    repeatable: bool,
}

pub(super) fn translate(text: &str) -> Result<(String, Groups), PatternError> {
    let mut translator = Translator {
        rest: text,
        out: Vec::new(),
        options: Options::default(),
        outer: Vec::new(),
        groups: Vec::new(),
        repeatable: false,
    };
    while let Some(c) = translator.next() {
        translator.one(c)?;
    }
    if !translator.outer.is_empty() {
        return Err(PatternError::new("a bracket is never closed"));
    }
    translator.finish()
}

impl<'t> Translator<'t> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads up to and including the end character.
    fn until(&mut self, end: char, of: &str) -> Result<&'t str, PatternError> {
        let (taken, rest) = self
            .rest
            .split_once(end)
            .ok_or_else(|| PatternError::new(format!("{of} has no `{end}`")))?;
        self.rest = rest;
        Ok(taken)
    }

    fn put(&mut self, text: &str) {
        match self.out.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.out.push(Piece::Text(text.to_owned())),
        }
    }

    /// Writes something that a quantifier may repeat.
    fn atom(&mut self, text: &str) {
        self.put(text);
        self.repeatable = true;
    }

    fn one(&mut self, c: char) -> Result<(), PatternError> {
        match c {
            '\\' => self.escape(),
            '[' => {
                let (class, rest) = class::class(self.rest, 0)?;
                self.rest = rest;
                self.atom(&class);
                Ok(())
            }
            '(' => self.open(),
            ')' => self.close(),
            '|' => {
                self.put("|");
                self.repeatable = false;
                Ok(())
            }
            '^' if self.options.multiline => {
                self.atom("(?m:^)");
                Ok(())
            }
            '^' => {
                self.atom("^");
                Ok(())
            }
            '$' if self.options.multiline => {
                self.atom("(?m:$)");
                Ok(())
            }
            '$' => {
                self.atom(END);
                Ok(())
            }
            '.' => {
                self.atom(".");
                Ok(())
            }
            '*' | '+' | '?' => self.repeat(&c.to_string()),
            '{' => match counted(self.rest) {
                Some((count, rest)) => {
                    self.rest = rest;
                    self.repeat(&format!("{{{count}}}"))
                }
                // Not of the form {2}, {2,} or {2,5}: .NET takes it for the character.
                None => {
                    self.atom(r"\{");
                    Ok(())
                }
            },
            c if self.options.blanks && c.is_whitespace() => Ok(()),
            '#' if self.options.blanks => {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
                Ok(())
            }
            c => {
                self.atom(&class::literal(c));
                Ok(())
            }
        }
    }

    fn repeat(&mut self, quantifier: &str) -> Result<(), PatternError> {
        if !self.repeatable {
            return Err(PatternError::new(format!(
                "`{quantifier}` has nothing before it to repeat"
            )));
        }
        self.put(quantifier);
        if self.take("?") {
            self.put("?");
        }
        self.repeatable = false;
        if self.rest.starts_with(['*', '+', '?']) || self.rest.strip_prefix('{').and_then(counted).is_some() {
            return Err(PatternError::new(format!(
                "`{quantifier}` is followed by another quantifier, which .NET does not know"
            )));
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let anchor = match self.rest.chars().next() {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('Z') => END,
            Some('b') => r"\b",
            Some('B') => r"\B",
            Some('G') => {
                return Err(PatternError::new(
                    r"`\G` (where the last match ended) is not supported",
                ));
            }
            Some('k') => {
                self.next();
                let end = match self.next() {
                    Some('<') => '>',
                    Some('\'') => '\'',
                    _ => return Err(PatternError::new(r"`\k` is written as `\k<name>`")),
                };
                let name = self.until(end, r"`\k`")?.to_owned();
                self.out.push(Piece::Same(name));
                self.repeatable = true;
                return Ok(());
            }
            Some('1'..='9') => {
                let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
                let (number, rest) = self.rest.split_at(digits);
                self.rest = rest;
                self.out.push(Piece::Same(number.to_owned()));
                self.repeatable = true;
                return Ok(());
            }
            _ => "",
        };
        if anchor.is_empty() {
            let (escape, rest) = class::escape(self.rest)?;
            self.rest = rest;
            match escape {
                Escape::Char(c) => self.atom(&class::literal(c)),
                Escape::Set(set) => self.atom(&format!("[{set}]")),
            }
        } else {
            self.next();
            self.atom(anchor);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        self.options = self
            .outer
            .pop()
            .ok_or_else(|| PatternError::new("a closing bracket has no opening one"))?;
        self.atom(")");
        Ok(())
    }

    /// Opens a bracket, which has its own options.
    fn enter(&mut self, text: &str) -> Result<(), PatternError> {
        if self.outer.len() >= MOST_DEPTH {
            return Err(PatternError::new(format!(
                "brackets are nested more than {MOST_DEPTH} deep"
            )));
        }
        self.outer.push(self.options);
        self.put(text);
        self.repeatable = false;
        Ok(())
    }

    fn open(&mut self) -> Result<(), PatternError> {
        if !self.take("?") {
            if self.options.explicit {
                return self.enter("(?:");
            }
            self.groups.push(None);
            return self.enter("(");
        }
        for plain in [":", "=", "!", ">", "<=", "<!"] {
            if self.take(plain) {
                return self.enter(&format!("(?{plain}"));
            }
        }
        if self.take("#") {
            self.until(')', "a comment")?;
            return Ok(());
        }
        if self.take("(") {
            let name = self.until(')', "a condition")?;
            if !is_name(name) {
                return Err(PatternError::new(
                    "a condition `(?(…)yes|no)` takes the name or number of a group here",
                ));
            }
            self.enter("")?;
            self.out.push(Piece::Whether(name.to_owned()));
            return Ok(());
        }
        if self.rest.starts_with(['<', '\'']) {
            let end = if self.take("<") { '>' } else { '\'' };
            if end == '\'' {
                self.next();
            }
            let name = self.until(end, "the name of a group")?;
            return self.named(name);
        }
        self.set_options()
    }

    fn named(&mut self, name: &str) -> Result<(), PatternError> {
        if name.contains('-') {
            return Err(PatternError::new(
                "balancing groups `(?<a-b>…)` are not supported",
            ));
        }
        if !is_name(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(PatternError::new(format!(
                "a group cannot be called `{name}` here: letters, digits and `_`, and no digit first"
            )));
        }
        self.groups.push(Some(name.to_owned()));
        self.enter("(")
    }

    /// Reads `(?imnsx-imnsx)` and `(?imnsx-imnsx:`.
    fn set_options(&mut self) -> Result<(), PatternError> {
        let mut options = self.options;
        let (mut on, mut off, mut minus) = (String::new(), String::new(), false);
        loop {
            let c = self.next();
            match c {
                Some('-') => minus = true,
                Some('m') => options.multiline = !minus,
                Some('n') => options.explicit = !minus,
                Some('x') => options.blanks = !minus,
                Some(c @ ('i' | 's')) if minus => off.push(c),
                Some(c @ ('i' | 's')) => on.push(c),
                Some(':' | ')') => {
                    let minus = if off.is_empty() { "" } else { "-" };
                    let flags = format!("{on}{minus}{off}");
                    if c == Some(':') {
                        self.enter(&format!("(?{flags}:"))?;
                    } else if !flags.is_empty() {
                        self.put(&format!("(?{flags})"));
                        self.repeatable = false;
                    }
                    self.options = options;
                    return Ok(());
                }
                Some('P') => {
                    return Err(PatternError::new(
                        "`(?P` is not known to .NET: a named group is written as `(?<name>…)`",
                    ));
                }
                Some(c) => {
                    return Err(PatternError::new(format!(
                        "`(?{}` is not known to .NET",
                        c.escape_debug()
                    )));
                }
                None => return Err(PatternError::new("a bracket is never closed")),
            }
        }
    }

    fn finish(self) -> Result<(String, Groups), PatternError> {
        let groups = number(&self.groups);
        let single = |name: &str, what: &str| match groups.find(name) {
            [one] => Ok(*one),
            [] => Err(PatternError::new(format!(
                "{what} names the group `{name}`, which does not exist"
            ))),
            _ => Err(PatternError::new(format!(
                "{what} names the group `{name}`, which exists several times"
            ))),
        };
        let mut text = String::new();
        for piece in self.out {
            match piece {
                Piece::Text(piece) => text.push_str(&piece),
                // In brackets, so that a digit behind it stays a character.
                Piece::Same(name) => {
                    text.push_str(&format!(r"(?:\{})", single(&name, "a reference")?));
                }
                Piece::Whether(name) => {
                    text.push_str(&format!("(?({})", single(&name, "a condition")?));
                }
            }
        }
        Ok((text, groups))
    }
}

/// Assigns .NET's numbers: all unnamed groups first, then the names, in the order of the pattern.
fn number(groups: &[Option<String>]) -> Groups {
    let mut numbered: Vec<Vec<usize>> = Vec::new();
    let mut named: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        match group {
            None => numbered.push(vec![index + 1]),
            Some(name) => match named.iter_mut().find(|(known, _)| known == name) {
                Some((_, at)) => at.push(index + 1),
                None => named.push((name.clone(), vec![index + 1])),
            },
        }
    }
    numbered.extend(named.iter().map(|(_, at)| at.clone()));
    Groups { numbered, named }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Returns the inside of `2}`, `2,}` or `2,5}`, and what follows.
fn counted(text: &str) -> Option<(&str, &str)> {
    let (count, rest) = text.split_once('}')?;
    let (least, most) = count.split_once(',').unwrap_or((count, "0"));
    let is_number = |text: &str| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some((count, rest))
}
