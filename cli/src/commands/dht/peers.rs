//! `tailwater dht peers`

use serde::Serialize;
use tailwater_dht::{Announce, Dht, DhtClosed, Found, PeerStream, Report};

use super::Cost;
use super::client::Client;
use crate::args::{DhtPeers, TorrentId};
use crate::commands::Context;
use crate::error::CliError;
use crate::error::{DhtFailure, asked};
use crate::out;
use crate::words::count;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Peers {
        node: String,
        id: String,
        peers: Vec<String>,
    },
    Finished {
        info_hash: String,
        peers: usize,
        stored: u32,
        /// Estimates of BEP 33.
        seeders: Option<f64>,
        leechers: Option<f64>,
        #[serde(flatten)]
        cost: Cost,
    },
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    args: &DhtPeers,
) -> Result<(), CliError> {
    let mut found = 0;
    let looking = client.ask(async |dht| {
        let mut peers = begin(dht, args).await?;
        while let Some(batch) = peers.next().await {
            found += batch.peers.len();
            show(context, &batch)?;
        }
        Ok(((), peers.finish().await?))
    });
    let ((), report) = looking.await?;
    finish(context, args, found, &report)?;
    match args.announce {
        Some(_) if report.stored == 0 => Err(not_stored(report)),
        None if found == 0 => Err(not_found(report)),
        _ => Ok(()),
    }
}

async fn begin(dht: &Dht, args: &DhtPeers) -> Result<PeerStream, DhtClosed> {
    let TorrentId(info_hash) = args.torrent;
    match args.announce {
        Some(port) => {
            let how = Announce {
                port: Some(port),
                is_seed: args.seed,
            };
            dht.announce(info_hash, how).await
        }
        None if args.scrape => dht.scrape_peers(info_hash).await,
        None => dht.get_peers(info_hash).await,
    }
}

fn show(context: &Context, found: &Found) -> Result<(), CliError> {
    if context.common.json() {
        return out::json(&Line::Peers {
            node: found.from.addr.to_string(),
            id: found.from.id.to_string(),
            peers: found.peers.iter().map(ToString::to_string).collect(),
        });
    }
    let mut peers = found.peers.iter();
    peers.try_for_each(|peer| context.progress.say(peer))
}

fn finish(
    context: &Context,
    args: &DhtPeers,
    found: usize,
    report: &Report,
) -> Result<(), CliError> {
    let scrape = report.scrape.filter(|_| args.scrape);
    if context.common.json() {
        // Half a peer says that the estimate is one, a millionth nothing.
        let rounded = |estimate: f64| (estimate * 10.0).round() / 10.0;
        return out::json(&Line::Finished {
            info_hash: args.torrent.0.to_string(),
            peers: found,
            stored: report.stored,
            seeders: scrape.map(|scrape| rounded(scrape.seeds)),
            leechers: scrape.map(|scrape| rounded(scrape.peers)),
            cost: report.into(),
        });
    }
    if let Some(scrape) = scrape {
        context.progress.say(format_args!(
            "seeders: about {:.0}; others: about {:.0}",
            scrape.seeds, scrape.peers
        ))?;
    }
    let stored = match args.announce {
        Some(port) => format!("; port {port} announced to {} nodes", report.stored),
        None => String::new(),
    };
    let words = format_args!("{}; {}{stored}", count(found, "peer"), asked(report));
    // An error says the rest.
    if found > 0 || report.stored > 0 {
        context.progress.note(words);
    }
    Ok(())
}

fn not_found(report: Report) -> CliError {
    let report = Box::new(report);
    DhtFailure::NotFound { report }.into()
}

fn not_stored(report: Report) -> CliError {
    let report = Box::new(report);
    DhtFailure::NotStored { report }.into()
}
