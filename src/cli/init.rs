//! `melonsync init`: writes a commented settings file. What it writes loads; that is checked before writing.

mod asked;
mod wizard;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
};

use crate::files::NewFile;
use crate::settings::Settings;

pub use asked::Answers;
pub use asked::Guests;
pub use asked::Init;
pub use asked::Kind;
pub use asked::Scope;
pub use asked::Secrets;

use asked::word;

use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::check;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::tenant;

const TEMPLATE: &str = include_str!("init.toml");
/// Every key, its default, and why one would change it.
const EXAMPLE: &str = include_str!("../../config/example.toml");

pub(super) fn run(globals: &Globals, args: &Init, report: &mut Report) -> Result<Exit, AppError> {
    if args.example {
        report.script(EXAMPLE);
        return Ok(Exit::Done);
    }
    let path = &globals.config;
    if path.symlink_metadata().is_ok() && !args.force {
        return Err(AppError::usage(
            format!("{} is there already", path.display()),
            "name another file with --config, or overwrite it with --force",
        ));
    }
    let answers = answers(args)?;
    let text = render(&answers);
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
        report.text(&written(path, &answers));
    }
    Ok(Exit::Done)
}

/// What was written, what the app registration needs for it, and what comes next.
fn written(path: &Path, answers: &Answers) -> String {
    let mut text = format!(
        "Wrote {}.\n\nThe app registration needs these application permissions of Microsoft Graph, with admin consent:\n",
        path.display()
    );
    for (name, purpose) in check::permissions_for(answers.service_principal_id.is_some()) {
        text += &format!("  {name:<22}  {purpose}\n");
    }
    text += match answers.secrets {
        Secrets::Env => {
            "\nPut its client secret into ENTRA_CLIENT_SECRET, and the target's token into IDMELON_SCIM_TOKEN.\n"
        }
        Secrets::File => {
            "\nPut its client secret, and the target's token, into the two files that the config names.\n"
        }
    };
    let config = match path == Path::new("config/melonsync.toml") {
        true => String::new(),
        false => format!("-c {} ", path.display()),
    };
    text += "Then:\n";
    for (verb, what) in [
        ("check", "is everything reachable and permitted?"),
        ("plan", "what would be done, and why; writes nothing"),
        ("sync", "one cycle; it writes only with mode = \"enforce\""),
    ] {
        text += &format!("  melonsync {config}{verb:<6}  {what}\n");
    }
    text
}

/// The settings file with these answers.
#[must_use]
pub fn render(answers: &Answers) -> String {
    // The answers are written as TOML texts, so that no quote in one of them breaks out of its line.
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let secret = |variable: &str, file: &str| match answers.secrets {
        Secrets::Env => format!("{{ env = \"{variable}\" }}"),
        Secrets::File => format!("{{ file = \"{file}\" }}   # beside this file; for its owner alone"),
    };
    let (scope, application) = match &answers.service_principal_id {
        None => (
            "all",
            "# service_principal_id = \"…\"      # for scope = \"assigned\"".to_owned(),
        ),
        Some(id) => ("assigned", format!("service_principal_id = {}", quoted(id))),
    };
    TEMPLATE
        .replace("\"@scope@\"", &quoted(scope))
        .replace("@service_principal_id@", &application)
        .replace("\"@guests@\"", &quoted(&word(&answers.guests)))
        .replace(
            "@client_secret@",
            &secret("ENTRA_CLIENT_SECRET", "entra-client-secret"),
        )
        .replace("@token@", &secret("IDMELON_SCIM_TOKEN", "scim-token"))
        .replace("\"@tenant_id@\"", &quoted(&answers.tenant_id))
        .replace("\"@client_id@\"", &quoted(&answers.client_id))
        .replace("\"@kind@\"", &quoted(&word(&answers.kind)))
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

/// The variable over the key of the job that is written: where somebody signs in, and a domain is looked up.
const LOGIN_URL: &str = "MELONSYNC__JOBS__IDMELON__SOURCE__LOGIN_URL";

fn tenant_of(domain: &str) -> Result<String, AppError> {
    let setting = LOGIN_URL;
    let login = std::env::var(setting).ok().map(|url| url.parse()).transpose();
    let login = login.map_err(|_| {
        AppError::usage(
            format!("{setting} is not an address"),
            format!("correct the variable {setting}"),
        )
    })?;
    process::runtime()?.block_on(tenant::tenant_of(login, domain))
}

fn answers(args: &Init) -> Result<Answers, AppError> {
    // Questions go to stderr: stdout is data.
    let mut dialogue = wizard::Dialogue {
        input: io::stdin().lock(),
        output: io::stderr().lock(),
        tenant_of,
        asks: io::stdin().is_terminal(),
    };
    dialogue.answers(args)
}
