//! One receiver: a delivery with its limits.
//!
//! Ten seconds a try, three tries, no redirects; the answer's body is never shown, because it may repeat the address,
//! which is the secret. An address is https, or http on loopback where the settings say so literally.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use url::Host;

use super::message::Message;
use super::message::signature;
use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::transport::HttpClient;
use crate::transport::TransportError;

/// The form of a POST.
#[derive(Debug, Clone)]
pub enum Form {
    /// Our own JSON, signed where there is a key.
    Json(Option<Secret>),
    /// A card for a Teams workflow.
    Teams,
    /// A message for a Slack webhook.
    Slack,
}

impl Form {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Json(Some(key)), Self::Json(Some(other))) => key.expose() == other.expose(),
            (Self::Json(None), Self::Json(None))
            | (Self::Teams, Self::Teams)
            | (Self::Slack, Self::Slack) => true,
            (Self::Json(_) | Self::Teams | Self::Slack, _) => false,
        }
    }
}

/// How a receiver is reached.
#[derive(Debug, Clone)]
pub enum Way {
    /// A POST to this address.
    Post {
        /// The client.
        client: HttpClient,
        /// The address, which is a secret.
        url: Secret,
        /// The form.
        form: Form,
    },
    /// A program, with the JSON body on its standard input.
    Command {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// Why a delivery failed. It holds nothing of the address and nothing of an answer's body.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// The address cannot be used.
    #[error("its address {0}")]
    Address(&'static str),
    /// No answer.
    #[error("no answer")]
    Transport(#[source] TransportError),
    /// An answer that is no 2xx.
    #[error("answered {0}")]
    Status(u16),
    /// The program could not be run.
    #[error("cannot run {program}")]
    Program {
        /// The program.
        program: PathBuf,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// The program did not end in time, and was ended.
    #[error("{0} did not end within {LIMIT_SECONDS} s")]
    TooLong(PathBuf),
    /// The program failed.
    #[error("{program} ended with {status}")]
    Ended {
        /// The program.
        program: PathBuf,
        /// How.
        status: std::process::ExitStatus,
    },
}

impl Undelivered {
    /// Returns what to do.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Address(_) => "put an https address there (http only on a loopback address)",
            Self::Transport(_) => "check the address, the network and [network] of the settings",
            Self::Status(401 | 403 | 404 | 410) => {
                "the receiver does not know this address any more: make a new one there, and put it into the secret"
            }
            Self::Status(_) => "look at the receiver's own log",
            Self::Program { .. } => "check the path, and that melonsync's user may run it",
            Self::TooLong(_) | Self::Ended { .. } => {
                "run the program by hand with a JSON body on its standard input"
            }
        }
    }

    /// Returns the wait that the receiver asks for, or none where another try is of no use.
    const fn again(&self, tried: u32) -> Option<Duration> {
        match self {
            Self::Transport(_) | Self::Status(408 | 429 | 500..) if tried < TRIES => {
                Some(Duration::from_secs(2u64.pow(tried)))
            }
            _ => None,
        }
    }
}

/// The longest time for one try, in seconds.
pub const LIMIT_SECONDS: u64 = 10;

/// As often a message is sent.
const TRIES: u32 = 3;

/// The longest wait that a receiver may ask for between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The variables that a program gets. The others may be secrets.
const VARIABLES: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Checks the address.
///
/// # Errors
/// [`Undelivered::Address`] for one that is neither https nor loopback.
pub fn address(url: &Secret) -> Result<Url, Undelivered> {
    let url = Url::parse(url.expose().trim()).map_err(|_| Undelivered::Address("is not a URL"))?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => return Err(Undelivered::Address("has no host")),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(Undelivered::Address("is not https")),
    }
}

impl Way {
    /// Returns true where the other one leads to the same place with the same secrets.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Post { url, form, .. },
                Self::Post {
                    url: to, form: with, ..
                },
            ) => url.expose() == to.expose() && form.is(with),
            (
                Self::Command { program, arguments },
                Self::Command {
                    program: other,
                    arguments: with,
                },
            ) => program == other && arguments == with,
            (Self::Post { .. }, Self::Command { .. }) | (Self::Command { .. }, Self::Post { .. }) => false,
        }
    }

    /// Delivers a message, with up to three tries.
    ///
    /// # Errors
    /// What the last try met.
    pub async fn deliver(&self, message: &Message, clock: &dyn Clock) -> Result<(), Undelivered> {
        for tried in 1.. {
            let (failed, asked) = match self.try_once(message, clock).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let Some(wait) = failed.again(tried) else {
                return Err(failed);
            };
            tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
        }
        unreachable!("the last try returns")
    }

    async fn try_once(
        &self,
        message: &Message,
        clock: &dyn Clock,
    ) -> Result<(), (Undelivered, Option<Duration>)> {
        match self {
            Self::Post { client, url, form } => post(client, url, form, message, clock).await,
            Self::Command { program, arguments } => run(program, arguments, &message.json())
                .await
                .map_err(|failed| (failed, None)),
        }
    }
}

async fn post(
    client: &HttpClient,
    url: &Secret,
    form: &Form,
    message: &Message,
    clock: &dyn Clock,
) -> Result<(), (Undelivered, Option<Duration>)> {
    let url = address(url).map_err(|failed| (failed, None))?;
    let body = match form {
        Form::Json(_) => message.json(),
        Form::Teams => message.teams(),
        Form::Slack => message.slack(),
    };
    let mut request = client
        .builder()
        .post(url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8");
    if let Form::Json(Some(secret)) = form {
        request = request.header("X-Melonsync-Signature", signature(secret, &body));
    }
    let request = request
        .body(body)
        .build()
        .map_err(|_| (Undelivered::Address("cannot be requested"), None))?;
    match client.send(request).await {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => {
            let asked = answer.retry_after(clock.now());
            Err((Undelivered::Status(answer.status.as_u16()), asked))
        }
        Err(error) => Err((Undelivered::Transport(error), None)),
    }
}

async fn run(program: &PathBuf, arguments: &[String], body: &str) -> Result<(), Undelivered> {
    let unable = |cause| Undelivered::Program {
        program: program.clone(),
        cause,
    };
    let variables = VARIABLES
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(unable)?;
    let input = child.stdin.take();
    let whole = async {
        if let Some(mut input) = input {
            // A program that does not read its input is free to; what it ends with counts.
            let _ = input.write_all(body.as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(Duration::from_secs(LIMIT_SECONDS), whole).await {
        Err(_) => Err(Undelivered::TooLong(program.clone())),
        Ok(Err(cause)) => Err(unable(cause)),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Undelivered::Ended {
            program: program.clone(),
            status,
        }),
    }
}
