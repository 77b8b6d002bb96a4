//! Our own port, at which peers reach us: the listening port, or the one that a gateway maps to it.

use std::net::IpAddr;

use tailwater_types::address::is_local;
use tokio::sync::watch;

use super::nat::PortMapStatus;

/// Our own port. Clones stay up to date.
#[derive(Clone, Debug)]
pub(crate) struct OwnPort {
    listened: Option<u16>,
    mapped: watch::Receiver<PortMapStatus>,
}

impl OwnPort {
    pub(crate) const fn new(listened: Option<u16>, mapped: watch::Receiver<PortMapStatus>) -> Self {
        Self { listened, mapped }
    }

    /// The listening port on this machine; `None` if it takes no incoming connections.
    pub(crate) const fn listened(&self) -> Option<u16> {
        self.listened
    }

    /// The port to announce to trackers and the DHT.
    pub(crate) fn outside(&self) -> Option<u16> {
        let mapped = self.mapped.borrow().tcp;
        self.listened.map(|listened| mapped.unwrap_or(listened))
    }

    /// The port to tell one peer: a neighbour does not come in through the gateway.
    pub(crate) fn seen_by(&self, ip: IpAddr) -> Option<u16> {
        let is_neighbour = match ip.to_canonical() {
            // Without the shared address space: a carrier's other customers do come in through it.
            ip @ IpAddr::V4(_) => is_local(ip),
            // Nothing is mapped there.
            IpAddr::V6(_) => true,
        };
        match is_neighbour {
            true => self.listened,
            false => self.outside(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_hears_of_the_mapped_port_and_neighbours_do_not() {
        let (mapped, receiver) = watch::channel(PortMapStatus::default());
        let port = OwnPort::new(Some(6881), receiver);
        let [near, far, shared] =
            ["192.168.1.2", "198.51.100.1", "100.64.0.1"].map(|ip| ip.parse().unwrap());
        assert_eq!(
            (port.outside(), port.seen_by(far)),
            (Some(6881), Some(6881))
        );
        mapped.send_modify(|status| status.tcp = Some(40_000));
        assert_eq!(
            (port.outside(), port.seen_by(far)),
            (Some(40_000), Some(40_000))
        );
        assert_eq!(port.seen_by(shared), Some(40_000));
        assert_eq!(
            (port.listened(), port.seen_by(near)),
            (Some(6881), Some(6881))
        );
        let nowhere = OwnPort::new(None, mapped.subscribe());
        assert_eq!((nowhere.outside(), nowhere.seen_by(far)), (None, None));
    }
}
