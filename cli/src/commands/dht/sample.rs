//! `tailwater dht sample`

use std::collections::HashSet;

use serde::Serialize;
use tailwater_dht::{NodeId, Report, Sampled};

use super::Cost;
use super::client::Client;
use crate::args::DhtSample;
use crate::commands::Context;
use crate::error::CliError;
use crate::error::{DhtFailure, asked};
use crate::out;
use crate::words::count;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Samples {
        node: String,
        id: String,
        /// How many torrents the node has peers of.
        stored: i64,
        /// When it is worth while to ask it again.
        interval_seconds: u64,
        info_hashes: Vec<String>,
    },
    Finished {
        info_hashes: usize,
        nodes: usize,
        #[serde(flatten)]
        cost: Cost,
    },
}

/// The info-hashes so far.
#[derive(Default)]
struct Harvest {
    seen: HashSet<tailwater_metainfo::InfoHash>,
    nodes: HashSet<NodeId>,
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    args: &DhtSample,
) -> Result<(), CliError> {
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let mut harvest = Harvest::default();
    let mut target = args.target.unwrap_or_else(anywhere);
    let mut total = Report::default();
    loop {
        let before = harvest.seen.len();
        let looking = client.ask(async |dht| {
            let mut samples = dht.sample(target).await?;
            while let Some(sampled) = samples.next().await {
                harvest.take(context, &sampled, limit)?;
                if limit.is_some_and(|limit| harvest.seen.len() >= limit) {
                    // A node has answered: no need to ask again.
                    let mut report = Report::default();
                    (report.asked, report.answered) = (1, 1);
                    return Ok(((), report));
                }
            }
            Ok(((), samples.finish().await?))
        });
        let report = match looking.await {
            Ok(((), report)) => report,
            // The results so far are enough when the time is over.
            Err(_) if !harvest.seen.is_empty() => break,
            Err(error) => return Err(error),
        };
        add(&mut total, &report);
        let found = harvest.seen.len();
        if found == before || limit.is_none_or(|limit| found >= limit) {
            break;
        }
        target = anywhere();
    }
    finish(context, &harvest, total)
}

/// A lookup's part of the whole.
fn add(total: &mut Report, report: &Report) {
    total.asked += report.asked;
    total.answered += report.answered;
    total.hops = total.hops.max(report.hops);
    total.elapsed += report.elapsed;
}

fn anywhere() -> NodeId {
    NodeId::new(std::array::from_fn(|_| fastrand::u8(..)))
}

impl Harvest {
    fn take(
        &mut self,
        context: &Context,
        sampled: &Sampled,
        limit: Option<usize>,
    ) -> Result<(), CliError> {
        self.nodes.insert(sampled.from.id);
        let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.seen.len()));
        let hashes = sampled.info_hashes.iter();
        let hashes = hashes.filter(|hash| !self.seen.contains(hash)).take(room);
        let new: Vec<_> = hashes.copied().collect();
        self.seen.extend(&new);
        if context.common.json() {
            return out::json(&Line::Samples {
                node: sampled.from.addr.to_string(),
                id: sampled.from.id.to_string(),
                stored: sampled.stored,
                interval_seconds: sampled.interval.as_secs(),
                info_hashes: new.iter().map(ToString::to_string).collect(),
            });
        }
        new.iter().try_for_each(|hash| context.progress.say(hash))
    }
}

fn finish(context: &Context, harvest: &Harvest, report: Report) -> Result<(), CliError> {
    let (found, nodes) = (harvest.seen.len(), harvest.nodes.len());
    if context.common.json() {
        out::json(&Line::Finished {
            info_hashes: found,
            nodes,
            cost: (&report).into(),
        })?;
    }
    if found == 0 {
        let report = Box::new(report);
        return Err(DhtFailure::NotFound { report }.into());
    }
    if !context.common.json() {
        let words = (count(found, "torrent"), count(nodes, "node"));
        context.progress.note(format_args!(
            "{} of {}; {}",
            words.0,
            words.1,
            asked(&report)
        ));
    }
    Ok(())
}
