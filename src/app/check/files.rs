//! `check`: files that are to be ours alone, and are not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Level;
use super::Lines;
use crate::files::Loose;
use crate::files::looseness;
use crate::files::own_uid;
use crate::settings::Settings;
use crate::settings::audit::Stream;
use crate::settings::job::Job;

/// Where the service manager lays out secrets: whom it lets read them it says by an access list, and the mode shows its mask.
const LAID_OUT: &str = "/run/credentials/";

/// A warning for each that somebody else owns, reads or writes. What is not there yet will be made right.
pub(super) fn files(settings: &Settings, config: &Path, job: &Job, lines: &mut Lines) {
    state(&settings.state.path, lines);
    for path in job.secret_files().filter(|path| !path.starts_with(LAID_OUT)) {
        look("the secret", path, Who::UsOrRoot, lines);
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
    match looseness(path, who != Who::Us) {
        Ok(Some(Loose::Mode(mode))) if who == Who::Writers && mode & 0o022 == 0 => {}
        Ok(Some(loose)) => warn(what, path, loose, lines),
        // One that cannot be looked at is another line's trouble.
        Ok(None) | Err(_) => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    around(what, folder.unwrap_or(Path::new(".")), lines);
}

fn warn(what: &str, path: &Path, loose: Loose, lines: &mut Lines) {
    let shown = path.display();
    let (text, advice) = match loose {
        Loose::Owner(uid) => (
            format!("{what} {shown} belongs to uid {uid}, who may change it at any time"),
            format!("chown {} {shown}", own_uid()),
        ),
        Loose::Mode(mode) => (
            format!("{what} {shown} is open to others (mode {mode:04o})"),
            format!("chmod go-rwx {shown}"),
        ),
    };
    lines.add(Level::Warn, "files", text, advice);
}

/// Whoever may write in a folder may put another file in the place of one in it, unless it is sticky.
fn around(what: &str, folder: &Path, lines: &mut Lines) {
    let Ok(held) = fs::metadata(folder) else { return };
    let theirs = held.uid() != own_uid() && held.uid() != 0;
    let written = held.mode() & 0o022 != 0 && held.mode() & 0o1000 == 0;
    let why = match (theirs, written) {
        (true, _) => format!("belongs to uid {}", held.uid()),
        (false, true) => format!("may be written by others (mode {:04o})", held.mode() & 0o7777),
        (false, false) => return,
    };
    let shown = folder.display();
    lines.add(
        Level::Warn,
        "files",
        format!("the folder {shown} of {what} {why}: who may write there can put another file in its place"),
        format!("chmod go-w {shown}, or keep it in a folder of its own"),
    );
}

/// The state folder, and whatever lies in it: the first that is too open, and how many more.
fn state(root: &Path, lines: &mut Lines) {
    let mut loose = Vec::new();
    walk(root, &mut loose);
    let Some((path, first)) = loose.first() else {
        return;
    };
    let what = match loose.len() {
        1 => "of the state,".to_owned(),
        many => format!("of the state, as the first of {many},"),
    };
    warn(&what, path, *first, lines);
    if let Some(line) = lines.0.last_mut() {
        line.advice = format!(
            "chown -R {} {root} && chmod -R go-rwx {root}",
            own_uid(),
            root = root.display()
        );
    }
}

/// As many as are looked for.
const LISTED: usize = 1000;

fn walk(path: &Path, loose: &mut Vec<(std::path::PathBuf, Loose)>) {
    if loose.len() == LISTED {
        return;
    }
    match looseness(path, false) {
        Ok(Some(found)) => loose.push((path.to_owned(), found)),
        Ok(None) => {}
        Err(_) => return,
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        // Links are looked at as what they are, and not followed out of the folder.
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => {}
            Ok(_) => walk(&entry.path(), loose),
            Err(_) => {}
        }
    }
}
