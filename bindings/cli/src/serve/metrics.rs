//! [`Metrics`], what the server counts, in Prometheus' text format.

use super::stores::ProjectStores;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRequest {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfOperation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfProject {
    project: String,
}

pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    seconds: Family<OfOperation, Histogram>,
    connections: Family<OfProject, Gauge>,
    profiles: Family<OfProject, Gauge>,
    changes: Family<OfProject, Gauge>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("connectory");
        let mut metrics = Self {
            requests: Family::default(),
            // 50 microseconds to 1.6 seconds.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_05, 2.0, 16))
            }),
            connections: Family::default(),
            profiles: Family::default(),
            changes: Family::default(),
            registry: Registry::default(),
        };
        register(&mut registry, "requests", "Requests, by operation and status", &metrics.requests);
        register(&mut registry, "request_seconds", "Time to answer", &metrics.seconds);
        register(&mut registry, "connections", "Connections of a project", &metrics.connections);
        register(&mut registry, "profiles", "Profiles of a project", &metrics.profiles);
        register(&mut registry, "changes", "Changes of a project so far", &metrics.changes);
        metrics.registry = registry;
        metrics
    }

    pub(crate) fn count(&self, operation: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&OfRequest { operation, status }).inc();
        self.seconds.get_or_create(&OfOperation { operation }).observe(took.as_secs_f64());
    }

    /// Everything, with what the stores hold at this moment.
    pub(crate) fn render(&self, stores: &ProjectStores) -> Result<String, std::fmt::Error> {
        for (project, store) in stores.opened() {
            let Ok(stats) = store.stats() else { continue };
            for (family, value) in [
                (&self.connections, stats.connections),
                (&self.profiles, stats.profiles),
                (&self.changes, stats.last_change),
            ] {
                let of = OfProject { project: project.clone() };
                family.get_or_create(&of).set(i64::try_from(value).unwrap_or(i64::MAX));
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn register<M>(registry: &mut Registry, name: &str, help: &str, metric: &M)
where
    M: Clone + EncodeMetric + std::fmt::Debug + Send + Sync + 'static,
{
    registry.register(name, help, metric.clone());
}
