//! `[audit]`: the stream that records each operation as it happens, beside the history in the snapshot.

use std::path::PathBuf;

use super::section::Section;

/// The destination of the audit stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, for containers.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
    /// The system's log.
    Syslog,
}

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// The stream; `None` where the setting is absent.
    pub stream: Option<Stream>,
}

impl Audit {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let stream = section.get("stream").and_then(|field| {
            let text = field.text("stdout")?;
            match (text, text.strip_prefix("file:")) {
                ("stdout", _) => Some(Stream::Stdout),
                ("syslog", _) => Some(Stream::Syslog),
                (_, Some(path)) if !path.is_empty() => Some(Stream::File(field.context.path(path))),
                _ => field.bad(
                    &format!("cannot be \"{text}\""),
                    "write \"stdout\", \"syslog\" or \"file:PATH\", as in \"file:/var/log/melonsync/audit.jsonl\"",
                ),
            }
        });
        section.finish();
        Self { stream }
    }
}
