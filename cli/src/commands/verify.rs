//! `tailwater verify`

use serde::Serialize;
use tailwater_metainfo::Metainfo;
use tailwater_serve::size::Size;
use tailwater_session::{AddError, check};

use super::Context;
use crate::args::Source;
use crate::args::Verify;
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::progress::OFTEN;
use crate::report::{self, FileReport, Verdict};
use crate::tally::{Grouped, Tally, grouped_count};

/// A line of JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    info_hash: Option<String>,
    #[serde(flatten)]
    said: Said<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    File(&'a FileReport),
    Summary {
        event: &'static str,
        /// `ok` or `bad`.
        result: &'static str,
        #[serde(flatten)]
        tally: Tally,
        pieces_have: u32,
        pieces_total: u32,
        bytes: u64,
    },
}

pub(super) async fn run(context: &Context, args: &Verify) -> Result<(), CliError> {
    if !args.data.is_dir() {
        return Err(CliError::NotAFolder(args.data.clone()));
    }
    let mut is_right = true;
    for source in &args.sources {
        match one(context, args, source).await {
            Ok(right) => is_right &= right,
            Err(error @ CliError::Interrupted) => return Err(error),
            // The others are checked all the same.
            Err(error) => {
                is_right = false;
                context.progress.failure(&error);
            }
        }
    }
    match is_right {
        true => Ok(()),
        false => Err(CliError::Reported),
    }
}

/// Whether everything of it is there and right.
async fn one(context: &Context, args: &Verify, source: &Source) -> Result<bool, CliError> {
    let metainfo = context.load(source, &args.network).await?.metainfo;
    let checking = verify(context, args, &metainfo);
    context.interrupt.guard(checking).await
}

async fn verify(context: &Context, args: &Verify, metainfo: &Metainfo) -> Result<bool, CliError> {
    let info = metainfo.info();
    let geometry = info.geometry();
    let meter = context.progress.meter(info.name(), geometry.total(), OFTEN);
    let pieces = geometry.clone();
    let checked = check(metainfo, &args.data, move |done, total| {
        let bytes = pieces.len_of_first(done);
        meter.set(bytes, format_args!("checking piece {done} of {total}"));
    });
    let failed = |error: AddError| CliError::Check {
        name: info.name().to_owned(),
        error,
    };
    let have = checked.await.map_err(failed)?;
    let mut files = report::report(info, &have, &args.data);
    // Errors come last, where they are seen.
    files.sort_by_key(|file| file.verdict.severity());
    let tally = Tally::of(&files);
    let line = |said| Line {
        name: info.name(),
        info_hash: info.info_hashes().wire().map(|hash| hash.to_string()),
        said,
    };
    if context.common.json() {
        for file in &files {
            out::json(&line(Said::File(file)))?;
        }
        out::json(&line(Said::Summary {
            event: "summary",
            result: if tally.is_right() { "ok" } else { "bad" },
            tally,
            pieces_have: have.count(),
            pieces_total: geometry.piece_count(),
            bytes: info.payload_len(),
        }))?;
        return Ok(tally.is_right());
    }
    for file in &files {
        if file.verdict != Verdict::Ok || !context.common.quiet {
            out::line(file)?;
        }
    }
    let name = Harmless(info.name());
    let (right, all) = (have.count(), geometry.piece_count());
    match tally.is_right() {
        true if context.common.quiet => {}
        true => out::line(format_args!(
            "{name}: all right: {}, {}",
            grouped_count(tally.files, "file"),
            Size(info.payload_len())
        ))?,
        false => out::line(format_args!(
            "{name}: {tally}; {} of {} and {right} of {} are right",
            Grouped(tally.ok),
            grouped_count(tally.files, "file"),
            grouped_count(usize::try_from(all).unwrap_or(usize::MAX), "piece"),
        ))?,
    }
    Ok(tally.is_right())
}
