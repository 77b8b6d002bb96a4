//! `tailwater dht node`

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tailwater_dht::{Family, NodeStats};
use tailwater_serve::size::Size;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::client::{Client, Start};
use super::table;
use crate::args::DhtNode;
use crate::commands::Context;
use crate::error::CliError;
use crate::out;
use crate::progress::Meter;
use crate::words::duration;

/// How often the figures are updated.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A node has no time limit.
const NO_LIMIT: Duration = Duration::from_secs(u32::MAX as u64);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Listening {
        v4: Option<SocketAddr>,
        v6: Option<SocketAddr>,
        ids: [Option<String>; 2],
    },
    /// Others are known for the first time.
    Ready {
        nodes: [usize; 2],
        seconds: f64,
    },
    Stats(Box<Stats>),
}

/// IPv4 first, wherever there are two.
#[derive(Serialize)]
struct Stats {
    seconds: u64,
    ids: [Option<String>; 2],
    external_ips: [Option<IpAddr>; 2],
    nodes: [usize; 2],
    buckets: [usize; 2],
    spares: [usize; 2],
    torrents: usize,
    peers: usize,
    items: usize,
    lookups: usize,
    questions: usize,
    received_bytes_per_second: u64,
    sent_bytes_per_second: u64,
    received_bytes: u64,
    sent_bytes: u64,
    received_datagrams: u64,
    sent_datagrams: u64,
    queries_sent: u64,
    answers_received: u64,
    timeouts: u64,
    queries_answered: u64,
    queries_ignored: u64,
    invalid: u64,
}

pub(super) async fn run(context: &Context, args: &DhtNode) -> Result<(), CliError> {
    let read_only = args.read_only;
    let begin = match args.no_bootstrap {
        true => Start::First { read_only },
        false => Start::Resident { read_only },
    };
    let client = Client::start(&args.joining, begin, NO_LIMIT).await?;
    let mut outcome = context.interrupt.guard(live(context, &client, args)).await;
    if args.table && matches!(outcome, Err(CliError::Interrupted)) {
        // The interrupt stays the result, even if printing fails.
        if let Err(error) = table::print(context, &client).await {
            outcome = Err(error);
        }
    }
    client.close().await;
    outcome
}

async fn live(context: &Context, client: &Client, args: &DhtNode) -> Result<(), CliError> {
    let begin = Instant::now();
    let mut before = client.dht.stats().await?;
    listening(context, client, &before)?;
    let meters = Meters::new(context);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut is_ready, mut printed, mut looked) = (false, begin, begin);
    let mut at_print = before;
    loop {
        let now = ticks.tick().await;
        let stats = client.dht.stats().await?;
        meters.show(&before, &stats, now - looked, now - begin);
        (before, looked) = (stats, now);
        if !is_ready && stats.nodes.iter().any(|nodes| *nodes > 0) {
            is_ready = true;
            ready(context, &stats, now - begin)?;
        }
        if context.common.json_lines().has_events() && now - printed >= args.every.0 {
            let line = line(&at_print, &stats, now - printed, now - begin);
            out::json(&Line::Stats(Box::new(line)))?;
            (printed, at_print) = (now, stats);
        }
    }
}

fn texts(ids: &NodeStats) -> [Option<String>; 2] {
    ids.ids.map(|id| id.map(|id| id.to_string()))
}

fn listening(context: &Context, client: &Client, stats: &NodeStats) -> Result<(), CliError> {
    let [v4, v6] = Family::ALL.map(|family| client.dht.local_addr(family));
    if context.common.json() {
        let ids = texts(stats);
        return out::json(&Line::Listening { v4, v6, ids });
    }
    for (addr, id) in [v4, v6].into_iter().zip(stats.ids) {
        if let (Some(addr), Some(id)) = (addr, id) {
            context
                .progress
                .say(format_args!("node {id} listening on {addr}"))?;
        }
    }
    Ok(())
}

fn ready(context: &Context, stats: &NodeStats, after: Duration) -> Result<(), CliError> {
    let nodes = stats.nodes;
    if context.common.json() {
        let seconds = (after.as_secs_f64() * 1000.0).round() / 1000.0;
        return out::json(&Line::Ready { nodes, seconds });
    }
    let [v4, v6] = nodes;
    context.progress.say(format_args!(
        "ready after {}: {v4} IPv4 and {v6} IPv6 nodes known",
        duration(after)
    ))
}

/// One line each.
struct Meters {
    nodes: Meter,
    traffic: Meter,
    served: Meter,
    seen_at: Meter,
}

impl Meters {
    fn new(context: &Context) -> Self {
        let meter = |name| context.progress.endless(name);
        Self {
            nodes: meter("nodes"),
            traffic: meter("traffic"),
            served: meter("others"),
            seen_at: meter("we"),
        }
    }

    fn show(&self, before: &NodeStats, now: &NodeStats, took: Duration, since: Duration) {
        let ([v4, v6], [buckets4, buckets6], [spares4, spares6]) =
            (now.nodes, now.buckets, now.spares);
        self.nodes.set(
            0,
            format_args!(
                "IPv4 {v4} in {buckets4} buckets, {spares4} spare; IPv6 {v6} in {buckets6}, {spares6} spare"
            ),
        );
        let (was, is) = (&before.traffic, &now.traffic);
        let received = Size(rate(was.bytes_received, is.bytes_received, took));
        let sent = Size(rate(was.bytes_sent, is.bytes_sent, took));
        self.traffic.set(
            0,
            format_args!(
                "in {received}/s, out {sent}/s; {} asked, {} answered us, {} lookups",
                is.queries_sent, is.answers_received, now.lookups
            ),
        );
        self.served.set(
            0,
            format_args!(
                "{} queries answered, {} ignored; {} peers of {} torrents and {} items kept",
                is.queries_answered, is.ignored_queries, now.peers, now.torrents, now.items
            ),
        );
        let seen = now.external_ips.into_iter().flatten();
        let seen: Vec<_> = seen.map(|ip| ip.to_string()).collect();
        let seen = match seen.is_empty() {
            true => "address not agreed on".to_owned(),
            false => format!("seen at {}", seen.join(" and ")),
        };
        self.seen_at
            .set(0, format_args!("{seen}; up {}", duration(since)));
    }
}

/// Bytes a second.
fn rate(before: u64, now: u64, took: Duration) -> u64 {
    let bytes = u128::from(now.saturating_sub(before));
    let rate = bytes * 1000 / took.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

fn line(before: &NodeStats, now: &NodeStats, took: Duration, since: Duration) -> Stats {
    let (was, is) = (&before.traffic, &now.traffic);
    Stats {
        seconds: since.as_secs(),
        ids: texts(now),
        external_ips: now.external_ips,
        nodes: now.nodes,
        buckets: now.buckets,
        spares: now.spares,
        torrents: now.torrents,
        peers: now.peers,
        items: now.items,
        lookups: now.lookups,
        questions: now.queries,
        received_bytes_per_second: rate(was.bytes_received, is.bytes_received, took),
        sent_bytes_per_second: rate(was.bytes_sent, is.bytes_sent, took),
        received_bytes: is.bytes_received,
        sent_bytes: is.bytes_sent,
        received_datagrams: is.datagrams_received,
        sent_datagrams: is.datagrams_sent,
        queries_sent: is.queries_sent,
        answers_received: is.answers_received,
        timeouts: is.timeouts,
        queries_answered: is.queries_answered,
        queries_ignored: is.ignored_queries,
        invalid: is.invalid,
    }
}
