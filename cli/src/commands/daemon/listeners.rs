//! The listeners for programs that were written for another one, each on an address of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::task::Poll;

use tailwater_serve::compat::{CompatConfig, CompatServer};
use tailwater_serve::control::Control;
use tailwater_serve::on_demand::OnDemand;
use tokio::net::TcpListener;

use super::reload::Reloader;
use super::{check_tokens, qbittorrent, rqbit, stremio, torrserver, transmission};
use crate::args::{Compat, Daemon, ServeAddr};
use crate::error::{CliError, DaemonFailure};

/// All of them.
pub(super) const APIS: &[Api] = &[
    qbittorrent::API,
    rqbit::API,
    stremio::API,
    torrserver::API,
    transmission::API,
];

/// An API of another program.
pub(super) struct Api {
    /// The option that names its address.
    pub(super) option: &'static str,
    /// Its name in JSON.
    pub(super) key: &'static str,
    /// Its name in sentences.
    pub(super) name: &'static str,
    /// What stands behind the address in the URL that other programs are told.
    pub(super) path: &'static str,
    /// The address that the user names.
    pub(super) addr: fn(&Compat) -> Option<ServeAddr>,
    /// Answers on the port.
    pub(super) start: fn(TcpListener, Start<'_>) -> std::io::Result<CompatServer>,
}

/// What a listener is started with.
pub(super) struct Start<'a> {
    pub(super) control: Control,
    /// Torrents that are streamed from memory, of all listeners together.
    pub(super) on_demand: OnDemand,
    pub(super) config: CompatConfig,
    pub(super) args: &'a Daemon,
    /// The folder of the daemon's state.
    pub(super) state: &'a Path,
}

/// Ports that are open, and not answered on yet.
pub(super) struct Opened(Vec<(&'static Api, TcpListener)>);

/// Listeners that answer.
pub(super) struct Listeners(Vec<(&'static Api, CompatServer)>);

impl Opened {
    /// Opens the ports that are named. Strangers reach them only where a token keeps them out.
    pub(super) async fn open(args: &Daemon, state: &Path) -> Result<Self, CliError> {
        let mut opened = Vec::new();
        for api in APIS {
            let Some(ServeAddr(addr)) = (api.addr)(&args.compat) else {
                continue;
            };
            check_tokens(args, addr, state).await?;
            let refused = |source| DaemonFailure::Listener {
                name: api.name,
                addr,
                source,
            };
            opened.push((api, TcpListener::bind(addr).await.map_err(refused)?));
        }
        Ok(Self(opened))
    }

    /// Answers on all of them.
    pub(super) fn serve(
        self,
        reloader: &Reloader,
        args: &Daemon,
        state: &Path,
    ) -> Result<Listeners, CliError> {
        let config = CompatConfig::default()
            .host_names(args.allow_host.iter().cloned())
            .origins(args.compat.allow_origin.iter().cloned())
            .requires_password(args.require_token)
            .tls(reloader.tls.clone());
        let on_demand = OnDemand::start(reloader.control.clone());
        let mut running = Vec::new();
        for (api, listener) in self.0 {
            let failed = |source| CliError::System {
                operation: api.name,
                source,
            };
            let start = Start {
                control: reloader.control.clone(),
                on_demand: on_demand.clone(),
                config: config.clone(),
                args,
                state,
            };
            running.push((api, (api.start)(listener, start).map_err(failed)?));
        }
        Ok(Listeners(running))
    }
}

impl Listeners {
    /// Where each is.
    pub(super) fn addrs(&self) -> impl Iterator<Item = (&'static Api, SocketAddr)> {
        self.0.iter().map(|(api, server)| (*api, server.addr()))
    }

    /// Waits until a client of one of them asks for the end of the daemon.
    pub(super) async fn close_requested(&self) {
        let servers = self.0.iter();
        let requests = servers.map(|(_, server)| Box::pin(server.close_requested()));
        let mut requests: Vec<_> = requests.collect();
        std::future::poll_fn(|context| {
            let mut requests = requests.iter_mut();
            match requests.any(|request| request.as_mut().poll(context).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Ends all connections, and returns when that is done.
    pub(super) async fn close(&self) {
        for (_, server) in &self.0 {
            server.close().await;
        }
    }
}
