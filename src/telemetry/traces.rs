//! Traces: each cycle, its phases and the requests in them, sent to a collector over OTLP (gRPC).
//!
//! The spans have a target of their own: logs never show them, and they cost nothing where no collector is set. They hold ids, methods,
//! hosts and statuses; no name of a person, no path, no header, no body.

use std::io;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_otlp::WithTonicConfig;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// The target of all spans.
pub const SPANS: &str = "melonsync::spans";

/// So long the collector may take for what is left when the program ends.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Spans on their way to a collector. What is left is sent when this is dropped.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    /// Carries the connection; the threads that make spans never wait for it.
    _runtime: Runtime,
}

/// Why nothing is sent to the collector.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// No thread for the connection.
    #[error("cannot start the thread that sends traces")]
    Thread(#[source] io::Error),
    /// The exporter does not take the address.
    #[error("cannot send traces to the collector")]
    Exporter(#[from] ExporterBuildError),
}

impl Traces {
    /// Begins to send spans to the collector at this address. A collector that does not answer is tried again with the next
    /// spans; what it missed is lost, and said in the log.
    ///
    /// # Errors
    /// [`TraceError`]
    pub fn start(endpoint: &Url) -> Result<Self, TraceError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()
            .map_err(TraceError::Thread)?;
        let entered = runtime.enter();
        let mut exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint.as_str());
        if endpoint.scheme() == "https" {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
        }
        let who = Resource::builder()
            .with_service_name("melonsync")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter.build()?)
            .with_resource(who)
            .build();
        drop(entered);
        Ok(Self {
            provider,
            _runtime: runtime,
        })
    }

    /// The layer that takes the spans out of the program.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("melonsync"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(Targets::new().with_target(SPANS, LevelFilter::TRACE))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_WORD) {
            tracing::warn!("The collector of traces did not take the last spans: {error}");
        }
    }
}
