//! `[[notify]]`: who is told when a job needs somebody, and how.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::SecretSource;
use super::section::Field;
use super::section::Section;
use super::tree::Raw;
use super::value::Word;
use super::value::word;
use crate::model::condition::Condition;

/// A receiver of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The states that it is told of.
    pub on: BTreeSet<Condition>,
    /// How it is reached.
    pub way: Way,
    /// After this time it is told again of a state that lasts.
    pub repeat: Duration,
}

impl Receiver {
    /// The files that its secrets stand in.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let secrets = match &self.way {
            Way::Post { url, secret, .. } => [Some(url), secret.as_ref()],
            Way::Command { .. } => [None, None],
        };
        secrets.into_iter().flatten().filter_map(SecretSource::file)
    }
}

/// How a receiver is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A POST to an address, which is a secret: whoever knows it can write there.
    Post {
        /// Where the address is read.
        url: SecretSource,
        /// The form of the body.
        format: Format,
        /// The key of the signature, for the format `json`.
        secret: Option<SecretSource>,
    },
    /// A program, with the JSON body on its standard input.
    Command {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// The form of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own, versioned.
    Json,
    /// An Adaptive Card for a Teams workflow.
    Teams,
    /// A message for a Slack webhook.
    Slack,
}

impl Word for Format {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        ("teams", Self::Teams),
        ("slack", Self::Slack),
    ];
}

impl Word for Condition {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("withheld", Self::Withheld),
        ("quarantine", Self::Quarantine),
        ("credential", Self::Credential),
        ("lag", Self::Lag),
        ("drift", Self::Drift),
        ("failed", Self::Failed),
        ("not_kept", Self::NotKept),
    ];
}

/// The wait before a receiver is told again, where the setting is absent.
const REPEAT: Duration = Duration::from_secs(4 * 3600);

/// The variable in the examples of hints.
const URL_VARIABLE: &str = "MELONSYNC_NOTIFY_URL";

/// Reads every `[[notify]]`. With `needed`, also checks that their secrets are there.
pub(super) fn read(root: &mut Section<'_>, needed: bool) -> Vec<Receiver> {
    let Some(field) = root.get("notify") else {
        return Vec::new();
    };
    let one = |field: &Field<'_>| {
        let section = field.section().or_else(|| {
            field.bad_key(
                "must be a table for each receiver",
                "write its keys under a line [[notify]]",
            )
        });
        receiver(section?, needed)
    };
    field.each().iter().filter_map(one).collect()
}

fn receiver(mut section: Section<'_>, needed: bool) -> Option<Receiver> {
    let on = conditions(&mut section);
    let repeat = section.duration("repeat", REPEAT);
    let way = match section.get("command") {
        Some(field) => command(&mut section, &field),
        None => post(&mut section, needed),
    };
    section.finish();
    Some(Receiver {
        on: on?,
        way: way?,
        repeat,
    })
}

/// The states; all of them where the key is absent.
fn conditions(section: &mut Section<'_>) -> Option<BTreeSet<Condition>> {
    let Some(field) = section.get("on") else {
        return Some(BTreeSet::from(Condition::ALL));
    };
    if !matches!(field.node().raw, Raw::List) || field.each().is_empty() {
        return field.bad(
            "must be a list of states, and not empty",
            "write it as in `on = [\"withheld\", \"quarantine\"]`, or leave it out for all of them",
        );
    }
    field.each().iter().map(word::<Condition>).collect()
}

fn post(section: &mut Section<'_>, needed: bool) -> Option<Way> {
    let url = section.secret("url", URL_VARIABLE, needed);
    let format = section.word("format", Format::Json);
    let secret = match section.get("secret") {
        None => None,
        Some(_) if format == Format::Json => {
            Some(section.secret("secret", "MELONSYNC_NOTIFY_SECRET", needed)?)
        }
        Some(field) => {
            let advice = "take it out, or write `format = \"json\"`";
            return field.bad_key("signs the format `json` only", advice);
        }
    };
    Some(Way::Post {
        url: url?,
        format,
        secret,
    })
}

/// The example in hints.
const EXAMPLE: &str = "[\"/usr/local/bin/tell\", \"--queue\", \"idm\"]";

fn command(section: &mut Section<'_>, field: &Field<'_>) -> Option<Way> {
    for key in ["url", "format", "secret"] {
        if let Some(field) = section.get(key) {
            return field.bad_key(
                "stands beside `command`",
                "keep one of them: a receiver has an address or a command, and a command gets the JSON body",
            );
        }
    }
    let words = field.texts(EXAMPLE)?;
    let (program, arguments) = words.split_first()?;
    let program = PathBuf::from(program);
    if !program.is_absolute() {
        return field.bad(
            "must begin with the full path of a program",
            format!("write it as in `command = {EXAMPLE}`"),
        );
    }
    Some(Way::Command {
        program,
        arguments: arguments.to_vec(),
    })
}
