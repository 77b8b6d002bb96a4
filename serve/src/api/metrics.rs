//! Figures for Prometheus, in its text format.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::problem::Problem;
use super::server::Shared;
use crate::control::StatsView;

/// The type that Prometheus asks for.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Number = Gauge<u64, AtomicU64>;

/// Figures of the daemon, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "daemon",
    responses((status = 200, description = "The figures, in the text format of OpenMetrics", content_type = "text/plain")))]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let text = text(&shared.control.stats());
    let text = text.map_err(|error| Problem::system(error.to_string()))?;
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}

fn text(stats: &StatsView) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("tailwater");
    let torrents = Family::<[(&str, &str); 1], Number>::default();
    let other = stats.torrents.saturating_sub(
        stats.downloading + stats.seeding + stats.paused + stats.queued + stats.failed,
    );
    for (state, count) in [
        ("downloading", stats.downloading),
        ("seeding", stats.seeding),
        ("paused", stats.paused),
        ("queued", stats.queued),
        ("failed", stats.failed),
        ("other", other),
    ] {
        torrents
            .get_or_create(&[("state", state)])
            .set(count as u64);
    }
    registry.register("torrents", "Torrents, by what they are doing", torrents);
    for (name, help, bytes) in [
        (
            "downloaded",
            "Payload received since the daemon started",
            stats.downloaded,
        ),
        (
            "uploaded",
            "Payload sent since the daemon started",
            stats.uploaded,
        ),
    ] {
        let counter = Counter::<u64, AtomicU64>::default();
        counter.inc_by(bytes);
        registry.register_with_unit(name, help, Unit::Bytes, counter);
    }
    for (name, help, bytes) in [
        ("memory_used", "Memory that pieces take", stats.memory_used),
        (
            "memory_budget",
            "The most memory for pieces",
            stats.memory_budget,
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, number(bytes));
    }
    for (name, help, count) in [
        ("peers", "Connected peers", stats.peers),
        (
            "connections",
            "Connections to peers, those being made included",
            stats.connections,
        ),
        (
            "connections_max",
            "The most connections to peers",
            stats.max_connections,
        ),
    ] {
        registry.register(name, help, number(count as u64));
    }
    let start = "When the daemon started, as a Unix time";
    registry.register_with_unit("start_time", start, Unit::Seconds, number(stats.started));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn number(value: u64) -> Number {
    let number = Number::default();
    number.set(value);
    number
}
