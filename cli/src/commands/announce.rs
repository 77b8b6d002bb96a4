//! `tailwater announce`

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde::Serialize;
use tailwater_metainfo::PeerId;
use tailwater_tracker::{AnnounceRequest, AnnounceResponse, Client, Event};
use tokio::time::timeout;

use super::Context;
use super::trackers::{Answer, Question, show};
use crate::args::Announce;
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::progress::count;

/// The port of nobody's peer (discard, RFC 863), where no free one can be had.
const DISCARD: u16 = 9;
/// What is left of a torrent of which only the link is known: anything but 0, which would be a seeder's.
const UNKNOWN_LEFT: u64 = 16 * 1024;
/// How long a tracker may take to hear that we are gone again.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Said<'a> {
    tracker: &'a str,
    error: Option<String>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    interval_seconds: Option<u64>,
    external_ip: Option<String>,
    warning: Option<&'a str>,
    peers: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &Announce) -> Result<(), CliError> {
    let question = Question::new(&args.asked, &context.progress).await?;
    // Trackers know a peer by address and port: announcing a seeder's port and leaving again would take it off the list.
    let held = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| Ok((socket.local_addr()?.port(), socket)));
    let free = held.as_ref().map_or(DISCARD, |(port, _)| *port);
    let port = args.port.unwrap_or(free);
    let mut request = AnnounceRequest::new(question.info_hash, peer_id(), port);
    request.left = question.total.unwrap_or(UNKNOWN_LEFT);
    request.key = Some(fastrand::u32(..));
    let answers = question.ask(|client, url| ask(client, url, request.clone()));
    let json = context.common.json();
    show(answers, |url, answer| match json {
        true => out::json(&said(url, answer.as_ref().map_err(ToString::to_string))),
        false => human(url, answer.as_ref().map_err(ToString::to_string)),
    })
    .await
}

/// Says hello and goodbye, so that nobody tries to connect to a peer that is not there.
async fn ask(
    client: Client,
    url: String,
    mut request: AnnounceRequest,
) -> Answer<AnnounceResponse> {
    request.event = Some(Event::Started);
    let answer = client.announce(&url, &request).await;
    if let Ok(answer) = &answer {
        request.event = Some(Event::Stopped);
        request.num_want = Some(0);
        request.tracker_id.clone_from(&answer.tracker_id);
        // Whether it is heard makes no difference to what we have to tell.
        let _ = timeout(FAREWELL, client.announce(&url, &request)).await;
    }
    (url, answer)
}

/// One that nobody else has (BEP 20).
fn peer_id() -> PeerId {
    let mut bytes = *b"-TW0100-............";
    bytes[8..].fill_with(|| fastrand::u8(b'0'..=b'9'));
    PeerId::new(bytes)
}

fn human(url: &str, answer: Result<&AnnounceResponse, String>) -> Result<(), CliError> {
    let url = Harmless(url);
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return out::line(format_args!("{url}\n  failed: {}", Harmless(&error))),
    };
    let known =
        |number: Option<u32>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let (seeders, leechers) = (known(answer.seeders), known(answer.leechers));
    let interval = answer.interval.as_secs();
    let peers = count(answer.peers.len(), "peer");
    out::line(format_args!(
        "{url}\n  {seeders} seeders, {leechers} leechers, {peers} named; again in {interval} s"
    ))?;
    if let Some(warning) = &answer.warning {
        out::line(format_args!("  warning: {}", Harmless(warning)))?;
    }
    if let Some(ip) = answer.external_ip {
        out::line(format_args!("  our address there: {ip}"))?;
    }
    answer
        .peers
        .iter()
        .try_for_each(|peer| out::line(format_args!("  {peer}")))
}

fn said<'a>(url: &'a str, answer: Result<&'a AnnounceResponse, String>) -> Said<'a> {
    let (answer, error) = match answer {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error)),
    };
    Said {
        tracker: url,
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
