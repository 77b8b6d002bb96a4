//! `tailwater create`

mod exclusion;
mod find;
mod names;
mod show;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailwater_metainfo::{
    CreateError, Created, Creator, Found, GeometryError, Symlinks, TorrentVersion,
};
use tailwater_serve::size::Size;

use self::exclusion::Exclusion;
use self::show::{Made, Planned};
use super::Context;
use super::torrent_output::Output;
use super::tracker_list;
use crate::args::Create;
use crate::error::CliError;
use crate::out::Harmless;
use crate::progress::OFTEN;

pub(super) async fn run(context: &Context, args: Create) -> Result<(), CliError> {
    let creator = creator(context, &args);
    let name = creator.safe_name(&args.path)?;
    let file = PathBuf::from(format!("{name}.torrent"));
    let output = match &args.output {
        Some(chosen) => Output::new(chosen, file),
        None => Output::File(file),
    };
    if !args.dry_run {
        // Checked before an hour of hashing, not after it.
        output.check(context, args.force)?;
    }
    let exclusion = Exclusion::new(&args, &output)?;
    let (found, exclusion) = find::find(context, &creator, &args.path, exclusion).await?;
    warn_of_found(context, &found, &exclusion, &args)?;
    if args.dry_run {
        let name = creator.name_of(&args.path)?;
        let planned = Planned::new(&name, &creator, &found, &exclusion)?;
        let preview = creator.preview(&found).map_err(explain)?;
        planned.show(context)?;
        names::warn(context, &preview);
        return Ok(());
    }
    let created = hash(context, creator, &found, &name).await?;
    output.write(&created.bytes, args.force)?;
    names::warn(context, &created.metainfo);
    Made::new(&output, &created, &found, &exclusion).show(context, &output)
}

fn creator(context: &Context, args: &Create) -> Creator {
    let mut creator = Creator::new()
        .private(args.private)
        .created_by(concat!("tailwater ", env!("CARGO_PKG_VERSION")));
    if let Some(name) = &args.name {
        creator = creator.name(name);
    }
    if let Some(length) = args.piece_length {
        creator = creator.piece_length(length);
    }
    creator = creator.version(match (args.v2, args.hybrid) {
        (true, _) => TorrentVersion::V2,
        (false, true) => TorrentVersion::Hybrid,
        (false, false) => TorrentVersion::V1,
    });
    if args.keep_symlinks {
        creator = creator.symlinks(Symlinks::Keep);
    }
    let warn = |text: String| context.progress.note(text);
    for tier in tracker_list::tiers(&args.tracker, warn) {
        creator = creator.tier(tier);
    }
    if args.private && args.tracker.is_empty() {
        context.progress.note(
            "warning: a private torrent has peers from its trackers only, and this one has no tracker\n  \
             help: name one with `--tracker URL`, now or later with `tailwater edit`",
        );
    }
    for url in &args.web_seed {
        creator = creator.web_seed(url.as_str());
    }
    if let Some(comment) = &args.comment {
        creator = creator.comment(comment);
    }
    if let Some(source) = &args.source {
        creator = creator.source(source);
    }
    creator
}

/// Warns about what the torrent leaves out of the folder; an error unless the user allowed it.
fn warn_of_found(
    context: &Context,
    found: &Found,
    exclusion: &Exclusion,
    args: &Create,
) -> Result<(), CliError> {
    if !found.left_out().is_empty() {
        find::left_out(context, found, args.skip_unreadable)?;
    }
    for pattern in exclusion.unused() {
        let pattern = Harmless(pattern);
        context.progress.note(format_args!(
            "warning: nothing matches `--exclude {pattern}`"
        ));
    }
    for folder in found.empty_folders() {
        context.progress.note(format_args!(
            "warning: {} is empty, and a torrent has no empty folders",
            Harmless(&folder.display().to_string())
        ));
    }
    Ok(())
}

async fn hash(
    context: &Context,
    creator: Creator,
    found: &Arc<Found>,
    name: &str,
) -> Result<Created, CliError> {
    let interrupt = context.interrupt.clone();
    let progress = context.progress.clone();
    let (found, name) = (Arc::clone(found), name.to_owned());
    let hashing = tokio::task::spawn_blocking(move || {
        let mut meter = None;
        creator.hash(&found, |step| {
            let meter = meter.get_or_insert_with(|| progress.meter(&name, step.total, OFTEN));
            meter.set(
                step.done,
                format_args!("hashing, {} of {}", Size(step.done), Size(step.total)),
            );
            match interrupt.is_requested() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    });
    // A thread that panicked has printed its message.
    let hashed = hashing.await.map_err(|_| CliError::Reported)?;
    hashed.map_err(explain)
}

/// An error in our own words.
fn explain(error: CreateError) -> CliError {
    match error {
        CreateError::Geometry(GeometryError::Empty) => CliError::NothingToShare,
        CreateError::Cancelled => CliError::Interrupted,
        CreateError::Io {
            operation,
            path,
            error,
        } => CliError::io(verb(operation), path)(error),
        error => error.into(),
    }
}

/// The operation as a static text.
fn verb(operation: &str) -> &'static str {
    match operation {
        "list" => "list",
        "open" => "open",
        _ => "read",
    }
}

/// A path for messages, on one line; bytes that are no text are shown by their numbers.
fn shown(path: &Path) -> String {
    match path.to_str() {
        Some(path) => Harmless(path).to_string(),
        None => format!("{path:?}").trim_matches('"').to_owned(),
    }
}
