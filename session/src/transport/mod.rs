//! Byte streams and datagrams between this session and its peers: the only place in the session that names sockets.
//!
//! ```text
//! driver::accept ──── Listener ─┐                 ┌─ TCP, or the memory of a test
//!                               ├─▶ Stream ──▶ Carrier
//! driver::handshake ── Dialer ──┘                 └─ uTP ──┐
//! DHT node ─────────── DhtDatagrams ───────────────────────┴▶ UdpPort ──▶ one UDP socket for each address family
//! ```
//!
//! | question | file |
//! |---|---|
//! | What dials, from which address, with what timeout? | `dialer.rs` |
//! | How does all of it go through a proxy? | `proxy/` |
//! | Which names are resolved? | `names.rs` |
//! | On which port are connections accepted? | `listener.rs` |
//! | Which network interface are sockets bound to? | `uplink.rs` |
//! | What may be done with a connection's bytes? | `stream.rs` |
//! | Where are they enciphered? | `cipher.rs` |
//! | Which transports are there? | `carrier.rs` |
//! | Which protocol gets a datagram? | `udp_port.rs`; the sockets: `udp_sockets.rs` |
//! | How do UDP trackers share the port? | `tracker_datagrams.rs` |
//! | How does the DHT begin where only a proxy resolves names? | `bootstrap_pings.rs` |
//! | How is all of it tested without sockets? | `memory/` |
//!
//! A new transport is a file beside `tcp.rs` and a variant of [`Carrier`]. It is an enum, not a trait object, so that the
//! path of a block is compiled for each transport, without a call through a table.

#[cfg(feature = "dht")]
mod bootstrap_pings;
mod carrier;
mod cipher;
#[cfg(feature = "dht")]
mod dht_datagrams;
mod dialer;
mod listener;
#[cfg(any(test, feature = "memory-network"))]
pub(crate) mod memory;
mod names;
mod network;
mod proxy;
mod stream;
mod tcp;
#[cfg(feature = "trackers")]
mod tracker_datagrams;
mod udp_port;
mod udp_sockets;
mod uplink;

#[cfg(feature = "dht")]
pub(crate) use bootstrap_pings::BootstrapPings;
use carrier::Carrier;
pub(crate) use cipher::Cipher;
#[cfg(feature = "dht")]
pub(crate) use dht_datagrams::DhtDatagrams;
pub(crate) use dialer::{ConnectError, Dialer};
pub(crate) use listener::Listener;
pub(crate) use names::Names;
pub(crate) use network::Network;
pub(crate) use proxy::{ProxyDialer, Relay};
pub(crate) use stream::Stream;
pub(crate) use udp_port::UdpPort;
pub(crate) use uplink::{Tie, Uplink, UplinkControl};
