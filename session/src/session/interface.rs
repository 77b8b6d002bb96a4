//! What a session does differently when its sockets are bound to a network interface.

use tailwater_http::ClientConfig as HttpConfig;
use tailwater_types::interface::Interface;

use super::SessionBuilder;
use crate::driver::announce::Client;
use crate::driver::interface::InterfaceTask;
use crate::driver::torrent::Shared;
use crate::error::StartError;
use crate::transport::{Network, Uplink, UplinkControl};

/// An interface that is to be watched.
pub(super) struct Unwatched {
    interface: Interface,
    control: UplinkControl,
}

impl Unwatched {
    /// The task that watches it. Until it finds the interface, nothing is dialled.
    pub(super) fn watch(self, shared: &Shared, trackers: &Client) -> InterfaceTask {
        shared.permits.set_paused(!shared.link.is_up());
        InterfaceTask {
            interface: self.interface,
            control: self.control,
            permits: shared.permits.clone(),
            trackers: trackers.clone(),
            http: shared.http.clone(),
            events: shared.events.clone(),
        }
    }
}

impl SessionBuilder {
    /// Binds the sockets of the network to the interface that was asked for, if one was.
    pub(super) fn bind_to_interface(&mut self) -> Result<Option<Unwatched>, StartError> {
        let (Some(interface), Network::System(network)) =
            (self.interface.clone(), &mut self.network)
        else {
            return Ok(None);
        };
        if self.proxy.is_some() {
            return Err(StartError::ProxyAndInterface);
        }
        interface.refresh();
        if let (Some(dial_from), Some(found)) = (self.dial_from, interface.found())
            && !found.addrs.contains(&dial_from)
        {
            return Err(StartError::Interface {
                dial_from,
                interface,
            });
        }
        let (control, link) = Uplink::by(interface.clone());
        *network = link;
        Ok(Some(Unwatched { interface, control }))
    }

    pub(super) fn http_config(&self) -> HttpConfig {
        let config = HttpConfig::default();
        match &self.interface {
            Some(interface) => config.interface(interface.clone()),
            None => config,
        }
    }

    pub(super) fn tracker_client(&self) -> Client {
        let mut config = self.tracker.clone();
        config.add_root_certificates(&self.root_certificates);
        #[cfg(feature = "trackers")]
        if self.interface.is_some() {
            config.interface.clone_from(&self.interface);
        }
        Client::new(config)
    }
}
