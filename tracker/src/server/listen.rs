//! Opens the listening sockets, and tells their addresses.

#![expect(clippy::disallowed_types, reason = "the driver owns the sockets")]

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, UdpSocket};

pub(super) async fn http(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let refused = |error| cannot_listen("TCP", address, &error);
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

pub(super) async fn udp(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let refused = |error| cannot_listen("UDP", address, &error);
    let socket = UdpSocket::bind(address).await.map_err(refused)?;
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

fn cannot_listen(transport: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!(
            "cannot listen on {transport} {address}: {}",
            tailwater_types::system::message(error)
        ),
    )
}
