//! `tailwater daemon`

mod fixed;
mod listeners;
mod notify;
mod qbittorrent;
mod reload;
mod rqbit;
mod stremio;
mod torrserver;
mod transmission;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Command;
use serde::Serialize;
use tailwater_serve::api::{ApiConfig, ApiServer};
use tailwater_serve::control::store::Store;
use tailwater_serve::control::{ChangeKind, Control, ControlConfig, StateLock, Tokens, UrlPolicy};
use tailwater_serve::tls::ServerTls;
use tailwater_session::Session;
use tailwater_session::limits::DEFAULT_MEMORY_BUDGET;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use self::listeners::{Listeners, Opened};
use self::reload::{Reloader, SharedHook};
use super::Context;
use super::hook::{self, Facts};
use crate::args::{self, Daemon, ServeAddr};
use crate::config;
use crate::error::{CliError, DaemonFailure, plain};
use crate::home;
use crate::out;
use crate::progress::Progress;
use crate::start::{self, Table};

/// The port of the API.
const DEFAULT_PORT: u16 = 7870;
/// Of the time for a clean end, what HTTP may take.
pub(super) const CLOSE_HTTP_WITHIN: Duration = Duration::from_millis(300);
/// What the rest may take: thousands of torrents tell their trackers and are saved.
const CLOSE_SESSION_WITHIN: Duration = Duration::from_secs(20);
/// What all of it may take.
pub(super) const CLOSE_WITHIN: Duration = CLOSE_HTTP_WITHIN.saturating_add(CLOSE_SESSION_WITHIN);
/// An end that takes no longer needs no explanation.
const SILENT_FOR: Duration = Duration::from_millis(700);
/// How often it is said what is still waited for.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// Where files go if nothing else is said.
pub(super) const DEFAULT_DATA: &str = "~/Downloads";

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Serving {
        http: SocketAddr,
        url: String,
        /// By the names of their options.
        #[serde(flatten)]
        listeners: BTreeMap<&'static str, SocketAddr>,
        peers: Option<SocketAddr>,
        torrents: usize,
    },
}

pub(super) async fn run(context: &Context, args: &Daemon) -> Result<(), CliError> {
    if args.print_config {
        return print_config();
    }
    let state = state_dir(args)?;
    if let Some(name) = &args.create_token {
        return create_token(context, &state, name, args.read_only).await;
    }
    if let Some(name) = &args.revoke_token {
        return revoke_token(context, &state, name).await;
    }
    let _lock = lock(&state)?;
    // Before anything else, so that a port that is taken costs nothing.
    let ports = Ports {
        http: listen(args, &state).await?,
        others: Opened::open(args, &state).await?,
    };
    let tls = tls(args).await?;
    let builder = start::builder(&args.network, Table::Kept)
        .await?
        .memory_budget(args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0))
        .state_dir(state.join("resume"));
    let session = builder.start()?;
    let config = ControlConfig::new(session.clone(), &state, data_dir(args)?)
        .folders(args.allow_dir.iter().cloned())
        .reuse(args.reuse.iter().cloned())
        .urls(match args.allow_private_urls {
            true => UrlPolicy::Any,
            false => UrlPolicy::Public,
        })
        .proxy(args.network.proxy.as_ref().map(Into::into))
        .peers(args.network.peers_by_addr());
    let control = Control::start(config).await.map_err(DaemonFailure::from)?;
    connect_named(&control, args, &context.progress);
    let interrupt = &context.interrupt;
    interrupt.close_within(CLOSE_WITHIN);
    // Where there is a terminal, SIGHUP says that it was closed.
    if !std::io::stderr().is_terminal() {
        interrupt.reloads_on_hangup();
    }
    let mut reloader = Reloader::new(&control, session.clone(), args, context.progress.clone());
    reloader.tls = tls;
    let hook = reloader.hook.clone();
    tokio::spawn(tell(control.clone(), hook, context.progress.clone()));
    let alive = tokio::spawn(notify::keep_alive());
    let outcome = serve(context, args, ports, &state, &mut reloader).await;
    notify::stopping();
    close(&control, &session, &context.progress).await;
    alive.abort();
    outcome
}

/// Has every torrent connect to the peers that `--peer` names by host name, as soon as they are resolved.
fn connect_named(control: &Control, args: &Daemon, progress: &Progress) {
    let (network, control, progress) = (args.network.clone(), control.clone(), progress.clone());
    tokio::spawn(async move {
        let peers = network.peers_by_name(&progress).await;
        if !peers.is_empty() {
            control.connect_all(peers).await;
        }
    });
}

/// Closes the daemon. What it waits for is said if that takes long.
pub(super) async fn close(control: &Control, session: &Session, progress: &Progress) {
    let closing = control.close();
    tokio::pin!(closing);
    if timeout(SILENT_FOR, &mut closing).await.is_ok() {
        return;
    }
    let say = async {
        loop {
            let torrents = crate::words::count(session.stats().torrents, "torrent");
            progress.note(format_args!(
                "closing: {torrents} still to be saved and to tell their trackers; Ctrl-C quits at once"
            ));
            sleep(SAY_EVERY).await;
        }
    };
    let waiting = async {
        tokio::select! {
            () = closing => {}
            () = say => {}
        }
    };
    if timeout(CLOSE_SESSION_WITHIN, waiting).await.is_err() {
        tracing::warn!("the daemon did not close in time");
    }
}

/// Ports that are open, and not answered on yet.
struct Ports {
    http: TcpListener,
    others: Opened,
}

async fn serve(
    context: &Context,
    args: &Daemon,
    ports: Ports,
    state: &Path,
    reloader: &mut Reloader,
) -> Result<(), CliError> {
    let control = &reloader.control.clone();
    let api = ApiConfig::default()
        .host_names(args.allow_host.iter().cloned())
        .requires_token(args.require_token)
        .tls(reloader.tls.clone());
    let failed = |source| CliError::System {
        operation: "serve HTTP",
        source,
    };
    let server = ApiServer::start(ports.http, control.clone(), &api).map_err(failed)?;
    let others = ports.others.serve(reloader, args, state)?;
    let run = async {
        let scheme = if args.tls_cert.is_some() {
            "https"
        } else {
            "http"
        };
        announce(context, scheme, server.addr(), &others, control)?;
        notify::ready();
        loop {
            context.interrupt.reload_requested().await;
            notify::reloading();
            reloader.reload().await;
            notify::ready();
        }
    };
    let closing = async {
        others.close_requested().await;
        Ok(())
    };
    let until_closed = async {
        tokio::select! {
            outcome = run => outcome,
            outcome = closing => outcome,
        }
    };
    let outcome = context.interrupt.guard(until_closed).await;
    // Before the session: a client that still reads must not take its end for the file's.
    let close = async {
        server.close().await;
        others.close().await;
    };
    let _ = timeout(CLOSE_HTTP_WITHIN, close).await;
    outcome
}

/// Starts the program for each torrent that becomes complete, one at a time, to the end.
async fn tell(control: Control, hook: SharedHook, progress: Progress) {
    let mut at = control.log().newest();
    loop {
        let changes = match control.log().since(at) {
            Ok(changes) => changes,
            Err(missed) => {
                tracing::warn!(
                    "the program of --on-complete is too slow: it was not told of all torrents"
                );
                at = missed.newest;
                continue;
            }
        };
        if changes.is_empty() {
            control.log().wait(at).await;
        }
        for change in changes {
            at = change.id;
            let completed = change.kind == ChangeKind::Completed;
            let Some(id) = change.torrent.filter(|_| completed) else {
                continue;
            };
            let Some(hook) = hook.lock().clone() else {
                continue;
            };
            // There is nothing to tell of one that was removed meanwhile.
            if let (Ok(torrent), Ok(view)) = (control.handle(id).await, control.torrent(id)) {
                let dir = view.folder.as_deref().map(Path::new);
                let facts = Facts::new(torrent.info(), id.info_hash(), dir);
                hook::run(&hook, &facts, &progress).await;
            }
        }
    }
}

fn announce(
    context: &Context,
    scheme: &str,
    http: SocketAddr,
    others: &Listeners,
    control: &Control,
) -> Result<(), CliError> {
    let url = format!("{scheme}://{http}");
    let stats = control.stats();
    if context.common.json() {
        return out::json(&Line::Serving {
            http,
            url,
            listeners: others.addrs().map(|(api, addr)| (api.key, addr)).collect(),
            peers: stats.listen_addr.and_then(|addr| addr.parse().ok()),
            torrents: stats.torrents,
        });
    }
    if let Some(addr) = stats.listen_addr {
        context
            .progress
            .inform(format_args!("listening on {addr}"))?;
    }
    for (api, addr) in others.addrs() {
        let (name, path) = (api.name, api.path);
        context
            .progress
            .inform(format_args!("{name}: {scheme}://{addr}{path}"))?;
    }
    let torrents = crate::words::count(stats.torrents, "torrent");
    context
        .progress
        .say(format_args!("daemon:  {url}/api/v1  ({torrents})"))
}

/// Opens the port for HTTP, which strangers reach only where a token keeps them out.
async fn listen(args: &Daemon, state: &Path) -> Result<TcpListener, CliError> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    let addr = args.http.map_or(default, |ServeAddr(addr)| addr);
    check_tokens(args, addr, state).await?;
    let refused = |source| CliError::Http { addr, source };
    TcpListener::bind(addr).await.map_err(refused)
}

/// Refuses an address that strangers reach while there is no token.
async fn check_tokens(args: &Daemon, addr: SocketAddr, state: &Path) -> Result<(), CliError> {
    let is_local = addr.ip().to_canonical().is_loopback();
    if !is_local || args.require_token {
        let tokens = tokens(state).await?;
        let known = tokens.list().await.map_err(DaemonFailure::from)?;
        if known.is_empty() && !is_local {
            return Err(DaemonFailure::NoToken(addr).into());
        }
    }
    Ok(())
}

/// The certificate, if connections are to be encrypted.
async fn tls(args: &Daemon) -> Result<Option<ServerTls>, CliError> {
    let Some((certificate, key)) = args.tls_cert.clone().zip(args.tls_key.clone()) else {
        return Ok(None);
    };
    let reading = tokio::task::spawn_blocking(move || ServerTls::read(&certificate, &key));
    let read = reading.await.map_err(|_| CliError::Interrupted)?;
    Ok(Some(read.map_err(DaemonFailure::from)?))
}

fn state_dir(args: &Daemon) -> Result<PathBuf, CliError> {
    let dir = args.state.clone().or_else(start::daemon_dir);
    Ok(dir.ok_or(DaemonFailure::NoFolder("state"))?)
}

fn data_dir(args: &Daemon) -> Result<PathBuf, CliError> {
    match &args.data {
        Some(dir) => Ok(dir.clone()),
        None => {
            let dir = home::expand(DEFAULT_DATA);
            Ok(dir
                .map(PathBuf::from)
                .map_err(|_| DaemonFailure::NoFolder("data"))?)
        }
    }
}

pub(super) fn lock(state: &Path) -> Result<StateLock, CliError> {
    let taken = StateLock::take(state).map_err(|error| DaemonFailure::State {
        dir: state.to_owned(),
        reason: plain(&error).to_string(),
    })?;
    Ok(taken.ok_or_else(|| DaemonFailure::InUse(state.to_owned()))?)
}

/// The tokens in the database, which a running daemon may use at the same time.
async fn tokens(state: &Path) -> Result<Tokens, CliError> {
    let dir = state.to_owned();
    let opened = tokio::task::spawn_blocking(move || Store::open(&dir)).await;
    let store = opened.map_err(|_| CliError::Interrupted)?;
    let store = store.map_err(|error| DaemonFailure::Control(error.into()))?;
    Ok(Tokens::new(store))
}

async fn create_token(
    context: &Context,
    state: &Path,
    name: &str,
    is_read_only: bool,
) -> Result<(), CliError> {
    let tokens = tokens(state).await?;
    let token = tokens.add(name, is_read_only).await;
    let token = token.map_err(DaemonFailure::from)?;
    match context.common.json() {
        true => out::json(&token),
        false => out::line(&token.token),
    }
}

async fn revoke_token(context: &Context, state: &Path, name: &str) -> Result<(), CliError> {
    let removed = tokens(state).await?.remove(name).await;
    match removed.map_err(DaemonFailure::from)? {
        true if context.common.json() => Ok(()),
        true => context
            .progress
            .inform(format_args!("the token {name:?} is deleted")),
        false => Err(DaemonFailure::NoSuchToken(name.to_owned()).into()),
    }
}

/// A file with the options of the daemon alone.
fn print_config() -> Result<(), CliError> {
    let all = args::command();
    let mut only = Command::new("tailwater");
    for arg in all.get_arguments() {
        only = only.arg(arg.clone());
    }
    if let Some(daemon) = all.find_subcommand("daemon") {
        only = only.subcommand(daemon.clone());
    }
    out::line(config::example(&only).trim_end())
}
