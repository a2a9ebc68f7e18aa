//! The request that an error is about, as fields: metrics, problem documents and JSON need them, and should not have to
//! parse a sentence.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::Error;
use utoipa::ToSchema;

/// One request and its answer. It holds no query, no body and no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Exchange {
    /// HTTP method.
    #[schema(value_type = String)]
    pub method: &'static str,
    /// Path, below the base URL at a target; without a query, which may hold tokens and values.
    pub path: String,
    /// The status of the answer; `None` where none came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The id that the service gave the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The methods that are sent.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// An exchange as another process writes it.
#[derive(Deserialize)]
struct Received {
    method: String,
    path: String,
    status: Option<u16>,
    request_id: Option<String>,
}

impl<'de> Deserialize<'de> for Exchange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let received = Received::deserialize(from)?;
        let known = METHODS.into_iter().find(|method| *method == received.method);
        let unknown = || D::Error::custom(format!("unknown method `{}`", received.method));
        Ok(Self {
            method: known.ok_or_else(unknown)?,
            path: received.path,
            status: received.status,
            request_id: received.request_id,
        })
    }
}

/// What happened, as a text, and the exchange in which it happened, where there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct What {
    text: Box<str>,
    exchange: Option<Box<Exchange>>,
}

impl What {
    /// Builds the text of what happened in this exchange.
    #[must_use]
    pub fn of(text: impl Into<Box<str>>, exchange: Exchange) -> Self {
        Self {
            text: text.into(),
            exchange: Some(Box::new(exchange)),
        }
    }

    /// Returns the exchange, or `None` where nothing was sent, or where several requests are meant.
    #[must_use]
    pub fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }

    /// Returns the same exchange with another text.
    #[must_use]
    pub fn reworded(&self, text: impl Into<Box<str>>) -> Self {
        Self {
            text: text.into(),
            exchange: self.exchange.clone(),
        }
    }
}

/// Builds a text without an exchange: nothing was sent, or several requests are meant.
impl<T: Into<Box<str>>> From<T> for What {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            exchange: None,
        }
    }
}

impl Deref for What {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
