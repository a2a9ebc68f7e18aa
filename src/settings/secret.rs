//! The place of a secret: never the secret itself. It is read when a request needs it, so a renewed file takes effect
//! without a reload, and is dropped afterwards.

use std::{
    env, fmt, io,
    path::{Path, PathBuf},
};

use crate::files;
use crate::model::secret::Secret;

use super::section::{Field, Section};
use super::tree::{Origin, Raw};

/// The place of a secret: a table with exactly one of `env` and `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file (systemd credentials, Kubernetes and Docker secrets); white space at its end is not part of it.
    File(PathBuf),
}

/// Why a secret cannot be read. It names the place, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("{} is not set", variable(.0))]
    NotSet(String),
    /// The place holds nothing.
    #[error("{0} is empty")]
    Empty(SecretSource),
    /// The variable is not text.
    #[error("{} is not valid UTF-8", variable(.0))]
    NotText(String),
    /// The file is UTF-16, as some editors and shells write text.
    #[error("{0} is written in UTF-16")]
    Utf16(SecretSource),
    /// The file begins with a byte order mark, which would be sent as part of the secret.
    #[error("{0} begins with a byte order mark")]
    ByteOrderMark(SecretSource),
    /// The secret is in quotes.
    #[error("{0} holds the secret in quotes")]
    Quoted(SecretSource),
    /// The secret begins with `Bearer`, as in a header.
    #[error("{0} holds \"Bearer \" in front of the token")]
    Bearer(SecretSource),
    /// The file cannot be read.
    #[error("cannot read the file {}", file(path))]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        cause: io::Error,
    },
}

impl SecretError {
    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotSet(name) | Self::NotText(name) | Self::Empty(SecretSource::Env(name)) => {
                if may_be_secret(name) {
                    return "`env` names the variable that holds the secret, such as IDMELON_SCIM_TOKEN; if the secret itself \
                            stands there, take it out of the file, and have it renewed"
                        .to_owned();
                }
                format!("set {name} in the environment that starts melonsync")
            }
            Self::Empty(SecretSource::File(path)) => format!("write the secret into {}", file(path)),
            Self::Utf16(_) => {
                "write it as UTF-8: in PowerShell `Set-Content -NoNewline -Encoding ascii`, not `>`".to_owned()
            }
            Self::ByteOrderMark(_) => {
                "save it as UTF-8 without a byte order mark: in PowerShell `Set-Content -NoNewline -Encoding ascii`".to_owned()
            }
            Self::Quoted(_) => "write it without the quotes".to_owned(),
            Self::Bearer(_) => "write the token alone, without \"Bearer \"".to_owned(),
            Self::File { cause, .. } if cause.kind() == io::ErrorKind::FileTooLarge => {
                "name the file that holds the secret, and nothing else".to_owned()
            }
            Self::File { .. } => "check the path, and that melonsync's user may read it".to_owned(),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => f.write_str(&variable(name)),
            Self::File(path) => write!(f, "file {}", file(path)),
        }
    }
}

/// The size in bytes of the largest secret; a larger file was named by mistake.
const LARGEST: u64 = 64 << 10;

/// Describes a variable; by its name, unless that may be the secret.
fn variable(name: &str) -> String {
    if may_be_secret(name) {
        "the environment variable that `env` names (not shown: it may be the secret itself)".to_owned()
    } else {
        format!("environment variable {name}")
    }
}

/// Describes a file by its path, unless what is not there of it may be the secret, written in the place of a path.
fn file(path: &Path) -> String {
    let folders = path.ancestors().skip(1);
    let there = folders
        .filter(|folder| folder.is_dir())
        .find_map(|folder| path.strip_prefix(folder).ok());
    if !path.exists() && may_be_secret(&there.unwrap_or(path).to_string_lossy()) {
        "that `file` names (not shown: it may be the secret itself)".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Returns true for a name that a person would not choose: long, or of letters and digits in disorder. A secret looks
/// like that.
fn may_be_secret(name: &str) -> bool {
    const LONGEST_NAME: usize = 128;
    let digits = name.chars().any(|c| c.is_ascii_digit());
    let lower = name.chars().any(|c| c.is_ascii_lowercase());
    let upper = name.chars().any(|c| c.is_ascii_uppercase());
    let words = name.contains(['_', '.', '/']);
    name.len() > LONGEST_NAME
        || (digits && lower && upper)
        || (name.len() >= 16 && !words && (digits || (lower && upper)))
}

/// Returns true for names that shells and service managers can set.
fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl SecretSource {
    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Env(_) => None,
        }
    }

    /// Reads the secret now.
    ///
    /// # Errors
    /// When the variable is not set or the file not readable, or either is empty or not text.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.read_from(|name| match env::var(name) {
            Ok(value) => Ok(value),
            Err(env::VarError::NotPresent) => Err(SecretError::NotSet(name.to_owned())),
            Err(env::VarError::NotUnicode(_)) => Err(SecretError::NotText(name.to_owned())),
        })
    }

    /// Reads the secret as [`Self::read`] does, with variables from elsewhere.
    fn read_from(
        &self,
        variable: impl Fn(&str) -> Result<String, SecretError>,
    ) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Env(name) => variable(name)?,
            Self::File(path) => {
                let bytes = files::read_limited(path, LARGEST).map_err(|cause| self.unreadable(cause))?;
                if is_utf16(&bytes) {
                    return Err(SecretError::Utf16(self.clone()));
                }
                String::from_utf8(bytes).map_err(|error| {
                    self.unreadable(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
                })?
            }
        };
        let secret = text.trim_end();
        if secret.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        self.check_bare(secret)?;
        Ok(Secret::new(secret.to_owned()))
    }

    fn unreadable(&self, cause: io::Error) -> SecretError {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Env(name) => name.into(),
        };
        SecretError::File { path, cause }
    }

    /// Refuses characters that people and editors put around a secret: sent along, they are answered with 401, which
    /// does not explain why.
    fn check_bare(&self, secret: &str) -> Result<(), SecretError> {
        if secret.starts_with('\u{feff}') {
            return Err(SecretError::ByteOrderMark(self.clone()));
        }
        let quoted = |quote: char| secret.len() > 1 && secret.starts_with(quote) && secret.ends_with(quote);
        if quoted('"') || quoted('\'') {
            return Err(SecretError::Quoted(self.clone()));
        }
        if secret
            .get(..7)
            .is_some_and(|head| head.eq_ignore_ascii_case("bearer "))
        {
            return Err(SecretError::Bearer(self.clone()));
        }
        Ok(())
    }
}

/// Returns true for a text with its byte order mark, or of which every second byte is zero.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || (bytes.len() >= 4 && bytes.len().is_multiple_of(2))
            && (bytes.iter().skip(1).step_by(2).all(|byte| *byte == 0)
                || bytes.iter().step_by(2).all(|byte| *byte == 0))
}

impl<'a> Section<'a> {
    /// Reads the place of a secret. With `needed`, also checks that there is a value, and drops it.
    pub(super) fn secret(&mut self, key: &'static str, variable: &str, needed: bool) -> Option<SecretSource> {
        let field = self.required(key, &format!("{{ env = \"{variable}\" }}"))?;
        let place = source(&field, variable)?;
        if needed {
            verify(&field, &place)?;
        }
        Some(place)
    }
}

impl<'a> Section<'a> {
    /// Reads the place of a secret that may be left out, without looking for the secret.
    pub(super) fn secret_if_written(&mut self, key: &'static str, variable: &str) -> Option<SecretSource> {
        source(&self.get(key)?, variable)
    }

    /// The places of one secret or of a list of them, tried in order. With `needed`, that one of them is there is checked
    /// now: a list outlives a renewal, in which one of its secrets is not there yet, or no more.
    pub(super) fn secrets(
        &mut self,
        key: &'static str,
        variable: &str,
        needed: bool,
    ) -> Option<Vec<SecretSource>> {
        let field = self.required(key, &format!("{{ env = \"{variable}\" }}"))?;
        let fields = field.each();
        if fields.is_empty() {
            return field.bad_key("is an empty list", "name at least one secret");
        }
        let is_place = |field: &Field<'_>| matches!(field.node().raw, Raw::Table(_));
        if matches!(field.node().raw, Raw::List) && !fields.iter().all(is_place) {
            return field.bad_key(
                "is a list of something else than tables with `env` or `file`",
                format!("write [{{ env = \"{variable}\" }}, {{ file = \"/run/secrets/…\" }}]"),
            );
        }
        let places: Option<Vec<_>> = fields.iter().map(|field| source(field, variable)).collect();
        let places = places?;
        if needed && !places.iter().any(|place| readable(&field, place)) {
            for (field, place) in fields.iter().zip(&places) {
                verify(field, place);
            }
            return None;
        }
        Some(places)
    }

    /// The place of a secret whose table has other keys too.
    pub(super) fn place(&mut self, field: &Field<'a>, example: &str, advice: &str) -> Option<SecretSource> {
        let env = self.get("env").map(|field| env_name(&field, example));
        let file = self.get("file").map(|field| name(&field, "/run/secrets/…"));
        match (env, file) {
            (Some(env), None) => env.map(SecretSource::Env),
            (None, Some(file)) => file.map(|path| SecretSource::File(field.context.path(&path))),
            (Some(_), Some(_)) => field.bad_key("has both `env` and `file`", "keep exactly one of them"),
            (None, None) => field.bad_key("has neither `env` nor `file`", advice),
        }
    }
}

fn source(field: &Field<'_>, example: &str) -> Option<SecretSource> {
    let advice = format!(
        "write {{ env = \"{example}\" }} or {{ file = \"/run/secrets/…\" }}, and put the secret there"
    );
    match (&field.node().raw, &field.node().origin) {
        (Raw::Table(_), _) => {}
        // An override that is the secret itself: the environment is a fit place for one.
        (raw, Origin::Env { name, .. }) if !matches!(raw, Raw::List) => {
            return Some(SecretSource::Env(name.clone()));
        }
        (Raw::Text(_), _) => return field.bad_key("is a secret written in plain text", advice),
        _ => {
            return field.bad_key(
                &format!(
                    "must be a table with `env` or `file`, not {}",
                    field.node().raw.kind()
                ),
                advice,
            );
        }
    }
    let mut section = field.section()?;
    let is_word = |key: &str| key.len() < 16 && key.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    if section.entries().any(|field| !is_word(&field.entry.key)) {
        // Not named: the text in the place of a key may be the secret.
        return field.bad_key("has a key that is neither `env` nor `file`", advice);
    }
    let place = section.place(field, example, &advice);
    section.finish();
    place
}

/// Reads the name of a variable. A text that cannot be one is not shown: it is the secret itself, put in the wrong
/// place.
fn env_name(field: &Field<'_>, example: &str) -> Option<String> {
    let name = name(field, example)?;
    if is_variable(&name) {
        return Some(name);
    }
    field.bad_key(
        "is no name of an environment variable (not shown: it may be the secret itself)",
        format!(
            "name the variable that holds the secret, as in `env = \"{example}\"`; if the secret itself stands here, take it \
             out of the file, and have it renewed"
        ),
    )
}

/// Reads the name of a variable or file. A value that is not a text is not shown: it may be the secret.
fn name(field: &Field<'_>, example: &str) -> Option<String> {
    match &field.node().raw {
        Raw::Text(text) if !text.trim().is_empty() => Some(text.clone()),
        _ => field.bad_key(
            "must be a text, and not empty",
            format!("write it as in `{} = \"{example}\"`", field.entry.key),
        ),
    }
}

fn trouble(field: &Field<'_>, place: &SecretSource) -> Option<SecretError> {
    let known = field.context.env;
    let variable = |name: &str| {
        let value = known.get(name).cloned();
        value.ok_or_else(|| SecretError::NotSet(name.to_owned()))
    };
    place.read_from(variable).err()
}

fn readable(field: &Field<'_>, place: &SecretSource) -> bool {
    trouble(field, place).is_none()
}

fn verify(field: &Field<'_>, place: &SecretSource) -> Option<()> {
    let Some(error) = trouble(field, place) else {
        return Some(());
    };
    let (what, advice) = (format!("`{}`: {error}", field.path), error.hint());
    let cause = match error {
        SecretError::File { cause, .. } => Some(cause),
        _ => None,
    };
    field.context.report_caused(&field.entry.at, what, advice, cause);
    None
}
