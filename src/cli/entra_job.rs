//! `entra-job`: Azure's own provisioning job for the same application: its state, its log, and pausing it for the switch.
//!
//! It needs no state folder: a daemon may run beside it.

use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;
use url::Url;

use super::args::Globals;
use super::args::OneJob;
use super::args::span;
use super::beside;
use super::beside::Question;
use super::beside::Told;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::when;
use crate::app::cycles::NoWatcher;
use crate::app::entra_job;
use crate::app::entra_job::evidence::Vouched;
use crate::app::entra_job::steer;
use crate::app::entra_job::steer::Admin;
use crate::app::entra_job::steer::Usher;
use crate::app::entra_job::verdict::Subject;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::views::entra_job::EntraJobs;
use crate::app::views::entra_verdict::EntraVerdict;
use crate::app::words::Words;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::secret::Secret;
use crate::settings::job::Job;

/// The variable that holds an administrator's access token.
const TOKEN: &str = "ENTRA_ADMIN_TOKEN";

/// `entra-job`.
#[derive(Debug, Clone, Args)]
pub struct EntraJob {
    /// What is asked of Azure's job.
    #[command(subcommand)]
    pub action: EntraJobAction,
}

/// What is asked of Azure's job.
#[derive(Debug, Clone, Subcommand)]
pub enum EntraJobAction {
    /// Show its state: active, paused, in quarantine; its execution; whether it writes. Exit 1 where that cannot be seen.
    Status(OneJob),
    /// Show its provisioning log, newest first.
    Logs(Logs),
    /// Say whether it is safe to switch: twelve lines, each yes, no or cannot tell. Exit 0 only where all are yes, else 10.
    Verdict(Verdict),
    /// Pause it, with your own rights in Entra. What runs goes on to its end.
    Pause(Pause),
    /// Start it again, with your own rights in Entra.
    Resume(Resume),
}

/// `entra-job logs`.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// From this moment on: a day, a moment, or how long ago.
    #[arg(long, value_name = "T", default_value = "24h")]
    pub since: String,
    /// Until this moment; now where absent.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// As many entries at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// `entra-job verdict`.
#[derive(Debug, Clone, Args)]
pub struct Verdict {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// What you vouch for, because no program can see it: `notify` (a notification arrived), `second-token` (Azure's token of the
    /// target is not ours), `differences` (each that is listed is wanted so), `mapping` (it differs on purpose). May be repeated.
    #[arg(long, value_name = "WHAT", value_parser = Vouched::of)]
    pub confirm: Vec<Vouched>,
}

/// How an administrator shows who they are.
#[derive(Debug, Clone, Args)]
pub struct SignIn {
    /// Sign in by the browser of this machine, or by a code where there is none. Else ENTRA_ADMIN_TOKEN is taken.
    #[arg(long)]
    pub login: bool,
    /// The public client that signs you in; Microsoft Graph Command Line Tools where absent.
    #[arg(long, value_name = "ID", requires = "login")]
    pub login_client: Option<uuid::Uuid>,
}

/// `entra-job pause`.
#[derive(Debug, Clone, Args)]
pub struct Pause {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Wait until the execution under way has ended, as two looks in a row show it.
    #[arg(long)]
    pub wait: bool,
    /// How often to look while waiting.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = span, requires = "wait")]
    pub every: Duration,
    /// Who you are.
    #[command(flatten)]
    pub sign_in: SignIn,
}

/// `entra-job resume`.
#[derive(Debug, Clone, Args)]
pub struct Resume {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Who you are.
    #[command(flatten)]
    pub sign_in: SignIn,
}

/// Carries one of them out.
pub fn run(globals: &Globals, action: &EntraJobAction, report: &mut Report) -> Result<Exit, AppError> {
    match action {
        EntraJobAction::Status(args) => status(globals, args, report),
        EntraJobAction::Logs(args) => logs(globals, args, report),
        EntraJobAction::Verdict(args) => verdict(globals, args, report),
        EntraJobAction::Pause(args) => pause(globals, args, report),
        EntraJobAction::Resume(args) => resume(globals, args, report),
    }
}

fn status(globals: &Globals, args: &OneJob, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let shown = process::runtime()?.block_on(entra_job::status(name, job))?;
    report.show(&shown, || shown.words());
    Ok(if shown.problem.is_some() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn logs(globals: &Globals, args: &Logs, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let now = SystemClock.now();
    let since = when::parse("--since", &args.since, now, false)?;
    let until = args
        .until
        .as_deref()
        .map(|until| when::parse("--until", until, now, true));
    let within = (since, until.transpose()?.unwrap_or(now));
    let shown = process::runtime()?.block_on(entra_job::logs(name, job, within, args.limit))?;
    report.show(&shown, || shown.words());
    Ok(Exit::Done)
}

fn verdict(globals: &Globals, args: &Verdict, report: &mut Report) -> Result<Exit, AppError> {
    let (shown, safe) = beside::ask(
        globals,
        || {
            let view = verdict_here(globals, args)?;
            let told = if report.is_json() {
                Told::Document(serde_json::to_value(&view).expect("its keys are texts"))
            } else {
                Told::Words(view.words())
            };
            Ok((told, view.safe))
        },
        |daemon| {
            let job = beside::job(globals, args.job.as_deref())?;
            let path = format!("/jobs/{}/entra-job/verdict", beside::part(&job));
            let confirmed: Vec<&str> = args.confirm.iter().map(|one| one.word()).collect();
            let confirmed = confirmed.join(",");
            let question = || Question::get(path.as_str()).asking(&[("confirm", &confirmed)]);
            let document: serde_json::Value = daemon.asked(question())?;
            let safe = document["safe"] == true;
            let told = if report.is_json() {
                Told::Document(document)
            } else {
                daemon.told(question(), false)?
            };
            Ok((told, safe))
        },
    )?;
    match &shown {
        Told::Document(document) => report.json(document),
        Told::Words(words) => report.text(words),
    }
    Ok(if safe { Exit::Done } else { Exit::Changes })
}

fn verdict_here(globals: &Globals, args: &Verdict) -> Result<EntraVerdict, AppError> {
    let installation = Installation::open(&globals.config)?;
    let name = installation.choose(args.job.as_deref())?;
    let job = installation.job(name, installation.snapshot(name)?)?;
    let subject = Subject {
        settings: &installation.settings,
        job: &job,
        folder: &installation.folder,
        vouched: args.confirm.iter().copied().collect(),
    };
    process::runtime()?.block_on(async {
        let asking = process::asking(Arc::new(NoWatcher));
        entra_job::verdict::verdict(&subject, asking).await
    })
}

fn pause(globals: &Globals, args: &Pause, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, true)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let shown = process::runtime()?.block_on(async {
        let admin = signed_in(name, job, &args.sign_in, report).await?;
        let paused = admin.pause().await?;
        if !args.wait {
            return Ok::<_, AppError>(paused);
        }
        let told = |now: &EntraJobs| {
            if now.writes == "still_running" {
                report.note("Azure's job is paused; waiting for the end of the execution that ran then.");
            }
        };
        admin.until_ended(args.every, told).await
    })?;
    report.show(&shown, || shown.words());
    Ok(Exit::Done)
}

fn resume(globals: &Globals, args: &Resume, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, true)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let shown = process::runtime()?.block_on(async {
        let admin = signed_in(name, job, &args.sign_in, report).await?;
        admin.resume().await
    })?;
    report.show(&shown, || shown.words());
    Ok(Exit::Done)
}

/// The administrator who asks: signed in now, or with the token of the environment.
async fn signed_in(name: &str, job: &Job, args: &SignIn, report: &Report) -> Result<Admin, AppError> {
    entra_job::application(name, job)?;
    let held = std::env::var(TOKEN).ok().filter(|token| !token.trim().is_empty());
    let token = match held {
        _ if args.login => {
            let client = args
                .login_client
                .map_or_else(|| steer::PUBLIC_CLIENT.to_owned(), |id| id.to_string());
            steer::sign_in(job, &client, &Terminal { report }).await?
        }
        Some(token) => Secret::new(token.trim().to_owned()),
        None => {
            return Err(AppError::usage(
                "Azure's job is steered with your own rights in Entra, never with those of the daemon, and you did not say who you are",
                format!("use --login, or set {TOKEN} to an access token for Microsoft Graph"),
            ));
        }
    };
    Admin::new(name, job, token)
}

/// Shows the person at the terminal what to do.
struct Terminal<'r> {
    report: &'r Report,
}

impl Usher for Terminal<'_> {
    fn open(&self, page: &Url) -> bool {
        let opened = browser(page);
        if opened {
            self.report.note(&format!(
                "Sign in with your browser. If it does not open, open this page:\n{page}"
            ));
        }
        opened
    }

    fn show_code(&self, page: &str, code: &str) {
        self.report
            .note(&format!("Open {page} on any device, and enter the code {code}"));
    }
}

/// Opens a page. `BROWSER` names the program; else the desktop's own is asked, where there is a desktop.
fn browser(page: &Url) -> bool {
    let named = std::env::var("BROWSER").ok().filter(|name| !name.is_empty());
    let has_desktop = || {
        ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some())
    };
    let program = match named {
        Some(named) => named,
        None if cfg!(target_os = "macos") => "open".to_owned(),
        None if has_desktop() => "xdg-open".to_owned(),
        None => return false,
    };
    let quiet = Command::new(program)
        .arg(page.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    quiet.is_ok()
}
