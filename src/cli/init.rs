//! `melonsync init`: writes a commented settings file. What it writes loads; that is checked before writing.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
};

use crate::files::NewFile;
use crate::settings::Settings;

use clap::{Args, ValueEnum};

use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;

const TEMPLATE: &str = include_str!("init.toml");
const IDMELON_URL: &str = "https://skm.idmelon.com/api/scim/v2/";

/// `init`.
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Overwrite a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Directory (tenant) ID.
    #[arg(long, value_name = "GUID")]
    pub tenant_id: Option<String>,
    /// Application (client) ID.
    #[arg(long, value_name = "GUID")]
    pub client_id: Option<String>,
    /// The target: `idmelon` (an IDmelon workspace), or `scim` for any SCIM 2.0 service [default: idmelon]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub kind: Option<Kind>,
    /// The target's SCIM base address; IDmelon's public one where absent and the kind is idmelon.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// The kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An IDmelon workspace.
    Idmelon,
    /// Any SCIM 2.0 service.
    Scim,
}

/// What the file needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Directory (tenant) ID.
    pub tenant_id: String,
    /// Application (client) ID.
    pub client_id: String,
    /// `idmelon` or `scim`.
    pub kind: &'static str,
    /// The SCIM base address.
    pub url: String,
}

pub(super) fn run(globals: &Globals, args: &Init, report: &mut Report) -> Result<Exit, AppError> {
    let path = &globals.config;
    if path.symlink_metadata().is_ok() && !args.force {
        return Err(AppError::usage(
            format!("{} is there already", path.display()),
            "name another file with --config, or overwrite it with --force",
        ));
    }
    let text = render(&answers(args)?);
    // Loaded before it is written: a wrong answer is reported, and leaves no file behind.
    Settings::parse(&path.display().to_string(), &text, &BTreeMap::new(), true)?;
    write(path, &text, args.force).map_err(|cause| {
        let error = ErrorText::of(&cause);
        let what = format!("cannot write {}", path.display());
        let shown = ErrorText {
            what,
            causes: vec![error.what],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Failed,
            shown.advise("check the folder's permissions, or name another file with --config"),
        )
    })?;
    if report.is_json() {
        report.json(&serde_json::json!({ "written": path }));
    } else {
        report.text(&format!(
            "Wrote {}. Put the two secrets where it says.",
            path.display()
        ));
    }
    Ok(Exit::Done)
}

/// The settings file with these answers.
#[must_use]
pub fn render(answers: &Answers) -> String {
    // The answers are written as TOML texts, so that no quote in one of them breaks out of its line.
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    TEMPLATE
        .replace("\"@tenant_id@\"", &quoted(&answers.tenant_id))
        .replace("\"@client_id@\"", &quoted(&answers.client_id))
        .replace("\"@kind@\"", &quoted(answers.kind))
        .replace("\"@url@\"", &quoted(&answers.url))
}

fn write(path: &Path, text: &str, over: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = NewFile::begin(path)?;
    file.write_all(text.as_bytes())?;
    if over { file.replace() } else { file.put() }
}

fn answers(args: &Init) -> Result<Answers, AppError> {
    let kind = match args.kind {
        Some(Kind::Scim) => "scim",
        Some(Kind::Idmelon) | None => "idmelon",
    };
    let url = match (&args.url, kind) {
        (Some(url), _) => url.clone(),
        (None, "idmelon") => IDMELON_URL.to_owned(),
        (None, _) => ask("The target's SCIM base address", "--url", None)?,
    };
    Ok(Answers {
        tenant_id: ask("Directory (tenant) ID", "--tenant-id", args.tenant_id.as_deref())?,
        client_id: ask(
            "Application (client) ID",
            "--client-id",
            args.client_id.as_deref(),
        )?,
        kind,
        url,
    })
}

fn ask(question: &str, flag: &str, given: Option<&str>) -> Result<String, AppError> {
    if let Some(answer) = given {
        return Ok(answer.to_owned());
    }
    let missing = || AppError::usage(format!("{question} is not given"), format!("add {flag}"));
    if !io::stdin().is_terminal() {
        return Err(missing());
    }
    // The question goes to stderr: stdout is data.
    let _ = write!(io::stderr().lock(), "{question}: ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|_| missing())?;
    Some(answer.trim().to_owned())
        .filter(|answer| !answer.is_empty())
        .ok_or_else(missing)
}
