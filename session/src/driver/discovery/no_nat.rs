//! In place of the mapping of ports, without the feature `port-mapping`: no gateway is asked.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The ports that are mapped: none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PortMapStatus {
    pub(crate) tcp: Option<u16>,
}

/// The ports that would be mapped.
pub(crate) struct Wanted {
    pub(crate) tcp: Option<u16>,
    pub(crate) udp: Option<u16>,
}

/// Maps nothing.
pub(crate) async fn run(_: Wanted, _: CancellationToken, _: watch::Sender<PortMapStatus>) {}
