//! The listener of `tailwater daemon --transmission`.

use std::path::Path;

use tailwater_serve::control::Control;
use tailwater_serve::tls::ServerTls;
use tailwater_serve::transmission::{Fixed, TransmissionConfig, TransmissionServer};
use tailwater_session::{Encryption, Transports};
use tokio::net::TcpListener;

use crate::args::{Daemon, ServeAddr};
use crate::error::{CliError, DaemonFailure};
use crate::start;

/// Opens the port, if one is named. Strangers reach it only where a token keeps them out.
pub(super) async fn listen(args: &Daemon, state: &Path) -> Result<Option<TcpListener>, CliError> {
    let Some(ServeAddr(addr)) = args.transmission else {
        return Ok(None);
    };
    super::check_tokens(args, addr, state).await?;
    let refused = |source| DaemonFailure::Transmission { addr, source };
    Ok(Some(TcpListener::bind(addr).await.map_err(refused)?))
}

/// Answers on the port.
pub(super) fn serve(
    listener: TcpListener,
    control: &Control,
    args: &Daemon,
    state: &Path,
    tls: Option<ServerTls>,
) -> Result<TransmissionServer, CliError> {
    let config = TransmissionConfig::default()
        .host_names(args.allow_host.iter().cloned())
        .requires_password(args.require_token)
        .tls(tls)
        .fixed(fixed(args, state));
    let failed = |source| CliError::System {
        operation: "serve Transmission's RPC",
        source,
    };
    TransmissionServer::start(listener, control.clone(), config).map_err(failed)
}

/// What clients are told of options that cannot change.
fn fixed(args: &Daemon, state: &Path) -> Fixed {
    let network = &args.network;
    let mut fixed = Fixed::default();
    state.clone_into(&mut fixed.state_dir);
    fixed.dht = start::uses_dht(network);
    fixed.local_discovery = start::uses_local_discovery(network);
    fixed.port_mapping = start::maps_port(network);
    fixed.utp = network.transport != Transports::Tcp;
    fixed.tcp = network.transport != Transports::Utp;
    fixed.encryption = match network.encryption {
        Encryption::Require => "required",
        Encryption::Prefer => "preferred",
        _ => "tolerated",
    }
    .to_owned();
    fixed
}
