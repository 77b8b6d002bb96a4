//! A UPnP Internet gateway device (IGD).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{AddPortError, GatewayIpVersion, PortMappingProtocol, RequestError, SearchOptions};
use tokio::time::timeout;

use super::gateway::{Surroundings, log};
use super::route::local_address;
use super::ssdp::Search;
use super::terms::{Failure, Grant, Mapping, Request};
use super::{Protocol, Route, Transport};

/// The time limit for a search. Devices spread their answers over 3 s, because the crate allows that; two documents are
/// fetched after it.
const SEARCH_WITHIN: Duration = Duration::from_secs(6);
/// The time limit for an answer: a slow device takes a second or two to change its rules.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The description that people read in the gateway's list of mappings.
const DESCRIPTION: &str = "tailwater";

/// "Action failed": the error of some devices when a port is taken.
const ACTION_FAILED: u16 = 501;
/// "Conflict with other mechanisms": a rule of the device's owner has the port.
const CONFLICT_WITH_OTHER: u16 = 729;

/// A gateway that has been found.
#[derive(Debug)]
pub(super) struct Upnp {
    gateway: Gateway<Tokio>,
    local: IpAddr,
}

impl Upnp {
    /// Finds the gateway of the route, if it is a device that can map ports. All that it names has to be at its own
    /// address: its description, its control URL. The crate follows no redirect, and reads at most 1 MiB of a document.
    ///
    /// # Errors
    ///
    /// When it is no such device.
    pub(super) async fn search(route: Route, surroundings: &Surroundings) -> Result<Self, Failure> {
        let search = Search::bind(route, surroundings.ssdp)
            .await
            .map_err(|error| silent(&error))?;
        let mut options = SearchOptions::default();
        // No other machine can send to it.
        options.bind_addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        options.broadcast_address = search.addr().map_err(|error| silent(&error))?;
        options.timeout = Some(SEARCH_WITHIN);
        options.gateway_ip_version = GatewayIpVersion::V4;
        options.allowed_gateway_ips = vec![route.gateway.into()];
        let gateway = tokio::select! {
            found = search_gateway(options) => found.map_err(|error| silent(&error))?,
            Err(error) = search.run() => return Err(silent(&error)),
        };
        let local = local_address(gateway.addr)
            .await
            .map_err(|error| silent(&error))?;
        Ok(Self {
            gateway,
            local: local.into(),
        })
    }

    /// Adds a mapping, or renews it.
    ///
    /// # Errors
    ///
    /// When there is no answer, or the gateway refuses.
    pub(super) async fn map(&self, request: Request) -> Result<Grant, Failure> {
        // No lease is a lease without end.
        let seconds = request.lease.map_or(0, |lease| lease.as_secs().max(1));
        let adding = self.gateway.add_port(
            request.transport.into(),
            request.external,
            SocketAddr::new(self.local, request.internal),
            u32::try_from(seconds).unwrap_or(u32::MAX),
            DESCRIPTION,
        );
        let added = timeout(ANSWER_WITHIN, adding)
            .await
            .map_err(|error| silent(&error))?;
        added.map_err(|error| {
            log(Protocol::Upnp, &error);
            failure(&error)
        })?;
        Ok(Grant {
            external: request.external,
            address: None,
            lease: request.lease,
            epoch: None,
        })
    }

    /// Asks the gateway for its external address.
    pub(super) async fn ask_address(&self) -> Option<IpAddr> {
        let answer = timeout(ANSWER_WITHIN, self.gateway.get_external_ip()).await;
        let address = answer
            .inspect_err(|error| log(Protocol::Upnp, error))
            .ok()?;
        address.inspect_err(|error| log(Protocol::Upnp, error)).ok()
    }

    /// Removes a mapping. The caller has a deadline.
    pub(super) async fn remove(&self, mapping: Mapping) {
        let transport = mapping.transport.into();
        let removing = self.gateway.remove_port(transport, mapping.external);
        if let Err(error) = removing.await {
            log(Protocol::Upnp, &error);
        }
    }
}

fn silent(error: &impl std::fmt::Display) -> Failure {
    log(Protocol::Upnp, error);
    Failure::Silent
}

const fn failure(error: &AddPortError) -> Failure {
    match error {
        AddPortError::OnlyPermanentLeasesSupported => Failure::PermanentOnly,
        AddPortError::PortInUse
        | AddPortError::RequestError(RequestError::ErrorCode(
            ACTION_FAILED | CONFLICT_WITH_OTHER,
            _,
        )) => Failure::Conflict,
        AddPortError::RequestError(RequestError::ErrorCode(..))
        | AddPortError::ActionNotAuthorized
        | AddPortError::SamePortValuesRequired
        | AddPortError::DescriptionTooLong
        | AddPortError::ExternalPortZeroInvalid
        | AddPortError::InternalPortZeroInvalid => Failure::Refused,
        AddPortError::RequestError(_) => Failure::Silent,
    }
}

impl From<Transport> for PortMappingProtocol {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self::TCP,
            Transport::Udp => Self::UDP,
        }
    }
}
