//! The gateway driver: carries out the keeper's tasks through the crates that speak the protocols.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::pcp::{BaseMapRequest, DropMappingRange, Nonce};
use crab_nat::{
    GatewayAddress, InternetProtocol, PortMapping, PortMappingOptions, PortMappingType,
    TimeoutConfig, natpmp, pcp,
};

use super::route::default_route;
use super::terms::{Failure, Grant, Mapping, Request};
use super::upnp::Upnp;
use super::{Protocol, Route, Transport};

/// RFC 6886 begins with 250 ms and doubles. It goes on for a minute; a home gateway that has not answered the third
/// request does not speak the protocol.
const ASKING: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: None,
};

/// The addresses at which everything is found: the real network, unless a test makes another.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// Used instead of the system's default route.
    pub(super) route: Option<Route>,
    /// The address at which UPnP gateways receive searches.
    pub(super) ssdp: SocketAddr,
    /// Whether to receive the notices that gateways multicast.
    pub(super) hears_notices: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            route: None,
            ssdp: SocketAddr::from((Ipv4Addr::new(239, 255, 255, 250), 1900)),
            hears_notices: true,
        }
    }
}

/// The gateway, and the state that its protocols need.
#[derive(Debug)]
pub(super) struct Gateway {
    surroundings: Surroundings,
    route: Option<Route>,
    /// PCP: a client that renews or removes a mapping proves with its nonce that it made it.
    nonces: [Option<Nonce>; 2],
    upnp: Option<Upnp>,
}

impl Gateway {
    pub(super) const fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            route: None,
            nonces: [None; 2],
            upnp: None,
        }
    }

    /// The gateway of the default route as it is now.
    pub(super) async fn find_route(&mut self) -> Option<Route> {
        let route = match self.surroundings.route {
            Some(route) => Some(route),
            None => default_route().await,
        };
        if route != self.route {
            self.nonces = [None; 2];
            self.upnp = None;
            self.route = route;
        }
        route
    }

    /// Requests a mapping, or renews it.
    ///
    /// # Errors
    ///
    /// When there is no answer, or the gateway refuses; the debug log has the details.
    pub(super) async fn map(&mut self, request: Request) -> Result<Grant, Failure> {
        let route = self.route.ok_or(Failure::Silent)?;
        let granted = match request.protocol {
            Protocol::Pcp => self.map_by_pcp(route, request).await,
            Protocol::NatPmp => map_by_nat_pmp(route, request).await,
            Protocol::Upnp => self.map_by_upnp(route, request).await,
        };
        granted.inspect(|grant| tracing::debug!(?request, ?grant, "mapped"))
    }

    /// Asks the gateway for its external address.
    pub(super) async fn ask_address(&self, protocol: Protocol) -> Option<IpAddr> {
        match protocol {
            Protocol::Pcp => None,
            Protocol::NatPmp => {
                let asking = natpmp::external_address(self.route?.gateway.into(), Some(ASKING));
                let address = asking.await.inspect_err(|error| log(protocol, error));
                address.ok().map(IpAddr::V4)
            }
            Protocol::Upnp => self.upnp.as_ref()?.ask_address().await,
        }
    }

    /// Removes mappings; there are at most two, and both are removed at once.
    pub(super) async fn remove(&self, mappings: &[Mapping]) {
        let first = self.remove_if_any(mappings.first());
        let second = self.remove_if_any(mappings.get(1));
        tokio::join!(first, second);
    }

    async fn map_by_pcp(&mut self, route: Route, request: Request) -> Result<Grant, Failure> {
        let internal = NonZeroU16::new(request.internal).ok_or(Failure::Refused)?;
        let transport = request.transport.into();
        let base = BaseMapRequest::new(
            route.gateway.into(),
            route.local.into(),
            transport,
            internal,
        );
        let nonce = self.nonces[request.transport.index()];
        let asking = pcp::port_mapping(base, nonce, None, options(request));
        let mapping = asking.await.map_err(|failure| {
            log(Protocol::Pcp, &failure);
            pcp_failure(&failure)
        })?;
        let mut grant = grant(&mapping);
        if let PortMappingType::Pcp {
            nonce, external_ip, ..
        } = mapping.mapping_type()
        {
            self.nonces[request.transport.index()] = Some(nonce);
            grant.address = Some(external_ip).filter(|address| !address.is_unspecified());
        }
        Ok(grant)
    }

    async fn map_by_upnp(&mut self, route: Route, request: Request) -> Result<Grant, Failure> {
        if let Some(upnp) = &self.upnp {
            match upnp.map(request).await {
                // After a restart it may be found elsewhere.
                Err(Failure::Silent) => self.upnp = None,
                answer => return answer,
            }
        }
        let upnp = Upnp::search(route, &self.surroundings).await?;
        self.upnp.insert(upnp).map(request).await
    }

    async fn remove_if_any(&self, mapping: Option<&Mapping>) {
        if let (Some(mapping), Some(route)) = (mapping, self.route) {
            self.remove_one(route.gateway.into(), route, *mapping).await;
        }
    }

    async fn remove_one(&self, gateway: GatewayAddress, route: Route, mapping: Mapping) {
        let transport = mapping.transport.into();
        match mapping.protocol {
            Protocol::Pcp => {
                let internal_port = NonZeroU16::new(mapping.internal);
                let nonce = self.nonces[mapping.transport.index()];
                let (Some(internal_port), Some(nonce)) = (internal_port, nonce) else {
                    return;
                };
                let range = DropMappingRange::Single {
                    protocol: transport,
                    internal_port,
                };
                let local = route.local.into();
                let removing = pcp::try_drop_mapping(gateway, local, nonce, range, Some(ASKING));
                if let Err(error) = removing.await {
                    log(mapping.protocol, &error);
                }
            }
            Protocol::NatPmp => {
                // No port would mean all of them.
                let Some(internal) = NonZeroU16::new(mapping.internal) else {
                    return;
                };
                let removing =
                    natpmp::try_drop_mapping(gateway, transport, Some(internal), Some(ASKING));
                if let Err(error) = removing.await {
                    log(mapping.protocol, &error);
                }
            }
            Protocol::Upnp => {
                if let Some(upnp) = &self.upnp {
                    upnp.remove(mapping).await;
                }
            }
        }
    }
}

async fn map_by_nat_pmp(route: Route, request: Request) -> Result<Grant, Failure> {
    let internal = NonZeroU16::new(request.internal).ok_or(Failure::Refused)?;
    let transport = request.transport.into();
    let asking = natpmp::port_mapping(route.gateway.into(), transport, internal, options(request));
    let mapping = asking.await.map_err(|failure| {
        log(Protocol::NatPmp, &failure);
        nat_pmp_failure(&failure)
    })?;
    Ok(grant(&mapping))
}

fn options(request: Request) -> PortMappingOptions {
    let seconds = request.lease.map(|lease| lease.as_secs());
    PortMappingOptions {
        external_port: NonZeroU16::new(request.external),
        lifetime_seconds: seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        timeout_config: Some(ASKING),
    }
}

fn grant(mapping: &PortMapping) -> Grant {
    Grant {
        external: mapping.external_port().get(),
        address: None,
        lease: Some(Duration::from_secs(u64::from(mapping.lifetime()))),
        epoch: Some(mapping.gateway_epoch()),
    }
}

const fn pcp_failure(failure: &pcp::Failure) -> Failure {
    use pcp::Failure as Pcp;
    match failure {
        Pcp::CannotProvideExternal(_) => Failure::Conflict,
        Pcp::NotAuthorized(_)
        | Pcp::NetworkFailure(_)
        | Pcp::NoResources(_)
        | Pcp::UnsupportedProtocol
        | Pcp::UserExceededQuota(_)
        | Pcp::AddressMismatch
        | Pcp::ExcessiveRemotePeers => Failure::Refused,
        _ => Failure::Silent,
    }
}

const fn nat_pmp_failure(failure: &natpmp::Failure) -> Failure {
    use natpmp::Failure as NatPmp;
    match failure {
        NatPmp::NotAuthorized | NatPmp::NetworkFailure | NatPmp::OutOfResources => Failure::Refused,
        _ => Failure::Silent,
    }
}

/// Logs an error for debugging: not having a mapping is no error of the caller or of this program.
pub(super) fn log(protocol: Protocol, error: &impl Display) {
    tracing::debug!(%protocol, "port mapping: {error}");
}

impl From<Transport> for InternetProtocol {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }
}

impl Transport {
    const fn index(self) -> usize {
        match self {
            Self::Tcp => 0,
            Self::Udp => 1,
        }
    }
}
