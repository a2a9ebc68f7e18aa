//! Values that are more than a text or a number: durations, thresholds, addresses, ids, words, dates.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use chrono::NaiveDate;
use url::{Host, Url};
use uuid::Uuid;

use crate::reconcile::policy::Adopt;
use crate::reconcile::policy::AdoptGroup;
use crate::reconcile::policy::GroupRemoval;
use crate::reconcile::policy::OnRemoval;
use crate::reconcile::policy::Threshold;
use crate::reconcile::policy::Unmanaged;

use super::section::{Field, Section, nearest};
use super::tree::Raw;

/// A setting that is one of a few words.
pub(super) trait Word: Copy + 'static {
    /// Each word with its meaning.
    const WORDS: &'static [(&'static str, Self)];
    /// Words of the contract that this version does not know yet.
    const LATER: &'static [&'static str] = &[];
}

impl Word for OnRemoval {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("disable", Self::Disable),
        ("delete", Self::Delete),
        ("keep", Self::Keep),
    ];
}

impl Word for GroupRemoval {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("keep", Self::Keep),
        ("empty", Self::Empty),
        ("delete", Self::Delete),
    ];
}

impl Word for Adopt {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("unclaimed", Self::Unclaimed),
        ("any", Self::Any),
        ("never", Self::Never),
    ];
}

impl Word for AdoptGroup {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("review", Self::Review),
        ("unclaimed", Self::Unclaimed),
        ("never", Self::Never),
    ];
}

impl Word for Unmanaged {
    const WORDS: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("report", Self::Report)];
}

impl Section<'_> {
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let read = |field: Field<'_>| match field.node().raw {
            Raw::Bool(flag) => Some(flag),
            _ => field.wrong_type("true or false", "true"),
        };
        self.get(key).and_then(read).unwrap_or(default)
    }

    pub(super) fn word<T: Word>(&mut self, key: &'static str, default: T) -> T {
        self.get(key).and_then(|field| word(&field)).unwrap_or(default)
    }

    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        self.get(key)
            .and_then(|field| duration(&field))
            .unwrap_or(default)
    }

    pub(super) fn threshold(&mut self, key: &'static str, default: Threshold) -> Threshold {
        self.get(key)
            .and_then(|field| threshold(&field))
            .unwrap_or(default)
    }

    /// Reads an optional threshold.
    pub(super) fn threshold_or_none(&mut self, key: &'static str) -> Option<Threshold> {
        self.get(key).and_then(|field| threshold(&field))
    }

    pub(super) fn whole(&mut self, key: &'static str, least: u64, most: u64, default: u64) -> u64 {
        let read = |field: Field<'_>| match field.node().raw {
            Raw::Integer(n) => u64::try_from(n)
                .ok()
                .filter(|n| (least..=most).contains(n))
                .or_else(|| {
                    field.bad(
                        &format!("must be between {least} and {most}, got {n}"),
                        format!("the default is {default}"),
                    )
                }),
            _ => field.wrong_type("a whole number", &default.to_string()),
        };
        self.get(key).and_then(read).unwrap_or(default)
    }

    pub(super) fn path_name(&mut self, key: &'static str, example: &str) -> Option<PathBuf> {
        self.get(key)?.path_name(example)
    }

    /// Reads an id that Entra gives: a GUID.
    pub(super) fn guid(&mut self, key: &'static str, where_to_find: &str) -> Option<Uuid> {
        let example = "\"00000000-0000-0000-0000-000000000000\"";
        let field = self.required(key, example)?;
        let text = field.text(example.trim_matches('"'))?;
        match Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 => Some(id),
            _ => field.bad(&format!("is not a GUID: \"{text}\""), where_to_find),
        }
    }

    pub(super) fn date(&mut self, key: &'static str) -> Option<NaiveDate> {
        let field = self.get(key)?;
        let text = match &field.node().raw {
            Raw::Text(text) | Raw::Date(text) => text,
            _ => return field.wrong_type("a date", "\"2027-08-18\""),
        };
        text.parse().ok().or_else(|| {
            field.bad(
                &format!("is not a date: \"{text}\""),
                "write year-month-day, as in \"2027-08-18\"",
            )
        })
    }

    pub(super) fn texts(&mut self, key: &'static str, example: &str) -> Vec<String> {
        self.get(key)
            .and_then(|field| field.texts(example))
            .unwrap_or_default()
    }

    pub(super) fn url(&mut self, key: &'static str, example: &str) -> Option<Url> {
        self.get(key).and_then(|field| service_url(&field, example))
    }
}

impl Field<'_> {
    /// Reads a list of texts.
    pub(super) fn texts(&self, example: &str) -> Option<Vec<String>> {
        let item = |item: &super::tree::Entry| match &item.node.raw {
            Raw::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        };
        let texts: Option<Vec<String>> = matches!(self.node().raw, Raw::List)
            .then(|| self.node().items.iter().map(item).collect())
            .flatten();
        texts.or_else(|| {
            self.bad(
                "must be a list of texts, none of them empty",
                format!("write it as in `{} = {example}`", self.entry.key),
            )
        })
    }
}

pub(super) fn word<T: Word>(field: &Field<'_>) -> Option<T> {
    let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
    let text = field.text(words[0])?;
    if let Some((_, meaning)) = T::WORDS.iter().find(|(word, _)| *word == text) {
        return Some(*meaning);
    }
    if T::LATER.contains(&text) {
        return field.bad(
            &format!("= \"{text}\" is not available in this version"),
            format!("write \"{}\"", words.join("\" or \"")),
        );
    }
    let advice = nearest(text, &words).map_or_else(
        || format!("write one of \"{}\"", words.join("\", \"")),
        |near| format!("did you mean \"{near}\"? Possible: \"{}\"", words.join("\", \"")),
    );
    field.bad(&format!("cannot be \"{text}\""), advice)
}

/// Parses a duration as settings and flags write it: `30s`, `5m`, `24h`, `400d`. Returns `None` for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let number: u64 = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn duration(field: &Field<'_>) -> Option<Duration> {
    const ADVICE: &str = "write a whole number and a unit: 30s, 5m, 24h or 400d";
    let text = match &field.node().raw {
        Raw::Integer(n) => return field.bad(&format!("has no unit: {n}"), ADVICE),
        _ => field.text("5m")?,
    };
    parse_duration(text).or_else(|| field.bad(&format!("is not a duration: \"{text}\""), ADVICE))
}

pub(super) fn threshold(field: &Field<'_>) -> Option<Threshold> {
    const ADVICE: &str = "write a count (500), a share (\"5%\") or both ({ count = 500, percent = 5 })";
    let checked = |count, percent| {
        Threshold::try_new(count, percent)
            .or_else(|bad| field.bad(&format!("is no threshold: {bad}"), ADVICE).ok_or(()))
            .ok()
    };
    match &field.node().raw {
        Raw::Integer(n) => u64::try_from(*n)
            .ok()
            .map(Threshold::count)
            .or_else(|| field.bad(&format!("cannot be negative, got {n}"), ADVICE)),
        Raw::Text(text) => match text.strip_suffix('%').map(|share| share.trim().parse::<f64>()) {
            Some(Ok(share)) => checked(None, Some(share)),
            _ => field.bad(&format!("is no threshold: \"{text}\""), ADVICE),
        },
        Raw::Table(_) => {
            let mut section = field.section()?;
            let numbers = (count(&mut section), percent(&mut section));
            section.finish();
            match numbers {
                (Ok(count), Ok(percent)) => checked(count, percent),
                _ => None,
            }
        }
        _ => field.bad(
            &format!("must be a count or a share, not {}", field.node().raw.kind()),
            ADVICE,
        ),
    }
}

fn count(section: &mut Section<'_>) -> Result<Option<u64>, ()> {
    let Some(field) = section.get("count") else {
        return Ok(None);
    };
    let read = match field.node().raw {
        Raw::Integer(n) => u64::try_from(n)
            .ok()
            .or_else(|| field.bad(&format!("cannot be negative, got {n}"), "write 0 or more")),
        _ => field.wrong_type("a whole number", "500"),
    };
    read.map(Some).ok_or(())
}

#[expect(clippy::cast_precision_loss, reason = "anything over 100 is refused")]
fn percent(section: &mut Section<'_>) -> Result<Option<f64>, ()> {
    let Some(field) = section.get("percent") else {
        return Ok(None);
    };
    let read = match field.node().raw {
        Raw::Integer(n) => Some(n as f64),
        Raw::Float(n) => Some(n),
        _ => field.wrong_type("a number", "5"),
    };
    read.map(Some).ok_or(())
}

/// Reads the address of a service that gets our tokens: https, or http to this very machine.
pub(super) fn service_url(field: &Field<'_>, example: &str) -> Option<Url> {
    private_url(field, example, "credentials")
}

/// Reads the address of a service that gets what `sends` names, which nobody on the way is to read: see [`service_url`].
pub(super) fn private_url(field: &Field<'_>, example: &str, sends: &str) -> Option<Url> {
    let url = any_url(field, example)?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !safe {
        let advice = format!(
            "write an https address, as in \"{example}\"; http is for 127.0.0.1, ::1 and localhost only"
        );
        return field.bad(&format!("would send {sends} without encryption"), advice);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return field.bad(
            "has a `?` or `#` part",
            format!("write the base address only, as in \"{example}\""),
        );
    }
    Some(url)
}

/// Reads an http or https address without a password in it.
pub(super) fn any_url(field: &Field<'_>, example: &str) -> Option<Url> {
    let text = field.text(example)?;
    let as_example = format!("write an address with its scheme, as in \"{example}\"");
    // A password ends at the `@`, whether or not the rest parses; then the value is not shown.
    let hides = text.contains('@');
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ if hides => return field.bad_key("is not an address", as_example),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            return field.bad(&format!("is no http or https address: \"{text}\""), as_example);
        }
        Ok(_) => return field.bad(&format!("is not an address: \"{text}\""), as_example),
        Err(error) => return field.bad(&format!("is not an address: \"{text}\" ({error})"), as_example),
    };
    if url.password().is_some() || !url.username().is_empty() {
        return field.bad_key(
            "has a user name or a password in it",
            "take it out of the file; a proxy with a password goes into the environment variable HTTPS_PROXY",
        );
    }
    Some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}
