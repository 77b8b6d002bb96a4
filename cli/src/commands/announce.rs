//! `tailwater announce`

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde::Serialize;
use tailwater_metainfo::PeerId;
use tailwater_tracker::{AnnounceRequest, AnnounceResponse, Client, Event, TrackerError};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Context;
use super::trackers::{Name, Question};
use crate::args::Announce;
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::words::{count, duration};

/// The port that is announced when no free one is available: discard (RFC 863), on which no peer listens.
const DISCARD: u16 = 9;
/// The `left` of a torrent of which only the link is known: not 0, which would mean a seeder.
const UNKNOWN_LEFT: u64 = 16 * 1024;
/// Timeout of the `stopped` announce to a tracker that has answered.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Said<'a> {
    tracker: &'a str,
    info_hash: String,
    error: Option<String>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    interval_seconds: Option<u64>,
    external_ip: Option<String>,
    warning: Option<&'a str>,
    peers: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &Announce) -> Result<(), CliError> {
    let question = Question::new(&args.asked, context).await?;
    // Trackers know a peer by address and port: announcing a seeder's port and leaving again would take it off the list.
    let held = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| Ok((socket.local_addr()?.port(), socket)));
    let free = held.as_ref().map_or(DISCARD, |(port, _)| *port);
    let port = args.port.unwrap_or(free);
    let (peer_id, key) = (peer_id(), fastrand::u32(..));
    let left = question.total.unwrap_or(UNKNOWN_LEFT);
    let request = move |name: Name, event| {
        let mut request = AnnounceRequest::new(name.info_hash, peer_id, port);
        request.left = left;
        request.key = Some(key);
        request.event = Some(event);
        request
    };
    let ask = move |client: Client, url: String, name: Name| async move {
        let answer = client.announce(&url, &request(name, Event::Started)).await;
        (url, name, answer)
    };
    let mut farewells = JoinSet::new();
    let shown = question.ask(context, ask, |url, name, answer| {
        if let Ok(answer) = &answer {
            // The tracker is told that we have left, so that no peer tries to connect to us.
            let mut request = request(name, Event::Stopped);
            request.num_want = Some(0);
            request.tracker_id = answer.tracker_id.clone();
            farewells.spawn(leave(question.client.clone(), url.to_owned(), request));
        }
        show(context, url, name, answer.as_ref())
    });
    let outcome = shown.await;
    // Also when the user does not want to wait for the others: trackers that have answered list us.
    let leaving = async { while farewells.join_next().await.is_some() {} };
    let _ = timeout(FAREWELL, leaving).await;
    outcome
}

async fn leave(client: Client, url: String, request: AnnounceRequest) {
    // Whether it arrives does not change the result.
    let _ = client.announce(&url, &request).await;
}

fn show(
    context: &Context,
    url: &str,
    name: Name,
    answer: Result<&AnnounceResponse, &TrackerError>,
) -> Result<(), CliError> {
    let answer = answer.map_err(ToString::to_string);
    match context.common.json() {
        true => out::json(&said(url, name, answer)),
        false => context.progress.say(human(url, name, answer)),
    }
}

/// A random, unique peer id (BEP 20).
fn peer_id() -> PeerId {
    let mut bytes = *b"-TW0100-............";
    bytes[8..].fill_with(|| fastrand::u8(b'0'..=b'9'));
    PeerId::new(bytes)
}

fn human(url: &str, name: Name, answer: Result<&AnnounceResponse, String>) -> String {
    let url = name.heading(url);
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return format!("{url}\n  failed: {}", Harmless(&error)),
    };
    let known = |number: Option<u32>, what: &str| match number {
        Some(number) => count(usize::try_from(number).unwrap_or(usize::MAX), what),
        None => format!("an unknown number of {what}s"),
    };
    let (seeders, leechers) = (
        known(answer.seeders, "seeder"),
        known(answer.leechers, "leecher"),
    );
    let interval = duration(answer.interval);
    let peers = count(answer.peers.len(), "peer");
    let mut lines = vec![
        url,
        format!("{seeders}, {leechers}, {peers} named; again in {interval}"),
    ];
    if let Some(warning) = &answer.warning {
        lines.push(format!("warning: {}", Harmless(warning)));
    }
    if let Some(ip) = answer.external_ip {
        lines.push(format!("our address there: {ip}"));
    }
    lines.extend(answer.peers.iter().map(ToString::to_string));
    lines.join("\n  ")
}

fn said<'a>(url: &'a str, name: Name, answer: Result<&'a AnnounceResponse, String>) -> Said<'a> {
    let (answer, error) = match answer {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error)),
    };
    Said {
        tracker: url,
        info_hash: name.info_hash.to_string(),
        error,
        seeders: answer.and_then(|answer| answer.seeders),
        leechers: answer.and_then(|answer| answer.leechers),
        interval_seconds: answer.map(|answer| answer.interval.as_secs()),
        external_ip: answer
            .and_then(|answer| answer.external_ip)
            .map(|ip| ip.to_string()),
        warning: answer.and_then(|answer| answer.warning.as_deref()),
        peers: answer
            .into_iter()
            .flat_map(|answer| &answer.peers)
            .map(ToString::to_string)
            .collect(),
    }
}
