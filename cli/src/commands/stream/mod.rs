//! `tailwater stream`

mod choice;
mod player;
mod said;
mod shown;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailwater_metainfo::Info;
use tailwater_serve::fetching::Attempt;
use tailwater_serve::stream::{Hosts, Library, Limits, Server, Site, TorrentSource, library};
use tailwater_session::limits::DEFAULT_MEMORY_BUDGET;
use tailwater_session::{AddOptions, Lookbehind, Session, StorageKind, Torrent};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Context;
use crate::args::{Behind, ServeAddr, StorageChoice, Stream};
use crate::error::CliError;
use crate::input::link::Link;
use crate::input::magnet::{self, Audience, Loaded};
use crate::input::source::Given;
use crate::input::source::Via;
use crate::known::About;
use crate::running::Running;
use crate::start;
use choice::choose;
use shown::{Shown, Urls};

pub(super) async fn run(context: &Context, args: &Stream) -> Result<(), CliError> {
    check_flags(args)?;
    let opening = args.source.open(Via::of(&args.network), &context.progress);
    let ready = match context.interrupt.guard(opening).await? {
        Given::Torrent(metainfo) => Ok(Film::new(Loaded::of(metainfo), args)?),
        Given::Link(link) => Err(link),
    };
    let http = Http::bind(args.http.unwrap_or_default()).await?;
    let mut builder = start::builder(&args.network, args.storage.into())
        .await?
        .memory_budget(args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0));
    if args.storage == StorageChoice::Disk
        && let Some(dir) = start::resume_dir()
    {
        builder = builder.state_dir(dir);
    }
    let running = Running::start(builder, &context.progress, context.common.json_lines())?;
    let streaming = Streaming {
        context,
        args,
        session: &running.session,
    };
    let outcome = match ready {
        Ok(film) => streaming.film(film, http).await,
        Err(link) => streaming.link(&link, http).await,
    };
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

fn check_flags(args: &Stream) -> Result<(), CliError> {
    args.existing.check_storage(args.storage)?;
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

/// One stream, from its source to its end.
struct Streaming<'a> {
    context: &'a Context,
    args: &'a Stream,
    session: &'a Session,
}

impl Streaming<'_> {
    /// Streams a torrent whose metadata is known.
    async fn film(&self, film: Film, http: Http) -> Result<(), CliError> {
        let site = self.site(&http, watch::channel(Attempt::default()).1);
        let shown = self.show(film, &site, http.addr).await?;
        let http_addr = http.addr;
        let server = self.serve(http, site);
        let run = async {
            shown.announce()?;
            shown::open_page(self.args, http_addr)?;
            shown.run(self.args).await
        };
        let outcome = self.context.interrupt.guard(run).await;
        // Before the session: a client that still reads must not take its end for the file's.
        server.close().await;
        outcome
    }

    /// Streams a link: the page is served before the metadata is known.
    async fn link(&self, link: &Link, http: Http) -> Result<(), CliError> {
        let (seen, attempt) = watch::channel(attempt(link));
        let addr = http.addr;
        let site = self.site(&http, attempt);
        let server = self.serve(http, Arc::clone(&site));
        let run = async {
            Urls::of_page(addr).announce(self.context, "waiting for the metadata")?;
            shown::open_page(self.args, addr)?;
            let audience = Audience {
                progress: self.context.progress.clone(),
                json: self.context.common.json_lines(),
                seen: Some(seen),
                patience: None,
            };
            let loaded = magnet::fetch(self.session, link, &self.args.network, &audience).await?;
            let shown = self
                .show(Film::new(loaded, self.args)?, &site, addr)
                .await?;
            shown.announce_late()?;
            shown.run(self.args).await
        };
        let outcome = self.context.interrupt.guard(run).await;
        server.close().await;
        outcome
    }

    fn site(&self, http: &Http, attempt: watch::Receiver<Attempt>) -> Arc<Site<TorrentSource>> {
        let hosts = Hosts::of(http.addr).with_names(&self.args.allow_host);
        Arc::new(Site::new(hosts, Limits::default(), attempt))
    }

    fn serve(&self, http: Http, site: Arc<Site<TorrentSource>>) -> Server {
        Server::start(http.listener, site, Limits::default())
    }

    /// Adds the torrent, and has it served.
    async fn show(
        &self,
        film: Film,
        site: &Site<TorrentSource>,
        addr: SocketAddr,
    ) -> Result<Shown<'_>, CliError> {
        let Film { loaded, library } = film;
        let torrent = self.add(&loaded).await?;
        let args = self.args;
        args.network
            .add_named_peers(&torrent, &self.context.progress);
        let lookbehind = match args.lookbehind {
            None => Lookbehind::Share,
            Some(Behind::Bytes(size)) => Lookbehind::Bytes(size.0),
            Some(Behind::Seconds(time)) => Lookbehind::Seconds(time),
        };
        let library = Arc::new(library);
        let chosen = library.chosen().index;
        let duration = args.duration.map(|duration| (chosen, duration));
        let source = TorrentSource::new(torrent.clone(), lookbehind, duration);
        site.show(source.clone(), Arc::clone(&library));
        // A player takes a second to start. A torrent that has failed meanwhile says so in its status.
        let _ = torrent.prefetch(chosen).await;
        Ok(Shown {
            context: self.context,
            torrent,
            source,
            library,
            urls_at: addr,
            is_named: args.file.is_some(),
            is_lonely: loaded.is_lonely(&args.network),
            meter: self.context.progress.endless(loaded.metainfo.info().name()),
        })
    }

    /// Events of the session are shown with the torrent's name.
    fn tell_of(&self, info: &Info) {
        let dir = match self.args.storage {
            StorageChoice::Memory => None,
            StorageChoice::Disk => Some(self.args.output.as_deref().unwrap_or(Path::new("."))),
        };
        if let Some(info_hash) = info.info_hashes().wire() {
            let about = About {
                is_followed: false,
                ..About::new(info, dir)
            };
            self.context.progress.known().insert(info_hash, about);
        }
    }

    async fn add(&self, loaded: &Loaded) -> Result<Torrent, CliError> {
        let (args, metainfo) = (self.args, &loaded.metainfo);
        let storage = match args.storage {
            StorageChoice::Memory => StorageKind::Memory,
            StorageChoice::Disk => {
                StorageKind::Disk(args.output.clone().unwrap_or_else(|| PathBuf::from(".")))
            }
        };
        let peers = args.network.peers_by_addr();
        let options = AddOptions::new(storage)
            .on_demand(true)
            .peers(peers.chain(loaded.peers.iter().copied()))
            .banned(loaded.banned.iter().copied());
        let options = self.args.existing.apply(options);
        let refused = |error| CliError::Add {
            name: metainfo.info().name().to_owned(),
            error,
        };
        self.tell_of(metainfo.info());
        self.session.add(metainfo, options).await.map_err(refused)
    }
}

/// What is known of a link before its metadata is fetched.
fn attempt(link: &Link) -> Attempt {
    match link {
        Link::Torrent(magnet) => Attempt {
            name: magnet::name(magnet),
            info_hash: magnet.hashes.wire(),
            ..Attempt::default()
        },
        Link::Published(_) => Attempt::default(),
    }
}
