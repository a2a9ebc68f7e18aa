//! Answers: a view as JSON, or, with `Accept: text/plain`, in the words that a command prints.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header::ACCEPT;
use axum::http::header::CONTENT_LENGTH;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

use super::problem::Problem;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::plans;
use crate::app::words::Words;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;

/// The form that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A document.
    Json,
    /// Words for people.
    Words,
    /// Events.
    Stream,
}

impl Form {
    /// What the request accepts; a document where it does not say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        match accept {
            Some(accept) if accept.contains("text/event-stream") => Self::Stream,
            Some(accept) if accept.trim_start().starts_with("text/plain") => Self::Words,
            _ => Self::Json,
        }
    }
}

/// Asks the store on a thread that may block, and answers with what it gives.
pub(super) async fn view<V, F>(headers: &HeaderMap, ask: F) -> Result<Response, Problem>
where
    V: Serialize + Words + Send + 'static,
    F: FnOnce() -> Result<V, AppError> + Send + 'static,
{
    shown(Form::of(headers), ask).await
}

/// As [`view`], in a form that is known.
pub(super) async fn shown<V, F>(form: Form, ask: F) -> Result<Response, Problem>
where
    V: Serialize + Words + Send + 'static,
    F: FnOnce() -> Result<V, AppError> + Send + 'static,
{
    // The words are put together there too: they may look names up.
    let text = blocking(move || {
        let view = ask()?;
        Ok(match form {
            Form::Words => shown_lines(&view.words()).into_owned(),
            Form::Json | Form::Stream => document(&view),
        })
    });
    Ok(of(form, text.await?))
}

/// A call that may block, elsewhere.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, AppError> + Send + 'static,
) -> Result<T, AppError> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|broken| {
        let shown = ErrorText {
            what: "the question broke off by a fault of this program".to_owned(),
            causes: vec![broken.to_string()],
            ..ErrorText::default()
        };
        Err(AppError::new(
            ErrorKind::Failed,
            shown.advise("report this with the daemon's log"),
        ))
    })
}

/// A document as text.
pub(super) fn document(view: &impl Serialize) -> String {
    let text = serde_json::to_string(view).expect("its keys are texts");
    shown_json(&text).into_owned()
}

/// A text as an answer.
pub(super) fn of(form: Form, text: String) -> Response {
    let kind = match form {
        Form::Words => "text/plain; charset=utf-8",
        Form::Json | Form::Stream => "application/json",
    };
    let mut response = text.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The header with what is to be known of a stream beside its content.
const COUNT: HeaderName = HeaderName::from_static("x-melonsync-count");

/// The header with the head of the history that a backup ends with.
pub(super) const HISTORY: HeaderName = HeaderName::from_static("x-melonsync-history");

/// As much of a file as is read at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// A file as an answer, read as it is taken: a slow reader takes no thread.
pub(super) fn file(kind: &'static str, file: File, count: u64) -> Result<Response, AppError> {
    let length = file.metadata().map_err(|error| plans::temporary(&error))?.len();
    let parts = futures::stream::try_unfold((Arc::new(file), 0), |(file, at)| async move {
        let from = Arc::clone(&file);
        let read = move || -> io::Result<Vec<u8>> {
            let mut chunk = vec![0; CHUNK];
            let read = from.read_at(&mut chunk, at)?;
            chunk.truncate(read);
            Ok(chunk)
        };
        let chunk = tokio::task::spawn_blocking(read)
            .await
            .map_err(io::Error::other)??;
        let next = at + chunk.len() as u64;
        Ok::<_, io::Error>((!chunk.is_empty()).then_some((chunk, (file, next))))
    });
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(COUNT, HeaderValue::from(count));
    Ok(response)
}
