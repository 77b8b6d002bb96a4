//! `tailwater stream`

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tailwater_session::{
    AddOptions, DEFAULT_MEMORY_BUDGET, Lookbehind, Phase, Session, StorageKind, Torrent,
    TorrentError,
};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use super::Context;
use crate::args::{Behind, ServeAddr, StorageChoice, Stream};
use crate::error::CliError;
use crate::link::Link;
use crate::magnet::{self, Audience, Loaded};
use crate::out::{self, Harmless};
use crate::progress::{Meter, count, percent};
use crate::running::Running;
use crate::size::Size;
use crate::source::Given;
use crate::start;
use crate::stream::{
    Hosts, Library, Limits, Player, ReaderState, Server, Site, Snapshot, TorrentSource, choose,
    library,
};

/// How often the numbers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Listening(&'a Urls),
    Streaming {
        #[serde(flatten)]
        snapshot: &'a Snapshot,
    },
}

/// Where everything is.
#[derive(Debug, Serialize)]
struct Urls {
    http: SocketAddr,
    page: String,
    file: String,
    playlist: String,
    stats: String,
}

pub(super) async fn run(context: &Context, args: &Stream) -> Result<(), CliError> {
    check_flags(args)?;
    let opening = args.source.open_v1(&context.progress);
    let ready = match context.interrupt.guard(opening).await? {
        Given::Torrent(metainfo) => Ok(Film::new(Loaded::of(metainfo), args)?),
        Given::Link(link) => Err(link),
    };
    let http = Http::bind(args.http.unwrap_or_default()).await?;
    let mut builder = start::builder(&args.network, args.storage.into())
        .memory_budget(args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0));
    if args.storage == StorageChoice::Disk
        && let Some(dir) = start::resume_dir()
    {
        builder = builder.state_dir(dir);
    }
    let running = Running::start(builder, &context.progress, context.common.json_lines())?;
    let session = &running.session;
    let streaming = async {
        let film = match ready {
            Ok(film) => film,
            Err(link) => fetch(context, args, session, &link).await?,
        };
        stream(context, args, session, film, http).await
    };
    let outcome = streaming.await;
    running.close().await;
    outcome
}

/// What is streamed.
struct Film {
    loaded: Loaded,
    library: Library,
}

impl Film {
    fn new(loaded: Loaded, args: &Stream) -> Result<Self, CliError> {
        let info = loaded.metainfo.info();
        let chosen = args.file.as_deref().map(|file| choose(info, file));
        let library = |chosen| {
            library(&loaded.metainfo, chosen)
                .ok_or_else(|| CliError::NoFiles(info.name().to_owned()))
        };
        let library = match (chosen.transpose()?, &loaded.selected) {
            (None, Some(selected)) => {
                let best = library(None)?.best_of(selected);
                library(best)?
            }
            (chosen, _) => library(chosen)?,
        };
        Ok(Self { loaded, library })
    }
}

/// Has the metadata of a link fetched.
async fn fetch(
    context: &Context,
    args: &Stream,
    session: &Session,
    link: &Link,
) -> Result<Film, CliError> {
    let audience = Audience {
        progress: context.progress.clone(),
        json: context.common.json_lines(),
        seen: None,
        patience: None,
    };
    let fetching = magnet::fetch(session, link, &args.network, &audience);
    Film::new(context.interrupt.guard(fetching).await?, args)
}

fn check_flags(args: &Stream) -> Result<(), CliError> {
    let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
    match args.storage {
        StorageChoice::Memory if args.output.is_some() => {
            usage("`--output` needs `--storage disk`: without it nothing touches the disk")
        }
        StorageChoice::Disk if args.memory.is_some() => {
            usage("`--memory` has no meaning with `--storage disk`: everything is kept in files")
        }
        StorageChoice::Disk if args.lookbehind.is_some() => usage(
            "`--lookbehind` has no meaning with `--storage disk`: everything is kept in files",
        ),
        _ => Ok(()),
    }
}

/// Where HTTP will be served.
struct Http {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Http {
    async fn bind(ServeAddr(addr): ServeAddr) -> Result<Self, CliError> {
        let refused = |source| CliError::Http { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, addr })
    }
}

async fn stream(
    context: &Context,
    args: &Stream,
    session: &Session,
    film: Film,
    http: Http,
) -> Result<(), CliError> {
    let Film { loaded, library } = film;
    let torrent = add(args, session, &loaded).await?;
    args.network.add_named_peers(&torrent, &context.progress);
    let lookbehind = match args.lookbehind {
        None => Lookbehind::Share,
        Some(Behind::Bytes(size)) => Lookbehind::Bytes(size.0),
        Some(Behind::Seconds(time)) => Lookbehind::Seconds(time),
    };
    let library = Arc::new(library);
    let chosen = library.chosen().index;
    let duration = args.duration.map(|duration| (chosen, duration));
    let source = TorrentSource::new(torrent.clone(), lookbehind, duration);
    let hosts = Hosts::of(http.addr);
    let limits = Limits::default();
    let site = Site::new(source.clone(), Arc::clone(&library), hosts, limits);
    let server = Server::start(http.listener, http.addr, site, limits);
    let shown = Shown {
        context,
        torrent,
        source,
        library,
        is_lonely: loaded.is_lonely(&args.network),
        meter: context.progress.endless(loaded.metainfo.info().name()),
    };
    let outcome = context.interrupt.guard(shown.run(args, &server)).await;
    // Before the session: whoever still reads must not take its end for the file's.
    server.close().await;
    outcome
}

async fn add(args: &Stream, session: &Session, loaded: &Loaded) -> Result<Torrent, CliError> {
    let metainfo = &loaded.metainfo;
    let storage = match args.storage {
        StorageChoice::Memory => StorageKind::Memory,
        StorageChoice::Disk => {
            StorageKind::Disk(args.output.clone().unwrap_or_else(|| PathBuf::from(".")))
        }
    };
    let options = AddOptions::new(storage)
        .on_demand(true)
        .peers(
            args.network
                .peers_by_addr()
                .chain(loaded.peers.iter().copied()),
        )
        .banned(loaded.banned.iter().copied());
    let refused = |error| CliError::Add {
        name: metainfo.info().name().to_owned(),
        error,
    };
    session.add(metainfo, options).await.map_err(refused)
}

/// What people see of a stream.
struct Shown<'a> {
    context: &'a Context,
    torrent: Torrent,
    source: TorrentSource,
    library: Arc<Library>,
    /// Nobody is known who could have it.
    is_lonely: bool,
    meter: Meter,
}

impl Shown<'_> {
    /// Until the torrent fails.
    async fn run(&self, args: &Stream, server: &Server) -> Result<(), CliError> {
        let urls = self.urls(Hosts::of(server.addr()));
        self.announce(server.addr(), &urls)?;
        // Dropped at the end: it goes on without us.
        let mut player = match &args.open {
            Some(program) => Some(Player::open(program, &urls.file)?),
            None => None,
        };
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut printed = None;
        loop {
            ticks.tick().await;
            let snapshot = self.look().await?;
            self.meter.set(0, self.words(&snapshot));
            if self.context.common.json_lines().has_events() && printed.as_ref() != Some(&snapshot)
            {
                out::json(&Line::Streaming {
                    snapshot: &snapshot,
                })?;
                printed = Some(snapshot);
            }
            self.watch(&mut player, &urls);
        }
    }

    fn urls(&self, hosts: Hosts) -> Urls {
        let addr = hosts.reachable();
        let page = format!("http://{addr}/");
        Urls {
            http: addr,
            file: self.library.chosen().url(addr),
            playlist: format!("{page}playlist.m3u"),
            stats: format!("{page}stats"),
            page,
        }
    }

    fn announce(&self, addr: SocketAddr, urls: &Urls) -> Result<(), CliError> {
        let progress = &self.context.progress;
        match self.context.common.json() {
            true => out::json(&Line::Listening(urls))?,
            false => {
                progress.say(format_args!(
                    "streaming {} (page: {})",
                    urls.file, urls.page
                ))?;
            }
        }
        if !addr.ip().is_loopback() {
            progress.note(format_args!(
                "warning: whoever can reach this machine can watch, at http://THIS-HOST'S-ADDRESS:{}/",
                addr.port()
            ));
        }
        let name = self.torrent.info().name();
        if self.is_lonely {
            progress.note(format_args!(
                "warning: {name} has no trackers: waiting for peers to connect; name one with `--peer ADDR:PORT`"
            ));
        }
        Ok(())
    }

    /// The buffer now, unless there is nothing more to expect of it.
    async fn look(&self) -> Result<Snapshot, CliError> {
        let failed = |error| CliError::Torrent {
            name: self.torrent.info().name().to_owned(),
            error,
        };
        match self.torrent.status().phase {
            Phase::Failed(error) => Err(failed(error)),
            Phase::Closed => Err(failed(TorrentError::Closed)),
            _ => self.source.look().await.map_err(failed),
        }
    }

    fn words(&self, snapshot: &Snapshot) -> String {
        let (rate, peers) = (
            Size(snapshot.transfer.down_rate),
            count(snapshot.transfer.peers, "peer"),
        );
        if let Phase::Checking { done, total } = self.torrent.status().phase {
            return format!("checking piece {done} of {total}");
        }
        // The one that reads fastest is the player; others look at the ends of the file.
        let Some(reader) = snapshot.readers.iter().max_by_key(|reader| reader.rate) else {
            return format!("nobody reads, {} held, {rate}/s, {peers}", Held(snapshot));
        };
        let stalls: u64 = snapshot.readers.iter().map(|reader| reader.stalls).sum();
        let stalls = count(usize::try_from(stalls).unwrap_or(usize::MAX), "stall");
        format!("{}, {rate}/s, {peers}, {stalls}", self.place(reader))
    }

    fn place(&self, reader: &ReaderState) -> String {
        let length = self.library.get(reader.file).map_or(0, |item| item.length);
        let (ahead, behind) = (Size(reader.ahead), Size(reader.behind));
        let at = percent(reader.cursor, length);
        let waits = if reader.is_waiting { ", waiting" } else { "" };
        format!("at {at} %{waits}, {ahead} ahead, {behind} behind")
    }

    /// Says when the player has ended, once.
    fn watch(&self, player: &mut Option<Player>, urls: &Urls) {
        if let Some(ended) = player.take_if(Player::has_ended) {
            let program = ended.program().display().to_string();
            self.context.progress.note(format_args!(
                "{} has ended; still streaming at {}, Ctrl-C ends it",
                Harmless(&program),
                urls.page
            ));
        }
    }
}

/// What is held, in words.
struct Held<'a>(&'a Snapshot);

impl Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.0.memory;
        write!(f, "{}", Size(memory.used))?;
        match memory.budget {
            Some(budget) => write!(f, " of {}", Size(budget)),
            None => Ok(()),
        }
    }
}
