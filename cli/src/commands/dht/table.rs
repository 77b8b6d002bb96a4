//! A routing table, for people and programs.

use std::time::Instant;

use serde::Serialize;
use tailwater_dht::{Entry, Family, NodeId, Status};

use super::client::Client;
use crate::commands::Context;
use crate::error::CliError;
use crate::out;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Node {
        family: &'static str,
        /// Leading bits that its id shares with ours.
        shared_bits: usize,
        id: String,
        addr: String,
        status: &'static str,
        rtt_ms: Option<f64>,
        /// Whether its address may have its id (BEP 42).
        secure: bool,
        seen_seconds_ago: u64,
    },
}

/// Prints the tables of both families, from far to near.
pub(super) async fn print(context: &Context, client: &Client) -> Result<(), CliError> {
    let ids = client.dht.stats().await?.ids;
    let now = Instant::now();
    if !context.common.json() {
        context.progress.say(format_args!(
            "{:<4} {:>6}  {:<40}  {:<12}  {:>9}  {:<6}  address",
            "", "shared", "id", "status", "answered", "BEP 42"
        ))?;
    }
    for (family, id) in Family::ALL.into_iter().zip(ids) {
        let Some(own_id) = id else {
            continue;
        };
        for entry in client.dht.table(family).await? {
            let line = line(family, &own_id, &entry, now);
            match context.common.json() {
                true => out::json(&line)?,
                false => human(context, &line)?,
            }
        }
    }
    Ok(())
}

fn line(family: Family, own_id: &NodeId, entry: &Entry, now: Instant) -> Line {
    let rtt = entry.rtt().map(|rtt| rtt.as_secs_f64() * 1000.0);
    let seen = now.saturating_duration_since(entry.last_seen());
    Line::Node {
        family: match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        },
        shared_bits: own_id.common_prefix_len(&entry.id()),
        id: entry.id().to_string(),
        addr: entry.node().addr.to_string(),
        status: match entry.status(now) {
            Status::Good => "good",
            Status::Questionable => "questionable",
            Status::Bad => "bad",
        },
        rtt_ms: rtt.map(|rtt| (rtt * 10.0).round() / 10.0),
        secure: entry.is_secure(),
        seen_seconds_ago: seen.as_secs(),
    }
}

fn human(context: &Context, line: &Line) -> Result<(), CliError> {
    let Line::Node {
        family,
        shared_bits,
        id,
        addr,
        status,
        rtt_ms,
        secure,
        ..
    } = line;
    let rtt = rtt_ms.map_or_else(|| "?".to_owned(), |rtt| format!("{rtt:.1} ms"));
    let secure = if *secure { "yes" } else { "no" };
    context.progress.say(format_args!(
        "{family:<4} {shared_bits:>6}  {id:<40}  {status:<12}  {rtt:>9}  {secure:<6}  {addr}"
    ))
}
