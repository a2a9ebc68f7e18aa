//! `mapping`: the mapping in force shown, one expression tried, Entra's own schema carried over. Talks to nobody.

mod text;

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value as Json;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::mapping;
use crate::app::mapping::import;
use crate::app::mapping::person;
use crate::app::mapping::person::TestRequest;
use crate::app::mapping::show;
use crate::app::words::Words;
use crate::files;

/// `mapping`.
#[derive(Debug, Clone, Args)]
pub struct Mapping {
    /// What to do with the mapping.
    #[command(subcommand)]
    pub action: MappingAction,
}

/// What to do with the mapping.
#[derive(Debug, Clone, Subcommand)]
pub enum MappingAction {
    /// Show the mapping in force, its scope, and what is read for both.
    Show {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// As the file that it is: to be copied and changed.
        #[arg(long)]
        toml: bool,
    },
    /// Evaluate one expression.
    Test {
        /// The expression, as a row's `source` has it; in single quotes for the shell.
        #[arg(value_name = "EXPR", allow_hyphen_values = true)]
        expression: String,
        /// The attributes to evaluate it with, a JSON object or @FILE; what is not in it is null.
        #[arg(long, value_name = "JSON")]
        attributes: Option<String>,
        /// The user or group whose attributes it is evaluated with, as the source last said them.
        #[arg(long, value_name = "OBJECT")]
        user: Option<String>,
        /// The job; may be left out where there is one.
        #[arg(long, value_name = "NAME", requires = "user")]
        job: Option<String>,
    },
    /// Turn an Entra synchronization schema into a mapping file, and name what it could not carry over.
    ImportEntra {
        /// The JSON of a `schema` resource, or of a whole synchronizationJob; - for standard input.
        file: PathBuf,
        /// Write the mapping file here; to standard output where absent. Must not exist.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// A mapping as its file.
#[derive(Serialize)]
struct MappingFile {
    toml: String,
}

/// Carries out one of them.
pub fn run(globals: &Globals, action: &MappingAction, report: &mut Report) -> Result<Exit, AppError> {
    match action {
        MappingAction::Show { job, toml } => {
            let settings = install::settings(&globals.config, true)?;
            let (name, job) = install::choose(&settings, job.as_deref())?;
            if *toml {
                let text = install::mapping_file(&globals.config, &job.provisioning.mapping)?;
                let file = MappingFile { toml: text };
                if report.is_json() {
                    report.json(&file);
                } else {
                    report.script(&file.toml);
                }
                return Ok(Exit::Done);
            }
            let mapping = install::mapping(&globals.config, &job.provisioning.mapping)?;
            let mapping = install::with_ways_back(name, job, mapping)?;
            let view = show::show(name, &mapping, &job.source.rules);
            report.show(&view, || view.words());
        }
        MappingAction::Test {
            expression,
            attributes,
            user,
            job,
        } => {
            let attributes = attributes_of(attributes.as_deref())?;
            if user.is_some() {
                let wanted = TestRequest {
                    expression: expression.clone(),
                    attributes,
                    user: user.clone(),
                };
                return of_somebody(globals, job.as_deref(), &wanted, report);
            }
            let tried = mapping::test(expression, &attributes)?;
            report.show(&tried, || tried.words());
        }
        MappingAction::ImportEntra { file, out } => carry_over(file, out.as_deref(), report)?,
    }
    Ok(Exit::Done)
}

/// Evaluates an expression for somebody in the snapshot.
fn of_somebody(
    globals: &Globals,
    job: Option<&str>,
    wanted: &TestRequest,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let here = || {
        let desk = Desk::open_job(&globals.config, job, Actor::local_user())?;
        person::test(&desk, wanted)
    };
    let there = || {
        let job = beside::job(globals, job)?;
        let path = format!("/jobs/{}/mapping/test", beside::part(&job));
        Ok(Question::post(path, wanted))
    };
    beside::answer(globals, report, here, there)
}

fn carry_over(file: &Path, out: Option<&Path>, report: &mut Report) -> Result<(), AppError> {
    let schema = read(file, "the schema")?;
    let mut imported = import::import(&schema, &file.display().to_string())?;
    if let Some(out) = out {
        imported.write(out)?;
    }
    let summary = text::imported(&imported);
    // Without a file to write, the mapping itself is the result; what is to be said about it goes beside it.
    report.show(&imported, || match &imported.file {
        Some(out) => format!("Wrote {out}: {summary}"),
        None => imported.mapping.clone(),
    });
    if !report.is_json() && imported.file.is_none() {
        report.note(&summary);
    }
    Ok(())
}

/// The attributes to try with: a JSON object, or `@FILE` that holds one.
fn attributes_of(given: Option<&str>) -> Result<Map<String, Json>, AppError> {
    let Some(given) = given else {
        return Ok(Map::new());
    };
    let text = match given.strip_prefix('@') {
        Some(file) => read(Path::new(file), "the attributes")?,
        None => given.to_owned(),
    };
    let wrong = |what: String| {
        let advice = "write it as in --attributes '{\"givenName\": \"Ada\", \"accountEnabled\": true}'";
        AppError::usage(what, advice)
    };
    match serde_json::from_str(&text) {
        Ok(Json::Object(attributes)) => Ok(attributes),
        Ok(_) => Err(wrong("--attributes is no JSON object".to_owned())),
        Err(error) => Err(wrong(format!("--attributes is not JSON: {error}"))),
    }
}

/// Entra's own schema of a large application is a few hundred KiB.
const LARGEST: u64 = 16 << 20;

/// A file's text; `-` is standard input.
fn read(file: &Path, what: &str) -> Result<String, AppError> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        files::read_text(file, LARGEST)
    };
    read.map_err(|error| {
        let what = format!("cannot read {what} from {}", file.display());
        let mut failure = AppError::usage(what, "name a file, or `-` for standard input");
        failure.errors[0].causes = vec![error.to_string()];
        failure
    })
}
