#![doc = include_str!("../README.md")]

mod epoch;
mod gateway;
mod keeper;
mod notices;
mod route;
mod ssdp;
mod terms;
#[cfg(test)]
mod testing;
mod upnp;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tailwater_types::address::Scope;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use gateway::{Gateway, Surroundings};
use keeper::Keeper;
use notices::Notices;
use terms::{Config, Task};

/// How long, at the end, an answer that is on its way is waited for: the mapping that it grants is to be removed.
const FINISH_WITHIN: Duration = Duration::from_millis(300);
/// The time limit for removing mappings. Those that the gateway has not removed by then end with their leases.
const REMOVE_WITHIN: Duration = Duration::from_millis(600);

/// The ports to be mapped; the same external port numbers are requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// Not `#[non_exhaustive]`: callers construct it.
pub struct Wanted {
    /// The TCP port; `None` for none.
    pub tcp: Option<u16>,
    /// The UDP port; `None` for none.
    pub udp: Option<u16>,
}

/// The mappings that stand. All fields are `None` while there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// Not `#[non_exhaustive]`: callers' tests construct it.
pub struct PortMapStatus {
    /// The protocol that the gateway speaks.
    pub protocol: Option<Protocol>,
    /// The gateway's external address, if it told one. A private one means that another gateway stands in front of it.
    pub address: Option<IpAddr>,
    /// The external TCP port.
    pub tcp: Option<u16>,
    /// The external UDP port.
    pub udp: Option<u16>,
}

impl PortMapStatus {
    /// The address and port at which the TCP port is reached from outside.
    #[must_use]
    pub fn external(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address?, self.tcp?))
    }
}

/// The protocol by which a gateway is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// The Port Control Protocol (RFC 6887).
    Pcp,
    /// The NAT Port Mapping Protocol (RFC 6886).
    NatPmp,
    /// UPnP's Internet Gateway Device.
    Upnp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

/// The transport of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
    Udp,
}

/// The gateway, and our address as it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Route {
    gateway: Ipv4Addr,
    local: Ipv4Addr,
}

/// Maps the ports until `closing` is cancelled, and sends `found` the mappings whenever they change. Ends within a
/// second of `closing`, with the mappings removed if the gateway answers meanwhile; the last status stays, because
/// trackers are told of the same port when the session leaves.
pub async fn run(wanted: Wanted, closing: CancellationToken, found: watch::Sender<PortMapStatus>) {
    let surroundings = Surroundings::default();
    let keeper = Keeper::new(now(), wanted, Config::default(), fastrand::u64(..));
    Runner::new(keeper, surroundings, found).run(closing).await;
}

/// Runs the keeper: brings its tasks, sockets and clock together.
struct Runner {
    keeper: Keeper,
    gateway: Gateway,
    notices: Notices,
    found: watch::Sender<PortMapStatus>,
}

impl Runner {
    fn new(
        keeper: Keeper,
        surroundings: Surroundings,
        found: watch::Sender<PortMapStatus>,
    ) -> Self {
        Self {
            keeper,
            notices: Notices::new(surroundings.hears_notices),
            gateway: Gateway::new(surroundings),
            found,
        }
    }

    async fn run(mut self, closing: CancellationToken) {
        while !closing.is_cancelled() {
            self.keeper.handle_timeout(now());
            match self.keeper.poll_task() {
                Some(task) => self.perform(task, &closing).await,
                None => self.rest(&closing).await,
            }
        }
        self.leave().await;
    }

    async fn perform(&mut self, task: Task, closing: &CancellationToken) {
        let Self {
            keeper, gateway, ..
        } = self;
        match task {
            Task::FindRoute => {
                let finding = gateway.find_route();
                let route = unless_closing(finding, closing, Duration::ZERO).await;
                let route = route.flatten();
                keeper.handle_route(now(), route);
            }
            Task::Map(request) => {
                let mapping = gateway.map(request);
                if let Some(outcome) = unless_closing(mapping, closing, FINISH_WITHIN).await {
                    keeper.handle_mapped(now(), outcome);
                }
            }
            Task::AskAddress(protocol) => {
                let asking = gateway.ask_address(protocol);
                let address = unless_closing(asking, closing, Duration::ZERO).await;
                keeper.handle_address(now(), address.flatten());
            }
        }
    }

    /// Waits until there is something to do.
    async fn rest(&mut self, closing: &CancellationToken) {
        self.tell();
        let due = self.keeper.poll_timeout();
        let timer = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = timer => {}
            notice = self.notices.next() => {
                tracing::debug!(?notice, "a gateway says that it has changed");
                self.keeper.handle_notice(now(), notice);
            }
        }
    }

    fn tell(&self) {
        let status = self.keeper.status();
        let is_new = self.found.send_if_modified(|told| {
            let is_new = *told != status;
            *told = status;
            is_new
        });
        let Some(protocol) = status.protocol.filter(|_| is_new) else {
            return;
        };
        match status.external() {
            Some(external) => {
                tracing::info!("the router forwards {external} to this machine ({protocol})");
            }
            None => tracing::info!("the router forwards a port to this machine ({protocol})"),
        }
        if let Some(address) = status.address.filter(is_behind_another) {
            tracing::info!(
                "the router's own address {address} is private: another one stands before it"
            );
        }
    }

    async fn leave(self) {
        let mappings = self.keeper.mappings();
        if mappings.is_empty() {
            return;
        }
        let removed = timeout(REMOVE_WITHIN, self.gateway.remove(&mappings)).await;
        if removed.is_err() {
            tracing::debug!(
                "the gateway is too slow to remove mappings; they end with their leases"
            );
        }
    }
}

/// Whether a gateway with that external address is itself behind another one, so that it is not reached from the
/// internet.
fn is_behind_another(address: &IpAddr) -> bool {
    Scope::of(*address) != Scope::Global
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// The outcome, or `None` if it does not come until `grace` after `closing`.
async fn unless_closing<T>(
    work: impl Future<Output = T>,
    closing: &CancellationToken,
    grace: Duration,
) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        outcome = &mut work => Some(outcome),
        () = closing.cancelled() => timeout(grace, work).await.ok(),
    }
}

#[cfg(test)]
mod tests;
