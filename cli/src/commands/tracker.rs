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

/// The port that trackers have by custom.
const DEFAULT_PORT: u16 = 6969;
/// How often the numbers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Listening {
        http: Option<SocketAddr>,
        udp: Option<SocketAddr>,
    },
    Stats {
        torrents: usize,
        peers: usize,
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
    if context.common.json() {
        return out::json(&Line::Listening { http, udp });
    }
    if let Some(addr) = http {
        context
            .progress
            .say(format_args!("tracker: http://{addr}/announce"))?;
    }
    if let Some(addr) = udp {
        context
            .progress
            .say(format_args!("tracker: udp://{addr}"))?;
    }
    Ok(())
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
                "{} torrents, {} peers; {} announces, {} scrapes, {} refused",
                stats.torrents, stats.peers, stats.announces, stats.scrapes, stats.rejected
            ),
        );
        if context.common.json_lines().has_events() && stats != printed {
            printed = stats;
            out::json(&Line::Stats {
                torrents: stats.torrents,
                peers: stats.peers,
                announces: stats.announces,
                scrapes: stats.scrapes,
                rejected: stats.rejected,
            })?;
        }
    }
}
