//! `tailwater seed`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tailwater_metainfo::Metainfo;
use tailwater_serve::size::Size;
use tailwater_session::RemoveOptions;
use tailwater_session::{AddError, AddOptions, Session, StorageKind, TorrentError};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Context;
use super::follow::Follower;
use super::goals::Watch;
use crate::args::{Json, Seed};
use crate::error::CliError;
use crate::input::link::Link;
use crate::input::magnet::{self, Audience, Loaded};
use crate::input::{self, Terms, warn_named_twice};
use crate::json;
use crate::known::About;
use crate::out::Harmless;
use crate::progress::{OFTEN, Progress};
use crate::report::{self, FileReport, Verdict};
use crate::running::Running;
use crate::start::{self, Table};
use crate::tally::Tally;
use crate::words::count;

/// How many files an error lists; the rest is counted.
const FILES_SHOWN: usize = 10;

pub(super) async fn run(context: &Context, args: &Seed) -> Result<(), CliError> {
    let gathering = input::gather(&args.sources);
    let wishes = context.interrupt.guard(gathering).await?;
    if let Some(data) = &args.data
        && !data.is_dir()
    {
        return Err(CliError::NotAFolder(data.clone()));
    }
    if args.data.is_none() && wishes.iter().any(|wish| wish.terms.dir.is_none()) {
        return Err(CliError::Usage(
            "where is the data? name its folder with `--data DIR`, or with the option dir=DIR in the list".to_owned(),
        ));
    }
    let json = context.common.json_lines();
    let opening = input::open(wishes, &args.network, &context.progress, json);
    let opened = context.interrupt.guard(opening).await?;
    let mut failed = opened.failed;
    let mut torrents = Vec::new();
    for (metainfo, terms) in opened.torrents {
        let dir = data_dir(args, &terms);
        match check_lengths(&context.progress, &metainfo, &dir, args.partial) {
            Ok(()) => torrents.push((metainfo, dir)),
            Err(error) => {
                failed = true;
                context.progress.failure(&error);
            }
        }
    }
    if torrents.is_empty() && opened.links.is_empty() {
        return Err(CliError::Reported);
    }
    let mut builder = start::builder(&args.network, Table::Kept).await?;
    // What has been fetched of a link before need not be fetched again.
    if !opened.links.is_empty()
        && let Some(dir) = start::resume_dir()
    {
        builder = builder.state_dir(dir);
    }
    let running = Running::start(builder, &context.progress, json)?;
    let seeds = Seeds {
        session: running.session.clone(),
        args: args.clone(),
        progress: context.progress.clone(),
        json,
        checking: Mutex::new(()),
    };
    let seeding = seed(Arc::new(seeds), torrents, opened.links);
    let outcome = context.interrupt.guard(seeding).await;
    running.close().await;
    match outcome {
        Ok(()) if failed => Err(CliError::Reported),
        outcome => outcome,
    }
}

fn data_dir(args: &Seed, terms: &Terms) -> PathBuf {
    let dir = terms.dir.as_ref().or(args.data.as_ref());
    dir.cloned().unwrap_or_else(|| PathBuf::from("."))
}

/// Detects torrents whose files are missing or too short, before any data is hashed and any tracker told.
fn check_lengths(
    progress: &Progress,
    metainfo: &Metainfo,
    dir: &Path,
    is_partial: bool,
) -> Result<(), CliError> {
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
    match missing.is_empty() || is_partial {
        // A file that is too long has all that the torrent needs. It is not ours to cut.
        true => {
            for (file, more) in wrong.iter().filter_map(|file| Some((file, surplus(file)?))) {
                let more = count(usize::try_from(more).unwrap_or(usize::MAX), "byte");
                progress.note(format_args!(
                    "warning: {} is {more} longer than in the torrent: what is behind is not shared",
                    Harmless(&file.path)
                ));
            }
            Ok(())
        }
        false => Err(refuse(
            progress,
            metainfo,
            dir,
            &wrong,
            missing.iter().sum(),
        )),
    }
}

/// Reports which files are at fault.
fn refuse(
    progress: &Progress,
    metainfo: &Metainfo,
    dir: &Path,
    wrong: &[FileReport],
    missing: u64,
) -> CliError {
    // The others cannot be checked because of these.
    let at_fault: Vec<_> = wrong
        .iter()
        .filter(|file| !matches!(file.verdict, Verdict::Unsure { .. }))
        .collect();
    for file in at_fault.iter().take(FILES_SHOWN) {
        progress.error(file);
    }
    if let Some(more) = at_fault
        .len()
        .checked_sub(FILES_SHOWN)
        .filter(|&more| more > 0)
    {
        progress.error(format_args!("… and {}", count(more, "more file")));
    }
    CliError::Incomplete {
        tally: Tally::of(wrong),
        name: metainfo.info().name().to_owned(),
        missing: Size(missing),
        total: Size(metainfo.info().payload_len()),
        dir: dir.to_owned(),
    }
}

/// State that all torrents of the command share.
struct Seeds {
    session: Session,
    args: Seed,
    progress: Progress,
    json: Json,
    /// Held while a torrent's data is checked: two at once would make a disk seek.
    checking: Mutex<()>,
}

async fn seed(
    seeds: Arc<Seeds>,
    torrents: Vec<(Metainfo, PathBuf)>,
    links: Vec<(Link, Terms)>,
) -> Result<(), CliError> {
    let mut seeding = JoinSet::new();
    for (metainfo, dir) in torrents {
        let seeds = Arc::clone(&seeds);
        seeding.spawn(async move { seeds.seed(&Loaded::of(metainfo), &dir).await });
    }
    for (link, terms) in links {
        let seeds = Arc::clone(&seeds);
        seeding.spawn(async move { seeds.seed_link(&link, &terms).await });
    }
    let mut failed = false;
    // One whose files are wrong, or deleted by another program, ends, and the others go on.
    while let Some(ended) = seeding.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            // Which torrent a publication is is known late.
            Ok(Err(CliError::Add {
                name,
                error: AddError::Duplicate(_),
            })) => warn_named_twice(&name, &seeds.progress),
            Ok(Err(error)) => {
                failed = true;
                seeds.progress.failure(&error);
            }
            // A task that panicked has printed its message.
            Err(_) => failed = true,
        }
    }
    match failed {
        true => Err(CliError::Reported),
        false => Ok(()),
    }
}

impl Seeds {
    /// Fetches a link's metadata, and seeds what it is of.
    async fn seed_link(&self, link: &Link, terms: &Terms) -> Result<(), CliError> {
        let audience = Audience {
            progress: self.progress.clone(),
            json: self.json,
            seen: None,
            patience: self.args.goals.patience(),
        };
        let network = &self.args.network;
        let loaded = magnet::fetch(&self.session, link, network, &audience).await?;
        let dir = data_dir(&self.args, terms);
        check_lengths(&self.progress, &loaded.metainfo, &dir, self.args.partial)?;
        self.seed(&loaded, &dir).await
    }

    /// Checks a torrent's data, and shares it.
    async fn seed(&self, loaded: &Loaded, dir: &Path) -> Result<(), CliError> {
        let info = loaded.metainfo.info();
        let (info_hash, about) = (info.info_hashes().wire(), About::new(info, Some(dir)));
        if let Some(info_hash) = info_hash {
            self.progress.known().insert(info_hash, about.clone());
        }
        let ended = self.check_and_share(loaded, dir).await;
        if let (Err(error), Some(info_hash)) = (&ended, info_hash) {
            json::failed(self.json, info_hash, &about, error)?;
        }
        ended
    }

    async fn check_and_share(&self, loaded: &Loaded, dir: &Path) -> Result<(), CliError> {
        let metainfo = &loaded.metainfo;
        // In boxes: what is over leaves its memory, and there are many torrents that only wait.
        let mut follower = Box::pin(self.open(loaded, dir)).await?;
        if !self.json.is_on() {
            let stats = follower.torrent().stats();
            let (name, all) = (metainfo.info().name(), Size(metainfo.info().payload_len()));
            let size = match stats.bytes_have < stats.bytes_total {
                true => format!("{} of {all}", Size(stats.bytes_have)),
                false => all.to_string(),
            };
            self.progress
                .inform(format_args!("seeding {name}, {size}; Ctrl-C ends it"))?;
        }
        let size = metainfo.info().payload_len();
        let mut watch = Watch::new(self.args.goals, size, Instant::now());
        let ended = watch.seed(&mut follower).await;
        // Nothing is deleted, so nothing can fail.
        let removing = follower.torrent().remove(RemoveOptions::default());
        let _ = Box::pin(removing).await;
        let goal = ended?;
        follower.finish();
        if !self.json.is_on() {
            self.progress.inform(format_args!(
                "done: {}, {goal}",
                Harmless(metainfo.info().name())
            ))?;
        }
        Ok(())
    }

    /// Adds a torrent and checks all its data.
    async fn open(&self, loaded: &Loaded, dir: &Path) -> Result<Follower, CliError> {
        let metainfo = &loaded.metainfo;
        let (info, network) = (metainfo.info(), &self.args.network);
        let options = AddOptions::new(StorageKind::Disk(dir.to_owned()))
            .seed_only(true)
            .super_seeding(self.args.super_seed)
            .seed_partial(self.args.partial)
            .recheck(true)
            .peers(network.peers_by_addr().chain(loaded.peers.iter().copied()))
            .banned(loaded.banned.iter().copied());
        let options = self.args.each.apply(options);
        let refused = |error| CliError::Add {
            name: info.name().to_owned(),
            error,
        };
        let _turn = self.checking.lock().await;
        let torrent = self.session.add(metainfo, options).await.map_err(refused)?;
        network.add_named_peers(&torrent, &self.progress);
        let checking = self
            .progress
            .meter(info.name(), info.geometry().total(), OFTEN);
        let (about, size) = (About::new(info, Some(dir)), info.payload_len());
        let mut checker = Follower::new(torrent.clone(), about.clone(), checking, size, Json::OFF);
        if let Err(error) = checker.checked().await {
            return Err(explain(&self.progress, metainfo, dir, error));
        }
        let meter = self.progress.endless(info.name());
        Ok(Follower::new(torrent, about, meter, size, self.json))
    }
}

/// Names the files at fault where data is missing or wrong.
fn explain(progress: &Progress, metainfo: &Metainfo, dir: &Path, error: CliError) -> CliError {
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
    refuse(progress, metainfo, dir, &files, missing)
}
