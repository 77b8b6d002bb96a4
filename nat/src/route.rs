//! The default route: which gateway leads to the internet, and which of our addresses it sees.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::Route;

/// The gateway of the default route. `None`, with a debug line, if the machine has none with an IPv4 address.
pub(super) async fn default_route() -> Option<Route> {
    // It asks the kernel and waits for the answer.
    let found = tokio::task::spawn_blocking(netdev::get_default_gateway).await;
    let gateway = match found {
        Ok(Ok(gateway)) => gateway.ipv4.first().copied(),
        Ok(Err(error)) => {
            tracing::debug!("no default route: {error}");
            None
        }
        Err(error) => {
            tracing::debug!("looking for the default route: {error}");
            None
        }
    }?;
    match local_address(SocketAddr::from((gateway, 9))).await {
        Ok(local) => Some(Route { gateway, local }),
        Err(error) => {
            tracing::debug!(%gateway, "the gateway is out of reach: {error}");
            None
        }
    }
}

/// The local address of datagrams to `remote`. Nothing is sent.
pub(super) async fn local_address(remote: SocketAddr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(remote).await?;
    match socket.local_addr()? {
        SocketAddr::V4(local) => Ok(*local.ip()),
        SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}
