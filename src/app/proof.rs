//! The history as a proof: exported with its chain, and such an export checked.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::archive;
use super::desk::Desk;
use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use super::plans::temporary;
use crate::files;
use crate::files::NewFile;
use crate::model::clock::Timestamp;
use crate::snapshot::maintenance::proof;

/// What was exported.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// `export`.
    pub action: &'static str,
    /// How many entries.
    pub entries: u64,
    /// The number of the first entry of the chain.
    pub first: u64,
    /// The folder.
    pub folder: String,
    /// The hash at the chain's head.
    pub head: String,
    /// The job.
    pub job: String,
    /// The number behind the last entry of the chain.
    pub next: u64,
}

/// How an export was found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The hash before the chain's first record.
    pub anchor: String,
    /// How many entries.
    pub entries: u64,
    /// Of them without values.
    pub erased: u64,
    /// What is wrong.
    pub findings: Vec<String>,
    /// The number of the first entry of the chain.
    pub first: u64,
    /// The hash at the chain's head.
    pub head: String,
    /// The job.
    pub job: String,
    /// The number behind the last entry of the chain.
    pub next: u64,
    /// True where nothing is wrong.
    pub ok: bool,
    /// Of them with their values.
    pub proven: u64,
    /// From this moment on.
    #[serde(serialize_with = "super::views::text")]
    pub since: Timestamp,
    /// Up to this moment.
    #[serde(serialize_with = "super::views::text")]
    pub until: Timestamp,
}

/// The files of an export, in the order in which they are written: the manifest last.
const FILES: [&str; 3] = ["entries.jsonl", "chain.jsonl", "manifest.json"];

/// Refuses a folder for an export that is somebody else's, or not empty.
pub fn may_export_to(out: &Path) -> Result<(), AppError> {
    let is_link = out.symlink_metadata().is_ok_and(|held| held.is_symlink());
    let theirs = matches!(files::looseness(out, false), Ok(Some(files::Loose::Owner(_))));
    if is_link || theirs {
        return Err(AppError::usage(
            format!("{} is a link, or somebody else's folder", out.display()),
            "name a folder of your own with --out, or one that does not exist",
        ));
    }
    if std::fs::read_dir(out).is_ok_and(|mut held| held.next().is_some()) {
        return Err(AppError::usage(
            format!("{} is not empty", out.display()),
            "name a folder with --out that is empty or does not exist; an export overwrites nothing",
        ));
    }
    Ok(())
}

/// Exports the entries of a time into a folder that is empty or not there yet.
pub fn export(desk: &Desk, since: Timestamp, until: Timestamp, out: &Path) -> Result<Exported, AppError> {
    may_export_to(out)?;
    let manifest = proof::export(&desk.snapshot, &desk.job, since, until, out)?;
    desk.note_copy("history export", out)?;
    Ok(exported(&manifest, out))
}

fn exported(manifest: &proof::Manifest, out: &Path) -> Exported {
    Exported {
        action: "export",
        entries: manifest.entries,
        first: manifest.first,
        folder: out.display().to_string(),
        head: manifest.head.clone(),
        job: manifest.job.clone(),
        next: manifest.next,
    }
}

/// Exports the entries of a time for somebody who keeps them elsewhere (`out`, which is noted): an archive in a temporary file.
pub fn export_elsewhere(
    desk: &Desk,
    since: Timestamp,
    until: Timestamp,
    out: &Path,
) -> Result<File, AppError> {
    let folder = tempfile::tempdir().map_err(|error| temporary(&error))?;
    let made = folder.path().join("export");
    proof::export(&desk.snapshot, &desk.job, since, until, &made)?;
    let pack = || -> io::Result<File> {
        let files = FILES.map(|name| File::open(made.join(name)).map(|file| (name, file)));
        let files = files.into_iter().collect::<io::Result<Vec<_>>>()?;
        let mut packed = tempfile::tempfile()?;
        archive::write(&files, &mut io::BufWriter::new(&packed))?;
        packed.rewind()?;
        Ok(packed)
    };
    let packed = pack().map_err(|error| temporary(&error))?;
    desk.note_copy("history export", out)?;
    Ok(packed)
}

/// Keeps an export that was made elsewhere in a folder that is empty or not there yet.
pub fn keep(from: &mut impl Read, out: &Path) -> Result<Exported, AppError> {
    may_export_to(out)?;
    let mut files = FILES.iter();
    let mut manifest = None;
    let mut unpack = || -> io::Result<()> {
        proof::folder(out)?;
        archive::read(from, |name, file| {
            if files.next() != Some(&name) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it holds another file",
                ));
            }
            let mut kept = NewFile::begin(&out.join(name))?;
            if files.len() == 0 {
                let mut text = Vec::new();
                file.read_to_end(&mut text)?;
                io::copy(&mut text.as_slice(), &mut kept)?;
                manifest = Some(serde_json::from_slice(&text)?);
            } else {
                io::copy(file, &mut kept)?;
            }
            kept.put()
        })
    };
    let kept = unpack().and_then(|()| manifest.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
    match kept {
        Ok(manifest) => Ok(exported(&manifest, out)),
        Err(error) => {
            let mut failure = AppError::failed(
                format!("cannot write the export of the history in {}", out.display()),
                "check that the folder is there, its free space and its permissions; what is in it is no whole export",
            );
            failure.errors[0].causes = vec![error.to_string()];
            Err(failure)
        }
    }
}

/// What the daemon is asked for with an export.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExportRequest {
    /// From this moment on; from the beginning where absent.
    #[serde(with = "super::views::moment")]
    #[schema(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Up to this moment; up to now where absent.
    #[serde(with = "super::views::moment")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Where the caller keeps it: for `state forget`, which lists what still holds values. Nothing is written there.
    pub out: Option<String>,
}

/// Checks an export. What is wrong is in the answer; the error is of a folder that is no export.
pub fn verify(folder: &Path) -> Result<Checked, AppError> {
    let checked = proof::verify(folder).map_err(|error| {
        let advice = "name a folder that `melonsync history export --out DIR` wrote";
        AppError::new(ErrorKind::Failed, ErrorText::of(&error).advise(advice))
    })?;
    let manifest = checked.manifest;
    Ok(Checked {
        ok: checked.findings.is_empty(),
        anchor: manifest.anchor,
        entries: manifest.entries,
        erased: checked.erased,
        findings: checked.findings,
        first: manifest.first,
        head: manifest.head,
        job: manifest.job,
        next: manifest.next,
        proven: checked.proven,
        since: manifest.since,
        until: manifest.until,
    })
}
