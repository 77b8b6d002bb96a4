//! `tailwater tracker`

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tailwater_tracker::{Server, ServerConfig};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Context;
use crate::args::{ListenAddr, Tracker};
use crate::error::CliError;
use crate::interrupt::CLOSE_WITHIN;
use crate::out;
use crate::own_addrs;
use crate::words::count;

/// The customary port of trackers.
const DEFAULT_PORT: u16 = 6969;
/// How often the numbers are updated.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Listening {
        http: Option<SocketAddr>,
        udp: Option<SocketAddr>,
        /// The announce URLs for others, the likeliest first.
        urls: Vec<String>,
    },
    Stats {
        torrents: usize,
        peers: usize,
        seeders: usize,
        leechers: usize,
        announces: u64,
        scrapes: u64,
        rejected: u64,
    },
}

pub(super) async fn run(context: &Context, args: &Tracker) -> Result<(), CliError> {
    let default = args
        .udp
        .is_none()
        .then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT)));
    let mut config = ServerConfig::default();
    config.http = args.http.map(|ListenAddr(addr)| addr).or(default);
    config.udp = args.udp.map(|ListenAddr(addr)| addr);
    config.list_torrents = args.list;
    let server = Server::bind(config).await.map_err(CliError::Tracker)?;
    let outcome = match announce(context, &server) {
        Ok(()) => context.interrupt.guard(watch(context, &server)).await,
        Err(error) => Err(error),
    };
    // Nothing is lost when it takes longer.
    let _ = timeout(CLOSE_WITHIN, server.close()).await;
    outcome
}

fn announce(context: &Context, server: &Server) -> Result<(), CliError> {
    let (http, udp) = (server.http_addr(), server.udp_addr());
    let reachable = |addr: Option<SocketAddr>| addr.map(own_addrs::reachable).unwrap_or_default();
    let (over_http, over_udp) = (reachable(http), reachable(udp));
    let announce = over_http
        .iter()
        .map(|addr| format!("http://{addr}/announce"));
    let mut announce = announce.chain(over_udp.iter().map(|addr| format!("udp://{addr}")));
    if context.common.json() {
        let urls = announce.collect();
        return out::json(&Line::Listening { http, udp, urls });
    }
    announce.try_for_each(|url| context.progress.say(format_args!("tracker: {url}")))?;
    match over_http.first() {
        Some(addr) => context
            .progress
            .say(format_args!("page:    http://{addr}/")),
        None => Ok(()),
    }
}

/// Shows the numbers for ever.
async fn watch(context: &Context, server: &Server) -> Result<(), CliError> {
    let meter = context.progress.endless("tracker");
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut printed = server.stats();
    loop {
        ticks.tick().await;
        let stats = server.stats();
        meter.set(
            0,
            format_args!(
                "{}, {}, {}; {}, {}, {} refused",
                count(stats.torrents, "torrent"),
                count(stats.seeders, "seeder"),
                count(stats.leechers, "leecher"),
                number(stats.announces, "announce"),
                number(stats.scrapes, "scrape"),
                stats.rejected
            ),
        );
        if context.common.json_lines().has_events() && stats != printed {
            printed = stats;
            out::json(&Line::Stats {
                torrents: stats.torrents,
                peers: stats.peers,
                seeders: stats.seeders,
                leechers: stats.leechers,
                announces: stats.announces,
                scrapes: stats.scrapes,
                rejected: stats.rejected,
            })?;
        }
    }
}

fn number(number: u64, what: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), what)
}
