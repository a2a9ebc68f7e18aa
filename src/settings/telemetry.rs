//! `[telemetry]`: where traces are sent.

use url::Url;

use super::section::Section;
use super::value::private_url;

/// `[telemetry]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// The collector that gets traces over OTLP (gRPC); none where absent.
    pub otlp_endpoint: Option<Url>,
}

impl Telemetry {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let endpoint = section.get("otlp_endpoint");
        let otlp_endpoint =
            endpoint.and_then(|field| private_url(&field, "https://collector.corp.example:4317", "traces"));
        section.finish();
        Self { otlp_endpoint }
    }
}
