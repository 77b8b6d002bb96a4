//! `tailwater seed`

use std::path::Path;

use tailwater_metainfo::Metainfo;
use tailwater_session::{AddOptions, Session, StorageKind, TorrentError};
use tokio::task::JoinSet;

use super::Context;
use super::follow::Follower;
use crate::args::{Json, Seed};
use crate::error::CliError;
use crate::out::Harmless;
use crate::progress::{OFTEN, count};
use crate::report::{self, FileReport, Verdict};
use crate::running::Running;
use crate::size::Size;
use crate::start::{self, Table};

/// Files listed in a complaint; the rest is counted.
const FILES_SHOWN: usize = 10;

pub(super) async fn run(context: &Context, args: &Seed) -> Result<(), CliError> {
    if !args.data.is_dir() {
        return Err(CliError::NotAFolder(args.data.clone()));
    }
    let torrents = load(context, args).await?;
    for metainfo in &torrents {
        check_lengths(context, metainfo, &args.data)?;
    }
    let running = Running::start(
        start::builder(&args.network, Table::Kept),
        &context.progress,
        context.common.json_lines(),
    )?;
    let seeding = seed(context, args, &running.session, &torrents);
    let outcome = context.interrupt.guard(seeding).await;
    running.close().await;
    outcome
}

async fn load(context: &Context, args: &Seed) -> Result<Vec<Metainfo>, CliError> {
    let mut torrents = Vec::new();
    for source in &args.sources {
        let metainfo = context.load(source, &args.network).await?.metainfo;
        if metainfo.info().info_hashes().v1.is_none() {
            return Err(CliError::V2Only(metainfo.info().name().to_owned()));
        }
        torrents.push(metainfo);
    }
    Ok(torrents)
}

/// What is plainly incomplete is found out before anything is hashed or anybody told.
fn check_lengths(context: &Context, metainfo: &Metainfo, dir: &Path) -> Result<(), CliError> {
    let info = metainfo.info();
    let wrong = report::lengths(info, dir);
    let surplus = |file: &FileReport| match file.verdict {
        Verdict::WrongLength { found } => found.checked_sub(file.length).filter(|&more| more > 0),
        _ => None,
    };
    let missing = wrong.iter().filter(|file| surplus(file).is_none());
    let missing = missing.map(|file| match file.verdict {
        Verdict::WrongLength { found } => file.length - found,
        _ => file.length,
    });
    let missing: Vec<_> = missing.collect();
    match missing.is_empty() {
        // A file that is too long has all that the torrent needs. It is not ours to cut.
        true => {
            for (file, more) in wrong.iter().filter_map(|file| Some((file, surplus(file)?))) {
                let more = count(usize::try_from(more).unwrap_or(usize::MAX), "byte");
                context.progress.note(format_args!(
                    "warning: {} is {more} longer than in the torrent: what is behind is not shared",
                    Harmless(&file.path)
                ));
            }
            Ok(())
        }
        false => Err(refuse(context, metainfo, dir, &wrong, missing.iter().sum())),
    }
}

/// Says which files are at fault.
fn refuse(
    context: &Context,
    metainfo: &Metainfo,
    dir: &Path,
    wrong: &[FileReport],
    missing: u64,
) -> CliError {
    for file in wrong.iter().take(FILES_SHOWN) {
        context.progress.note(file);
    }
    if let Some(more) = wrong
        .len()
        .checked_sub(FILES_SHOWN)
        .filter(|&more| more > 0)
    {
        context
            .progress
            .note(format_args!("… and {}", count(more, "more file")));
    }
    CliError::Incomplete {
        name: metainfo.info().name().to_owned(),
        missing: Size(missing),
        total: Size(metainfo.info().payload_len()),
        dir: dir.to_owned(),
    }
}

async fn seed(
    context: &Context,
    args: &Seed,
    session: &Session,
    torrents: &[Metainfo],
) -> Result<(), CliError> {
    let mut seeding = JoinSet::new();
    for metainfo in torrents {
        let mut follower = open(context, args, session, metainfo).await?;
        if !context.common.json() {
            let (name, size) = (metainfo.info().name(), Size(metainfo.info().payload_len()));
            context
                .progress
                .say(format_args!("seeding {name}, {size}; Ctrl-C ends it"))?;
        }
        seeding.spawn(async move { follower.forever().await });
    }
    // One whose files another program has deleted ends, and the others go on.
    while let Some(ended) = seeding.join_next().await {
        match ended {
            Ok(error) if seeding.is_empty() => return Err(error),
            Ok(error) => error.report(&context.progress),
            // A task that panicked has said so.
            Err(_) => {}
        }
    }
    Err(CliError::Reported)
}

/// Adds a torrent and checks all its data.
async fn open(
    context: &Context,
    args: &Seed,
    session: &Session,
    metainfo: &Metainfo,
) -> Result<Follower, CliError> {
    let info = metainfo.info();
    let options = AddOptions::new(StorageKind::Disk(args.data.clone()))
        .seed_only(true)
        .peers(args.network.peer.iter().copied());
    let refused = |error| CliError::Add {
        name: info.name().to_owned(),
        error,
    };
    let torrent = session.add(metainfo, options).await.map_err(refused)?;
    let checking = context
        .progress
        .meter(info.name(), info.geometry().total(), OFTEN);
    let mut checker = Follower::new(torrent.clone(), checking, 0, Json::OFF);
    if let Err(error) = checker.checked().await {
        return Err(explain(context, metainfo, &args.data, error));
    }
    let meter = context.progress.endless(info.name());
    Ok(Follower::new(
        torrent,
        meter,
        0,
        context.common.json_lines(),
    ))
}

/// Names the files at fault where data is missing or wrong.
fn explain(context: &Context, metainfo: &Metainfo, dir: &Path, error: CliError) -> CliError {
    let CliError::Torrent {
        error: TorrentError::Incomplete { have },
        ..
    } = error
    else {
        return error;
    };
    let info = metainfo.info();
    let geometry = info.geometry();
    let mut files = report::report(info, &have, dir);
    files.retain(|file| file.verdict != Verdict::Ok);
    let missing = geometry.pieces().filter(|&piece| !have.has(piece));
    let missing = missing
        .map(|piece| u64::from(geometry.piece_len(piece)))
        .sum();
    refuse(context, metainfo, dir, &files, missing)
}
