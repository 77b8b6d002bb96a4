//! Searches for the UPnP gateway (SSDP), and believes the gateway of the default route alone.
//!
//! Any device on the local network may answer a search, and the crate that speaks UPnP takes the first answer. So the
//! crate does not search the network: it searches a socket of ours on loopback, which forwards the gateway's answers
//! alone.
//!
//! When the gateway is silent, no other device takes its place. PCP and NAT-PMP ask the gateway alone too. Connections
//! from outside come through the gateway, so a mapping elsewhere leads nowhere, and a device that lies would choose the
//! external address and port that trackers and the DHT are told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::Route;

/// The search targets that can map ports: the device as a whole, or the service that does it; old devices answer to one
/// of them only.
const TARGETS: [&str; 3] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];
/// The longest answer that is passed on, in bytes: what the crate takes, and what fits one Ethernet frame.
const MAX_ANSWER_LEN: usize = 1500;

/// A search whose only answers are the gateway's.
#[derive(Debug)]
pub(super) struct Search {
    /// The socket on loopback that the crate searches.
    inner: UdpSocket,
    /// The socket that searches the network.
    outer: UdpSocket,
    route: Route,
    /// The multicast address of UPnP devices.
    group: SocketAddr,
}

impl Search {
    /// Opens the sockets; `group` is the address at which devices listen.
    ///
    /// # Errors
    ///
    /// When a socket cannot be had.
    pub(super) async fn bind(route: Route, group: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            inner: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            outer: UdpSocket::bind((route.local, 0)).await?,
            route,
            group,
        })
    }

    /// The address that the crate has to search.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub(super) fn addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Waits for the crate's search, searches the network, and forwards answers until dropped.
    ///
    /// # Errors
    ///
    /// When a socket fails.
    pub(super) async fn run(&self) -> io::Result<std::convert::Infallible> {
        let mut answer = [0; MAX_ANSWER_LEN];
        let (_, asker) = self.inner.recv_from(&mut answer).await?;
        self.ask().await?;
        loop {
            let (len, from) = self.outer.recv_from(&mut answer).await?;
            match from.ip() == self.route.gateway {
                true => {
                    self.inner.send_to(&answer[..len], asker).await?;
                }
                false => tracing::debug!(%from, "a UPnP device that is not the gateway is ignored"),
            }
        }
    }

    async fn ask(&self) -> io::Result<()> {
        let group = self.group;
        for target in TARGETS {
            // Answers are spread over MX seconds.
            let request = format!(
                "M-SEARCH * HTTP/1.1\r\nHOST: {group}\r\nMAN: \"ssdp:discover\"\r\nMX: 3\r\nST: {target}\r\n\r\n"
            );
            self.outer.send_to(request.as_bytes(), group).await?;
        }
        Ok(())
    }
}
