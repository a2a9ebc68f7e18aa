//! The receivers of the settings, with their addresses read and their clients made.

use std::sync::Arc;
use std::time::Duration;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::model::clock::SystemClock;
use crate::model::secret::Secret;
use crate::notify::queue::Queue;
use crate::notify::receiver;
use crate::notify::receiver::Form;
use crate::notify::receiver::LIMIT_SECONDS;
use crate::notify::receiver::Way;
use crate::settings::Network;
use crate::settings::Settings;
use crate::settings::notify::Format;
use crate::settings::notify::Receiver;
use crate::settings::notify::Way as Written;
use crate::settings::secret::SecretSource;
use crate::transport::HttpClient;
use crate::transport::NetworkOptions;

/// A receiver that can be sent to.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its name on every surface: the format and where its address stands, or the program.
    pub label: String,
    /// How it is reached.
    pub way: Way,
    /// What stands in the settings about it.
    pub written: Receiver,
    /// How the network is reached.
    network: Network,
}

impl Ready {
    /// Returns true for the same receiver, with the same secrets, reached in the same way.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.label == other.label
            && self.written == other.written
            && self.network == other.network
            && self.way.is(&other.way)
    }
}

/// Makes every receiver of the settings ready.
///
/// # Errors
/// A usage error where a secret cannot be read, or an address is neither https nor loopback.
pub fn ready(settings: &Settings) -> Result<Vec<Ready>, AppError> {
    if settings.notify.is_empty() {
        return Ok(Vec::new());
    }
    let options = NetworkOptions {
        request_timeout: Duration::from_secs(LIMIT_SECONDS),
        ..install::network(&settings.network)
    };
    let client = HttpClient::new(&options).map_err(|error| {
        let advice = "check `ca_file` and `proxy` under [network]";
        AppError::new(ErrorKind::Usage, ErrorText::of(&error).advise(advice))
    })?;
    let numbered = settings.notify.iter().enumerate();
    numbered
        .map(|(index, written)| {
            let label = label(index, written);
            let way = way(&label, written, &client)?;
            Ok(Ready {
                label,
                way,
                written: written.clone(),
                network: settings.network.clone(),
            })
        })
        .collect()
}

/// Starts the queue of a receiver.
#[must_use]
pub fn start(ready: &Ready) -> Queue {
    Queue::start(ready.label.clone(), ready.way.clone(), Arc::new(SystemClock))
}

/// Names a receiver without its address.
fn label(index: usize, written: &Receiver) -> String {
    let number = index + 1;
    match &written.way {
        Written::Command { program, .. } => format!("receiver {number} (command {})", program.display()),
        Written::Post { url, format, .. } => {
            let format = match format {
                Format::Json => "json",
                Format::Teams => "teams",
                Format::Slack => "slack",
            };
            format!("receiver {number} ({format}, {url})")
        }
    }
}

fn way(label: &str, written: &Receiver, client: &HttpClient) -> Result<Way, AppError> {
    match &written.way {
        Written::Command { program, arguments } => Ok(Way::Command {
            program: program.clone(),
            arguments: arguments.clone(),
        }),
        Written::Post { url, format, secret } => {
            let url = read(label, url)?;
            receiver::address(&url).map_err(|error| {
                let what = format!("{label}: {error}");
                AppError::usage(what, error.hint())
            })?;
            let form = match format {
                Format::Teams => Form::Teams,
                Format::Slack => Form::Slack,
                Format::Json => Form::Json(secret.as_ref().map(|secret| read(label, secret)).transpose()?),
            };
            Ok(Way::Post {
                client: client.clone(),
                url,
                form,
            })
        }
    }
}

fn read(label: &str, secret: &SecretSource) -> Result<Secret, AppError> {
    secret.read().map_err(|error| {
        let what = format!("{label}: {error}");
        AppError::usage(what, error.hint())
    })
}
