//! Finds the files to share, and reports those that cannot be shared.

use std::path::Path;
use std::sync::Arc;

use tailwater_metainfo::{Creator, Found, LeftOut, LeftOutReason, Visit};

use super::exclusion::Exclusion;
use super::{explain, shown};
use crate::commands::Context;
use crate::error::{CliError, plain};

/// How many files a warning lists; the rest is counted.
const LISTED: usize = 20;

/// Finds the files, on a thread that may wait for the disk.
pub(super) async fn find(
    context: &Context,
    creator: &Creator,
    path: &Path,
    mut exclusion: Exclusion,
) -> Result<(Arc<Found>, Exclusion), CliError> {
    let (creator, path) = (creator.clone(), path.to_owned());
    let interrupt = context.interrupt.clone();
    let meter = context.progress.endless("files");
    let finding = tokio::task::spawn_blocking(move || {
        let mut seen = 0;
        let found = creator.find(&path, |path, _| {
            seen += 1;
            meter.set(0, format_args!("{seen} files and folders found"));
            match exclusion.excludes(path) {
                _ if interrupt.is_requested() => Visit::Stop,
                true => Visit::Skip,
                false => Visit::Take,
            }
        });
        (found, exclusion)
    });
    // A thread that panicked has printed its message.
    let (found, exclusion) = finding.await.map_err(|_| CliError::Reported)?;
    Ok((Arc::new(found.map_err(explain)?), exclusion))
}

/// A warning for each file that cannot be shared, or one error for all.
pub(super) fn left_out(context: &Context, found: &Found, is_allowed: bool) -> Result<(), CliError> {
    let left_out = found.left_out();
    if let (false, [root]) = (found.is_folder(), left_out) {
        return Err(CliError::UnshareableRoot {
            path: shown(&root.path),
            reason: reason(root),
        });
    }
    if is_allowed {
        for one in left_out {
            context
                .progress
                .note(format_args!("warning: left out {}", line(one)));
        }
        return Ok(());
    }
    let mut lines: Vec<_> = left_out.iter().take(LISTED).map(line).collect();
    if let Some(more) = left_out.len().checked_sub(LISTED).filter(|&more| more > 0) {
        lines.push(format!("… and {more} more"));
    }
    Err(CliError::Unshareable {
        number: left_out.len(),
        list: lines.join("\n  "),
    })
}

/// One entry that cannot be shared, with the reason.
fn line(one: &LeftOut) -> String {
    format!("{}: {}", shown(&one.path), reason(one))
}

fn reason(one: &LeftOut) -> String {
    match &one.reason {
        LeftOutReason::Unreadable(error) => format!("it cannot be read: {}", plain(error)),
        reason => reason.to_string(),
    }
}
