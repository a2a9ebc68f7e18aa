//! `check`: files that are to be ours alone, and are not.

use std::path::Path;

use super::Level;
use super::Lines;
use crate::files::Loose;
use crate::files::looseness;
use crate::settings::Settings;
use crate::settings::audit::Stream;
use crate::settings::job::Job;
use crate::settings::secret::SecretSource;

/// Where the service manager lays out secrets: whom it lets read them it says by an access list, and the mode shows its mask.
const LAID_OUT: &str = "/run/credentials/";

/// A warning for each that somebody else owns, reads or writes. What is not there yet will be made right.
pub(super) fn files(settings: &Settings, config: &Path, name: &str, job: &Job, lines: &mut Lines) {
    let state = &settings.state.path;
    for (what, path) in [
        ("the state folder", state.clone()),
        ("the job's folder", state.join(name)),
        ("the lock", state.join("lock")),
    ] {
        look(what, &path, Who::Us, lines);
    }
    for place in [&job.source.credential.client_secret, &job.target.token] {
        match place {
            SecretSource::File(path) if path.starts_with(LAID_OUT) => {}
            SecretSource::File(path) => look("the secret", path, Who::UsOrRoot, lines),
            SecretSource::Env(_) => {}
        }
    }
    if let Some(Stream::File(path)) = &settings.audit.stream {
        look("the audit file", path, Who::Us, lines);
    }
    look("the config", config, Who::Writers, lines);
}

/// Who is to have a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// This user alone.
    Us,
    /// Or root, who lays out what a service reads.
    UsOrRoot,
    /// Anybody may read it; it says where secrets are sent, so only this user and root write it.
    Writers,
}

fn look(what: &str, path: &Path, who: Who, lines: &mut Lines) {
    let shown = path.display();
    match looseness(path, who != Who::Us) {
        Ok(Some(Loose::Owner(uid))) => lines.add(
            Level::Warn,
            "files",
            format!("{what} {shown} belongs to uid {uid}, who may change it at any time"),
            format!("chown {} {shown}", crate::files::own_uid()),
        ),
        Ok(Some(Loose::Mode(mode))) if who == Who::Writers => {
            if mode & 0o022 != 0 {
                let text = format!("{what} {shown} may be written by others (mode {mode:04o})");
                lines.add(Level::Warn, "files", text, format!("chmod go-w {shown}"));
            }
        }
        Ok(Some(Loose::Mode(mode))) => {
            let text = format!("{what} {shown} is open to others (mode {mode:04o})");
            lines.add(Level::Warn, "files", text, format!("chmod go-rwx {shown}"));
        }
        // One that cannot be looked at is another line's trouble.
        Ok(None) | Err(_) => {}
    }
}
