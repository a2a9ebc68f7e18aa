//! The text that Prometheus reads, from values that are there.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::ports::Spread;

/// What every name begins with.
const PREFIX: &str = "melonsync";

type Labels = Vec<(&'static str, String)>;

/// A metric and its values.
#[derive(Debug)]
pub(super) struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    rows: Vec<(Labels, Value)>,
}

#[derive(Debug)]
enum Value {
    Count(u64),
    Gauge(f64),
    Times(Spread),
}

impl Metric {
    const fn new(name: &'static str, help: &'static str, kind: MetricType) -> Self {
        Self {
            name,
            help,
            kind,
            rows: Vec::new(),
        }
    }

    /// Counts; its name gets `_total`.
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Counter)
    }

    /// Goes up and down.
    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Gauge)
    }

    /// Times.
    pub(super) const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Histogram)
    }

    /// Adds a value of a gauge.
    pub(super) fn value<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: f64) {
        self.rows.push((owned(labels), Value::Gauge(value)));
    }

    /// Adds a value of a counter.
    pub(super) fn count<const N: usize>(&mut self, labels: [(&'static str, &str); N], count: u64) {
        self.rows.push((owned(labels), Value::Count(count)));
    }

    /// Adds times.
    pub(super) fn spread<const N: usize>(&mut self, labels: [(&'static str, &str); N], times: &Spread) {
        self.rows.push((owned(labels), Value::Times(times.clone())));
    }
}

fn owned<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    labels.map(|(name, value)| (name, value.to_owned())).into()
}

/// All of them.
#[derive(Debug)]
struct Page(Vec<Metric>);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in &self.0 {
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
            for (labels, value) in &metric.rows {
                let mut row = family.encode_family(labels)?;
                match value {
                    Value::Count(count) => row.encode_counter::<NoLabelSet, _, u64>(count, None)?,
                    Value::Gauge(value) => row.encode_gauge(value)?,
                    Value::Times(times) => {
                        row.encode_histogram::<NoLabelSet>(
                            times.seconds(),
                            times.count(),
                            &times.buckets(),
                            None,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Their text.
pub(super) fn text(metrics: Vec<Metric>) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Page(metrics)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("a text takes all of it");
    text
}
