//! In place of the DHT, without the feature `dht`: there is no node, and so nothing here is ever called.

use std::net::SocketAddr;

use tailwater_metainfo::HostPort;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::StartError;
use crate::ip_filter::SharedFilter;
use crate::transport::{Names, UdpPort};

/// There are no options.
#[derive(Clone, Debug)]
pub(crate) enum DhtOptions {}

/// A handle to a node; none is ever made.
#[derive(Clone, Debug)]
pub(crate) struct DhtHandle;

impl DhtHandle {
    pub(crate) const fn port(&self) -> u16 {
        0
    }

    pub(crate) async fn add_node(&self, _: SocketAddr) {}

    pub(crate) async fn add_named(&self, _: &[HostPort], _: CancellationToken) {}
}

/// None was asked for.
pub(crate) const fn listen_addr(_: Option<&DhtOptions>) -> Option<SocketAddr> {
    None
}

/// Starts nothing.
pub(crate) fn start(
    _: Option<DhtOptions>,
    _: Option<(&mut UdpPort, SharedFilter)>,
    _: Names,
    _: &TaskTracker,
    _: &CancellationToken,
) -> Result<Option<DhtHandle>, StartError> {
    Ok(None)
}
