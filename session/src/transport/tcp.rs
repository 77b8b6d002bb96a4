//! TCP sockets: how they are connected, configured and bound.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 128;

/// Connects, from the address `from` if one is given.
pub(super) async fn connect(addr: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let stream = match from {
        None => TcpStream::connect(addr).await?,
        Some(from) => {
            let socket = match addr {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.bind(SocketAddr::new(from, 0))?;
            socket.connect(addr).await?
        }
    };
    configure(&stream)?;
    Ok(stream)
}

/// Sets the options that every connection needs, whichever side made it.
pub(super) fn configure(stream: &TcpStream) -> io::Result<()> {
    // Requests are small and must not wait for the answer to earlier ones.
    stream.set_nodelay(true)
}

/// Listens on `addr`. An unspecified IPv6 address takes IPv4 connections as well.
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // Allows us to listen on a port that our last run used: one on which another program listens stays taken.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
