//! A daemon inside of this process, where there is no other one: the same torrents, the same API, until this process ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tailwater_serve::api::{ApiConfig, ApiServer};
use tailwater_serve::control::{Control, ControlConfig, StateLock};
use tailwater_session::Session;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::super::Context;
use super::super::daemon;
use crate::args::Top;
use crate::error::{CliError, DaemonFailure};
use crate::home;
use crate::start::{self, Table};

/// Where a daemon listens if nothing else is said: `tailwater ctl` and the pages find it there.
const PORT: u16 = 7870;

/// A daemon that runs in this process.
pub(super) struct Own {
    control: Control,
    session: Session,
    server: ApiServer,
    _lock: StateLock,
}

impl Own {
    pub(super) async fn start(context: &Context, args: &Top) -> Result<Self, CliError> {
        let state = args.state.clone().or_else(start::daemon_dir);
        let state = state.ok_or(DaemonFailure::NoFolder("state"))?;
        let data = match &args.data {
            Some(dir) => dir.clone(),
            None => home::expand(daemon::DEFAULT_DATA)
                .map(PathBuf::from)
                .map_err(|_| DaemonFailure::NoFolder("data"))?,
        };
        let lock = daemon::lock(&state)?;
        let listener = listen().await?;
        let builder = start::builder(&args.network, Table::Kept)
            .await?
            .state_dir(state.join("resume"));
        let session = builder.start()?;
        let config = ControlConfig::new(session.clone(), &state, data)
            .proxy(args.network.proxy.as_ref().map(Into::into));
        let control = Control::start(config).await.map_err(DaemonFailure::from)?;
        let server = ApiServer::start(listener, control.clone(), &ApiConfig::default());
        let server = server.map_err(|source| CliError::System {
            operation: "serve HTTP",
            source,
        })?;
        context.interrupt.close_within(daemon::CLOSE_WITHIN);
        Ok(Self {
            control,
            session,
            server,
            _lock: lock,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// Saves what there is to save, and tells the trackers.
    pub(super) async fn close(self, context: &Context) {
        let _ = timeout(daemon::CLOSE_HTTP_WITHIN, self.server.close()).await;
        daemon::close(&self.control, &self.session, &context.progress).await;
    }
}

/// On the usual port, or any other if that is taken. On a loopback address no token is needed, as with any daemon.
async fn listen() -> Result<TcpListener, CliError> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    if let Ok(listener) = TcpListener::bind(usual).await {
        return Ok(listener);
    }
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let refused = |source| CliError::Http { addr, source };
    TcpListener::bind(addr).await.map_err(refused)
}
