//! The torrents of a command: gathered from the command line, lists and standard input, then opened side by side.

pub(crate) mod authorities;
pub(crate) mod ip_filter;
pub(crate) mod link;
mod list;
pub(crate) mod magnet;
pub(crate) mod selection;
pub(crate) mod source;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use tailwater_metainfo::{InfoHash, Metainfo};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args::{Json, Network, STDIN, Source, Sources};
use crate::error::CliError;
use crate::json;
use crate::out::Harmless;
use crate::progress::Progress;
use link::Link;
use source::{Content, Given, Via};

/// Sources opened at once: enough that a slow web server delays few others, and few enough for open files.
const OPENED_AT_ONCE: usize = 16;
/// The longest list, in bytes: a hundred thousand magnet links.
const MAX_LIST: usize = 32 * 1024 * 1024;

/// A source, and what its list says of it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) source: Source,
    pub(crate) terms: Terms,
}

impl Wish {
    /// A source of which no list says more.
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            terms: Terms::default(),
        }
    }
}

/// Options of one source, which replace those of the command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The folder of its files.
    pub(crate) dir: Option<PathBuf>,
    /// Which of its files are wanted.
    pub(crate) files: Vec<String>,
}

/// All sources in their order.
///
/// # Errors
///
/// When a list or standard input cannot be read, or a list is wrong.
pub(crate) async fn gather(args: &Sources) -> Result<Vec<Wish>, CliError> {
    let from_input = |path: &PathBuf| path.as_os_str() == "-";
    let reads = args
        .sources
        .iter()
        .filter(|&source| *source == Source::Stdin);
    if reads.count() + args.input.iter().filter(|path| from_input(path)).count() > 1 {
        return Err(CliError::Usage(
            "standard input (`-`) can be read once only".to_owned(),
        ));
    }
    let mut wishes = Vec::new();
    for source in &args.sources {
        match source {
            Source::Stdin => wishes.extend(standard_input().await?),
            source => wishes.push(Wish::new(source.clone())),
        }
    }
    for path in &args.input {
        match from_input(path) {
            true => wishes.extend(standard_input().await?),
            false => wishes.extend(list::parse(
                &path.display().to_string(),
                &source::read(path, MAX_LIST)?,
            )?),
        }
    }
    match wishes.is_empty() {
        true => Err(CliError::Usage(
            "the list names no sources: write one a line".to_owned(),
        )),
        false => Ok(wishes),
    }
}

async fn standard_input() -> Result<Vec<Wish>, CliError> {
    Ok(match source::standard_input(MAX_LIST).await? {
        Content::Torrents(torrents) => {
            let wishes = torrents
                .into_iter()
                .map(|torrent| Wish::new(Source::Bytes(torrent)));
            wishes.collect()
        }
        Content::Text(text) => list::parse(STDIN, text.as_bytes())?,
    })
}

/// The one source that standard input names, for commands that take one.
pub(crate) fn only_source(text: &str) -> Result<Source, CliError> {
    let wishes = list::parse(STDIN, text.as_bytes())?;
    only(wishes, "names").map(|wish| wish.source)
}

/// The one of what standard input `has`, for commands that take one.
pub(crate) fn only<T>(mut all: Vec<T>, has: &str) -> Result<T, CliError> {
    match (all.pop(), all.len()) {
        (Some(one), 0) => Ok(one),
        (one, more) => Err(CliError::Usage(format!(
            "standard input {has} {} torrents, and `-` is for one here",
            more + usize::from(one.is_some())
        ))),
    }
}

/// The sources that could be opened without peers, and the links that need them.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) torrents: Vec<(Metainfo, Terms)>,
    /// Torrents whose metadata has to come from peers.
    pub(crate) links: Vec<(Link, Terms)>,
    /// Some source could not be opened; the error has been printed.
    pub(crate) failed: bool,
}

/// Opens them side by side. A source that fails is reported and does not stop the others; one that names a torrent
/// again is left out with a warning.
///
/// # Errors
///
/// When standard output, which takes lines of JSON, is gone.
///
/// # Cancel safety
///
/// What has been opened is lost when the future is dropped.
pub(crate) async fn open(
    wishes: Vec<Wish>,
    network: &Network,
    progress: &Progress,
    json: Json,
) -> Result<Opened, CliError> {
    let places = Arc::new(Semaphore::new(OPENED_AT_ONCE));
    let mut opening = JoinSet::new();
    for (number, wish) in wishes.into_iter().enumerate() {
        let (places, progress) = (Arc::clone(&places), progress.clone());
        let network = network.clone();
        opening.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            (
                number,
                wish.source.open(Via::of(&network), &progress).await,
                wish,
            )
        });
    }
    // A task that panicked has printed its message, and is missing.
    let expected = opening.len();
    let mut results: Vec<_> = opening.join_all().await;
    results.sort_unstable_by_key(|(number, ..)| *number);
    let mut opened = Opened {
        failed: results.len() < expected,
        ..Opened::default()
    };
    let mut named = HashSet::new();
    let mut late = Vec::new();
    for (_, given, wish) in results {
        match given {
            Ok(Given::Torrent(metainfo)) => {
                let hash = metainfo.info().info_hashes().wire();
                if is_new(&mut named, hash, metainfo.info().name(), progress) {
                    opened.torrents.push((metainfo, wish.terms));
                }
            }
            Ok(Given::Link(link)) => late.push((link, wish.terms)),
            Err(error) => {
                opened.failed = true;
                progress.failure(&error);
                json::source_failed(json, &wish.source.name(), &error)?;
            }
        }
    }
    // A file is at hand, so that a link to the same torrent is the one that is left out.
    for (link, terms) in late {
        let hash = match &link {
            Link::Torrent(magnet) => magnet.hashes.wire(),
            Link::Published(_) => None,
        };
        let name = match &link {
            Link::Torrent(magnet) => magnet::name(magnet),
            Link::Published(_) => String::new(),
        };
        if is_new(&mut named, hash, &name, progress) {
            opened.links.push((link, terms));
        }
    }
    Ok(opened)
}

fn is_new(
    named: &mut HashSet<InfoHash>,
    hash: Option<InfoHash>,
    name: &str,
    progress: &Progress,
) -> bool {
    let is_new = hash.is_none_or(|hash| named.insert(hash));
    if !is_new {
        warn_named_twice(name, progress);
    }
    is_new
}

/// Warns that a torrent is left out because another source is the same one.
pub(crate) fn warn_named_twice(name: &str, progress: &Progress) {
    progress.note(format_args!(
        "warning: {} is named twice: one of them is left out",
        Harmless(name)
    ));
}
