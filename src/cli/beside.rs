//! Beside a running daemon: a verb tries the state folder first; where a daemon holds it, the daemon is asked, by its control
//! socket and the API that everybody else uses.
//!
//! Assumption: what the daemon answers is what the verb would have found itself. Both call the same function of `app/`.

mod events;
mod order;
mod question;

use std::fs::File;
use std::io::Seek;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use reqwest::Response;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::actor;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::app::plans;
use crate::app::plans::Form;
use crate::app::plans::Part;
use crate::app::plans::Sheet;
use crate::app::preview::PreviewRequest;
use crate::app::site::CONTROL_SOCKET;
use crate::app::words::Words;

pub(super) use order::Ended;
pub(super) use order::Leaving;
pub(super) use question::Question;
pub(super) use question::part;

/// As long as a daemon that starts is waited for, and how often it is tried.
const STARTS_WITHIN: Duration = Duration::from_secs(5);
const TRIED_EVERY: Duration = Duration::from_millis(100);

/// The header of what the environment claims about its user.
const CLAIMS: &str = "x-melonsync-claims";

/// Does what a verb does: `here` where the state folder is free, `there` where a daemon holds it. `here` takes the folder,
/// and may be tried again.
pub(super) fn ask<T>(
    globals: &Globals,
    mut here: impl FnMut() -> Result<T, AppError>,
    there: impl FnOnce(&Daemon) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let mut refused = match here() {
        Err(refused) if refused.kind == ErrorKind::Held => refused,
        done => return done,
    };
    let daemon = Daemon::of(globals)?;
    let tries = STARTS_WITHIN.as_millis() / TRIED_EVERY.as_millis();
    for _ in 0..tries {
        if daemon.answers() {
            return there(&daemon);
        }
        // It starts still, or it has ended meanwhile.
        std::thread::sleep(TRIED_EVERY);
        refused = match here() {
            Err(refused) if refused.kind == ErrorKind::Held => refused,
            done => return done,
        };
    }
    Err(refused)
}

/// Shows what a verb finds, as it is here or as the daemon tells it.
pub(super) fn answer<V: Serialize + Words>(
    globals: &Globals,
    report: &mut Report,
    here: impl FnMut() -> Result<V, AppError>,
    there: impl FnOnce() -> Result<Question, AppError>,
) -> Result<Exit, AppError> {
    answer_by(globals, report, here, |daemon, report| {
        daemon.told(there()?, report.is_json())
    })
}

/// As [`answer`], where there may be more than one question to the daemon.
pub(super) fn answer_by<V: Serialize + Words>(
    globals: &Globals,
    report: &mut Report,
    mut here: impl FnMut() -> Result<V, AppError>,
    there: impl FnOnce(&Daemon, &Report) -> Result<Told, AppError>,
) -> Result<Exit, AppError> {
    let answer = ask(
        globals,
        || here().map(Answer::Here),
        |daemon| there(daemon, report).map(Answer::There),
    )?;
    match answer {
        Answer::Here(view) => report.show(&view, || view.words()),
        Answer::There(Told::Document(document)) => report.json(&document),
        Answer::There(Told::Words(words)) => report.text(&words),
    }
    Ok(Exit::Done)
}

enum Answer<V> {
    Here(V),
    There(Told),
}

/// What the daemon said: one document, or words.
pub(super) enum Told {
    /// As `-o json` prints it.
    Document(serde_json::Value),
    /// As people read it.
    Words(String),
}

/// The job that is named, or the only one.
pub(super) fn job(globals: &Globals, job: Option<&str>) -> Result<String, AppError> {
    let settings = install::settings(&globals.config, true)?;
    install::choose(&settings, job).map(|(name, _)| name.to_owned())
}

/// The job that stands first among the names, or the only one; and the names that are left.
pub(super) fn job_and_names(globals: &Globals, names: &[String]) -> Result<(String, Vec<String>), AppError> {
    let settings = install::settings(&globals.config, true)?;
    let first = names.first().filter(|name| settings.jobs.contains_key(*name));
    let (job, _) = install::choose(&settings, first.map(String::as_str))?;
    let left = names.iter().skip(usize::from(first.is_some())).cloned();
    Ok((job.to_owned(), left.collect()))
}

/// What our own settings of a job come to: an order, and a question whose answer hangs on them, is refused where the daemon's
/// are others.
pub(super) fn settings_of(globals: &Globals, job: &str) -> Result<String, AppError> {
    let settings = install::settings(&globals.config, true)?;
    let (name, job) = install::choose(&settings, Some(job))?;
    install::digest(&globals.config, name, job, None)
}

/// Our own mapping, filters, scope and policy of a job, to have the daemon show what they would come to. Whoever reads the answer
/// is told that it is one of these.
pub(super) fn own_rules(globals: &Globals, job: &str, report: &Report) -> Result<PreviewRequest, AppError> {
    let own = PreviewRequest::own(&globals.config, job)?;
    report.note(&format!(
        "{} is not what the daemon runs job `{job}` with: shown is what would be done by its mapping, filters, scope and policy. \
         Everything else is the daemon's, and nothing of it is in force before a reload.",
        globals.config.display()
    ));
    Ok(own)
}

/// True where the daemon refused a question because its settings are others.
pub(super) fn is_of_other_settings<T>(answer: &Result<T, AppError>) -> bool {
    matches!(answer, Err(refused) if refused.kind == ErrorKind::OtherSettings)
}

/// Where something is written, as the daemon notes it.
pub(super) fn place(out: &Path) -> String {
    let whole = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    whole.display().to_string()
}

/// The header with what is to be known of a stream beside its content.
const COUNT: &str = "x-melonsync-count";

/// The header with the head of the history that a backup ends with.
const HISTORY: &str = "x-melonsync-history";

/// A stream that came from the daemon.
pub(super) struct Fetched {
    /// From its beginning on.
    pub(super) file: File,
    /// What its header counts.
    pub(super) count: u64,
    /// The head of the history that it ends with, where that is said.
    pub(super) history: Option<String>,
}

/// The daemon, as a verb meets it.
pub(super) struct Daemon {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    socket: PathBuf,
}

/// As much of a problem document as is needed to show it as if it had happened here.
#[derive(Deserialize)]
struct Problem {
    kind: ErrorKind,
    errors: Vec<ErrorText>,
}

impl Daemon {
    fn of(globals: &Globals) -> Result<Self, AppError> {
        let settings = install::settings(&globals.config, true)?;
        let socket = settings.state.path.join(CONTROL_SOCKET);
        // Its own: nothing of the outside is asked here, so neither proxies nor certificates matter.
        let http = reqwest::Client::builder()
            .unix_socket(socket.as_path())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| unanswered(&cause))?;
        Ok(Self {
            runtime: process::runtime()?,
            http,
            socket,
        })
    }

    fn answers(&self) -> bool {
        std::os::unix::net::UnixStream::connect(&self.socket).is_ok()
    }

    /// Puts a question, and gives back what is said: a document where `json`, else words.
    pub(super) fn told(&self, question: Question, json: bool) -> Result<Told, AppError> {
        let kind = if json { "application/json" } else { "text/plain" };
        self.runtime.block_on(async {
            let answer = self.send(self.put(question).header(ACCEPT, kind)).await?;
            if json {
                return document(answer).await.map(Told::Document);
            }
            let words = answer.text().await.map_err(|cause| unanswered(&cause))?;
            Ok(Told::Words(words))
        })
    }

    /// Puts a question whose answer is read here.
    pub(super) fn asked<T: DeserializeOwned>(&self, question: Question) -> Result<T, AppError> {
        self.runtime.block_on(self.asked_async(question))
    }

    async fn asked_async<T: DeserializeOwned>(&self, question: Question) -> Result<T, AppError> {
        document(self.send(self.put(question)).await?).await
    }

    /// Puts a question whose answer is a stream, which is kept in a temporary file.
    pub(super) fn fetched(&self, question: Question) -> Result<Fetched, AppError> {
        self.runtime.block_on(async {
            let mut answer = self.send(self.put(question)).await?;
            let header = |name| {
                let value = answer.headers().get(name)?.to_str().ok()?;
                Some(value.to_owned())
            };
            let (count, history) = (header(COUNT), header(HISTORY));
            let count = count.and_then(|count| count.parse().ok()).unwrap_or_default();
            let mut file = tempfile::tempfile().map_err(|error| plans::temporary(&error))?;
            while let Some(chunk) = answer.chunk().await.map_err(|cause| unanswered(&cause))? {
                file.write_all(&chunk).map_err(|error| plans::temporary(&error))?;
            }
            file.rewind().map_err(|error| plans::temporary(&error))?;
            Ok(Fetched { file, count, history })
        })
    }

    /// The plan of a cycle, in each of these forms.
    pub(super) fn sheets(&self, cycle: &str, forms: &[Form]) -> Result<Vec<Sheet>, AppError> {
        let part = |form: Form, part: &str| {
            let question = Question::get(format!("/cycles/{cycle}/plan"));
            let fetched = self.fetched(question.asking(&[("format", form.word()), ("part", part)]))?;
            Ok::<_, AppError>(Part::of(fetched.file))
        };
        let sheet = |form: &Form| {
            Ok(Sheet {
                form: *form,
                operations: part(*form, "operations")?,
                omitted: part(*form, "omitted")?,
            })
        };
        forms.iter().map(sheet).collect()
    }

    fn put(&self, question: Question) -> reqwest::RequestBuilder {
        let request = self.request(question.method, &question.path);
        match question.body {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let claims = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(actor::claims())
            .finish();
        // The host is of no meaning on a socket of our own.
        let url = format!("http://melonsync/api/v1{path}");
        self.http.request(method, url).header(CLAIMS, claims)
    }

    /// Sends it; a problem is the error that it describes.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, AppError> {
        let answer = request.send().await.map_err(|cause| unanswered(&cause))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let problem: Problem = document(answer).await?;
        Err(AppError {
            kind: problem.kind,
            errors: problem.errors,
        })
    }
}

async fn document<T: DeserializeOwned>(answer: Response) -> Result<T, AppError> {
    let text = answer.bytes().await.map_err(|cause| unanswered(&cause))?;
    serde_json::from_slice(&text).map_err(|cause| not_understood(&cause))
}

fn unanswered(cause: &reqwest::Error) -> AppError {
    let mut shown = ErrorText::of(cause);
    shown.what = "the daemon did not answer to its end".to_owned();
    AppError::new(
        ErrorKind::Failed,
        shown.advise(
            "look at its log; where it runs, what was ordered goes on there, and `melonsync status` shows it",
        ),
    )
}

fn not_understood(cause: &serde_json::Error) -> AppError {
    let shown = ErrorText {
        what: "the daemon's answer is not understood".to_owned(),
        causes: vec![cause.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown
            .advise("use the same version of melonsync as the daemon's; restart the daemon after an upgrade"),
    )
}
