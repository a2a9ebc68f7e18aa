//! Who runs the command, as the audit log names them: what the system knows, and beside it what the environment claims.

use std::env;
use std::fmt;

use crate::files;

/// Where the system lists its users. Users that come from elsewhere (a directory, a service's own) have a number only.
const USERS: &str = "/etc/passwd";

/// A list longer than this is not searched.
const LONGEST_LIST: u64 = 4 << 20;

/// What anybody may set to anything, so that it is never more than a claim.
const CLAIMS: [&str; 2] = ["SUDO_USER", "USER"];

/// Who asks for something, as the history names them: `ada (uid 1000)`, or the name of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// The real user of this process, with what the environment claims where that is another name.
    #[must_use]
    pub fn local_user() -> Self {
        Self(peer(rustix::process::getuid().as_raw(), &claims()))
    }

    /// The user at the other end of a socket, whom the system knows by this number, with what that user's own environment claims ([`claims`]).
    #[must_use]
    pub fn peer(uid: u32, claims: &[(String, String)]) -> Self {
        Self(peer(uid, claims))
    }

    /// Whoever holds the token of this name.
    #[must_use]
    pub fn token(name: &str) -> Self {
        Self(clean(name))
    }

    /// Whoever has this name in the history already.
    #[must_use]
    pub fn known(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Actor {
    /// True where the two may be one person: by the number of the user, or by a name of theirs, one that is claimed too.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.marks(), other.marks());
        ours.iter().any(|mark| theirs.contains(mark))
    }

    /// What a person is known by: `uid 1000`, and each name.
    fn marks(&self) -> Vec<String> {
        let words = self
            .0
            .split([' ', ',', '(', ')', '='])
            .filter(|word| !word.is_empty());
        let mut marks: Vec<String> = words
            .filter(|word| !["uid", "claimed"].contains(word) && !CLAIMS.contains(word))
            .map(str::to_owned)
            .collect();
        // A number is that of a user, where it stands behind `uid`.
        if let Some((_, behind)) = self.0.split_once("uid ") {
            let number: String = behind.chars().take_while(char::is_ascii_digit).collect();
            marks.retain(|mark| *mark != number);
            marks.push(format!("uid {number}"));
        }
        marks
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn peer(uid: u32, claims: &[(String, String)]) -> String {
    let list = files::read_limited(std::path::Path::new(USERS), LONGEST_LIST).unwrap_or_default();
    let name = name_of(uid, &String::from_utf8_lossy(&list));
    // Only what we would claim ourselves: the rest of what a peer sends is no part of a name.
    let known = CLAIMS.map(|variable| claims.iter().find(|(claimed, _)| claimed == variable));
    let known: Vec<(&str, String)> = known
        .into_iter()
        .flatten()
        .map(|(variable, value)| (variable.as_str(), value.clone()))
        .collect();
    worded(uid, name.as_deref(), &known)
}

/// What the environment of this process claims about its user: a variable and its value each.
#[must_use]
pub fn claims() -> Vec<(String, String)> {
    let claims = CLAIMS.map(|variable| (variable, env::var_os(variable)));
    claims
        .into_iter()
        .filter_map(|(variable, value)| Some((variable.to_owned(), value?.to_string_lossy().into_owned())))
        .collect()
}

/// The name that the list has for a number: `ada:x:1000:1000:…`.
fn name_of(uid: u32, list: &str) -> Option<String> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then(|| clean(name))
    };
    list.lines().find_map(of)
}

fn worded(uid: u32, name: Option<&str>, claims: &[(&str, String)]) -> String {
    let claims: String = claims
        .iter()
        .filter(|(_, value)| !value.is_empty() && Some(value.as_str()) != name)
        .map(|(variable, value)| format!(", claimed {variable}={}", clean(value)))
        .collect();
    match name {
        Some(name) => format!("{name} (uid {uid}{claims})"),
        None => format!(
            "uid {uid}{}",
            if claims.is_empty() {
                claims
            } else {
                format!(" ({})", &claims[2..])
            }
        ),
    }
}

/// A name as it may stand in a line: no sign of it ends the claim, or begins a word of ours.
fn clean(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '\\' | '$');
    let mut kept: String = name
        .chars()
        .take(LONGEST_NAME)
        .map(|c| if fits(c) { c } else { '?' })
        .collect();
    if name.chars().nth(LONGEST_NAME).is_some() {
        kept.push('…');
    }
    kept
}

/// Longer names than these name nobody.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_stands_beside_what_is_known() {
        let list =
            "root:x:0:0:root:/root:/bin/sh\nnonsense\n:x:7:7::/:\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\n";
        assert_eq!(name_of(1000, list).as_deref(), Some("ada"));
        assert_eq!((name_of(7, list), name_of(61_234, list)), (None, None));
        let claim = |variable: &'static str, value: &str| (variable, value.to_owned());
        for (uid, name, claims, expected) in [
            (1000, Some("ada"), vec![claim("USER", "ada")], "ada (uid 1000)"),
            (
                1000,
                Some("ada"),
                vec![claim("USER", "ceo")],
                "ada (uid 1000, claimed USER=ceo)",
            ),
            (
                0,
                Some("root"),
                vec![claim("SUDO_USER", "ada"), claim("USER", "root")],
                "root (uid 0, claimed SUDO_USER=ada)",
            ),
            (61_234, None, vec![], "uid 61234"),
            (
                61_234,
                None,
                vec![claim("USER", "ceo")],
                "uid 61234 (claimed USER=ceo)",
            ),
            (
                1000,
                Some("ada"),
                vec![claim("USER", "x)\n2026-11-30  delete user\r    by ceo (uid 0")],
                "ada (uid 1000, claimed USER=x??2026-11-30??delete?user?????by?ceo??uid?0)",
            ),
        ] {
            assert_eq!(worded(uid, name, &claims), expected);
        }
        let long = worded(1, Some("a"), &[("USER", "x".repeat(500))]);
        assert!(long.chars().count() < 100, "{long}");
    }

    #[test]
    fn one_person_is_known_by_number_and_by_name() {
        for (one, other, is_one) in [
            ("ada (uid 1000)", "ada (uid 1000)", true),
            ("ada", "ada (uid 1000)", true),
            ("uid 1000", "ada (uid 1000)", true),
            ("root (uid 0, claimed SUDO_USER=ada)", "ada (uid 1000)", true),
            ("bob (uid 1001)", "ada (uid 1000)", false),
            ("bob", "ada (uid 1000)", false),
            ("1000", "ada (uid 1000)", false),
            ("admin", "root (uid 0)", false),
            ("uid", "uid 7", false),
            ("bob", "", false),
        ] {
            let may_be = Actor::known(one).may_be(&Actor::known(other));
            assert_eq!(may_be, is_one, "{one} and {other}");
        }
    }
}
