#![doc = include_str!("../README.md")]

mod announce;
#[cfg(feature = "client")]
mod client;
#[cfg(any(feature = "client", feature = "server"))]
mod driver;
mod error;
pub mod http;
mod origin;
mod peers;
mod schedule;
mod scrape;
#[cfg(feature = "server")]
mod server;
mod text;
pub mod udp;

#[doc(hidden)]
pub mod fuzz;

pub use announce::{
    AcceptedEncryption, AnnounceRequest, AnnounceResponse, DEFAULT_INTERVAL, Event, MAX_PEERS,
    MAX_TRACKER_ID_LEN,
};
#[cfg(feature = "client")]
pub use client::{
    AddressPolicy, Client, ClientConfig, Hop, Proxy, UdpConversation, UdpRelay, UdpRoute,
    UdpTarget, UrlTrust,
};
pub use error::{RetryIn, TrackerError};
pub use schedule::{
    Announce, AnnounceId, AnnounceSchedule, MAX_TRACKERS, ScheduleConfig, TrackerState,
    TrackerStatus,
};
pub use scrape::{MAX_SCRAPE_HASHES, ScrapeResponse, ScrapeStats};
#[cfg(feature = "server")]
pub use server::{Server, ServerConfig, ServerStats, SwarmAnswer, SwarmLimits, Swarms, SwarmsFull};
/// The authorities of [`ClientConfig::add_root_certificates`].
#[cfg(feature = "client")]
pub use tailwater_http::RootCertificates;
#[cfg(feature = "server")]
pub use tailwater_types::address::AddressShare;
pub use text::MAX_TEXT_LEN;
