//! The spans of requests, for traces: method, host and status. A path may hold a name, and is left out.

use reqwest::Request;
use tracing::Span;
use tracing::field::Empty;
use tracing::trace_span;

use crate::telemetry::traces::SPANS;

/// The span of a request that is about to go out. The names are OpenTelemetry's for HTTP clients.
pub(super) fn request(request: &Request) -> Span {
    let (method, host) = (
        request.method().as_str(),
        request.url().host_str().unwrap_or_default(),
    );
    trace_span!(
        target: SPANS,
        "request",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        server.address = host,
        http.response.status_code = Empty,
    )
}

/// Notes how it ended; no status where there was no whole answer.
pub(super) fn answered(span: &Span, status: Option<u16>) {
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    if status.is_none_or(|status| status >= 400) {
        span.record("otel.status_code", "error");
    }
}
