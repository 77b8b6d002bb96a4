//! TCP sockets: how they are connected, configured and bound.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Uplink;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 128;

/// Connects by a link, from the address `from` if one is given.
pub(super) async fn connect(
    addr: SocketAddr,
    from: Option<IpAddr>,
    link: &Uplink,
) -> io::Result<TcpStream> {
    let stream = if from.is_none() && link.interface().is_none() {
        TcpStream::connect(addr).await?
    } else {
        let any: IpAddr = match addr {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        link.bind(&socket, SocketAddr::new(from.unwrap_or(any), 0))?;
        TcpSocket::from_std_stream(socket.into())
            .connect(addr)
            .await?
    };
    configure(&stream)?;
    Ok(stream)
}

/// Sets the options that every connection needs, whichever side made it.
pub(super) fn configure(stream: &TcpStream) -> io::Result<()> {
    // Requests are small and must not wait for the answer to earlier ones.
    stream.set_nodelay(true)
}

/// Listens on `addr`, by a link. An unspecified IPv6 address takes IPv4 connections as well.
pub(super) fn listen(addr: SocketAddr, link: &Uplink) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // Allows us to listen on a port that our last run used: one on which another program listens stays taken.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    link.bind_port(&socket, addr)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
