//! Port mapping as a whole, against gateways on loopback that work, fail or are not there, in simulated time.

mod igd;
mod miniupnpd;
mod pmp;
#[expect(
    clippy::disallowed_methods,
    reason = "it waits for programs and moves threads into namespaces"
)]
mod router;

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::task::JoinHandle;

use super::*;
use igd::Igd;
use pmp::Pmp;

const OUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// More than everything takes, in simulated time.
const DEADLINE: Duration = Duration::from_secs(3 * 3600);
const BOTH: Wanted = Wanted {
    tcp: Some(6881),
    udp: Some(6882),
};

/// An address of loopback that no other test uses: the port of PCP and NAT-PMP is always the same.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);

    let [low, middle, ..] = std::process::id().to_le_bytes();
    Ipv4Addr::new(
        127,
        64 | middle >> 2,
        low,
        NEXT.fetch_add(1, Ordering::Relaxed),
    )
}

/// A running port mapper.
struct Run {
    closing: CancellationToken,
    found: watch::Receiver<PortMapStatus>,
    task: JoinHandle<()>,
}

impl Run {
    /// Its gateway is `at`; UPnP devices are searched there, or at `igd`.
    fn start(at: Ipv4Addr, igd: Option<&Igd>) -> Self {
        let surroundings = Surroundings {
            route: Some(Route {
                gateway: at,
                local: LOCAL,
            }),
            ssdp: igd.map_or(SocketAddr::from((at, 9)), |igd| igd.ssdp),
            hears_notices: false,
        };
        let (sender, found) = watch::channel(PortMapStatus::default());
        let keeper = Keeper::new(now(), BOTH, Config::default(), 1);
        let closing = CancellationToken::new();
        let runner = Runner::new(keeper, surroundings, sender);
        let task = tokio::spawn(runner.run(closing.clone()));
        Self {
            closing,
            found,
            task,
        }
    }

    async fn mapped(&mut self) -> PortMapStatus {
        let mapped = self.found.wait_for(|status| status.protocol.is_some());
        *timeout(DEADLINE, mapped)
            .await
            .expect("no mapping")
            .unwrap()
    }

    /// Asserts that it ends in time.
    async fn close(self) {
        let began = Instant::now();
        self.closing.cancel();
        timeout(DEADLINE, self.task).await.expect("no end").unwrap();
        let took = began.elapsed();
        assert!(took <= Duration::from_secs(1), "{took:?} of simulated time");
    }
}

/// Lets simulated time pass until `condition`.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

fn status(protocol: Protocol, tcp: u16, udp: u16) -> PortMapStatus {
    PortMapStatus {
        protocol: Some(protocol),
        address: Some(OUTER),
        tcp: Some(tcp),
        udp: Some(udp),
    }
}

#[test]
fn addresses_of_other_gateways_networks_are_private() {
    for (address, expected) in [
        ("192.168.1.7", true),
        ("10.0.0.1", true),
        ("100.64.0.1", true),
        ("100.127.255.254", true),
        ("100.63.0.1", false),
        ("100.128.0.1", false),
        ("203.0.113.7", false),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(is_behind_another(&address), expected, "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn pcp_and_nat_pmp_map_renew_and_remove() {
    for (manner, protocol) in [
        (pmp::Manner::Pcp, Protocol::Pcp),
        (pmp::Manner::NatPmp, Protocol::NatPmp),
    ] {
        let at = own_address();
        let gateway = Pmp::start(at, manner).await;
        gateway.with(|state| state.shift = 1000);
        let mut run = Run::start(at, None);
        assert_eq!(run.mapped().await, status(protocol, 7881, 7882));
        assert_eq!(gateway.entry("tcp", 6881).unwrap().lease_s, 3600);
        until("renewed", || {
            ["tcp", "udp"].into_iter().zip([6881, 6882]).all(|key| {
                let (transport, internal) = key;
                gateway
                    .entry(transport, internal)
                    .is_some_and(|entry| entry.times >= 3)
            })
        })
        .await;
        run.close().await;
        assert!(gateway.with(|state| state.table.is_empty()), "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn upnp_maps_renews_and_removes() {
    let at = own_address();
    let gateway = Igd::start(at, igd::Manner::Mapping).await;
    let mut run = Run::start(at, Some(&gateway));
    assert_eq!(run.mapped().await, status(Protocol::Upnp, 6881, 6882));
    let entry = gateway.entry("UDP", 6882).unwrap();
    let told = (entry.client.as_str(), entry.internal, entry.lease_s);
    assert_eq!(told, ("127.0.0.1", 6882, 3600));
    until("renewed", || {
        gateway
            .entry("TCP", 6881)
            .is_some_and(|entry| entry.times >= 3)
    })
    .await;
    run.close().await;
    assert!(gateway.with(|state| state.table.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_device_without_leases_gets_a_mapping_without_end() {
    let at = own_address();
    let gateway = Igd::start(at, igd::Manner::OnlyPermanent).await;
    let mut run = Run::start(at, Some(&gateway));
    assert_eq!(run.mapped().await, status(Protocol::Upnp, 6881, 6882));
    assert_eq!(gateway.entry("TCP", 6881).unwrap().lease_s, 0);
    run.close().await;
    assert!(gateway.with(|state| state.table.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_taken_is_replaced() {
    let at = own_address();
    let gateway = Igd::start(at, igd::Manner::Taken(6881)).await;
    let mut run = Run::start(at, Some(&gateway));
    let told = run.mapped().await;
    let tcp = told.tcp.unwrap();
    assert_ne!(tcp, 6881);
    assert_eq!(told.external(), Some(SocketAddr::new(OUTER, tcp)));
    assert_eq!(gateway.entry("TCP", tcp).unwrap().internal, 6881);
    run.close().await;
    assert!(gateway.with(|state| state.table.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_forgets_is_asked_again() {
    let at = own_address();
    let gateway = Pmp::start(at, pmp::Manner::NatPmp).await;
    let mut run = Run::start(at, None);
    run.mapped().await;
    gateway.with(|state| state.table.clear());
    until("mapped again", || gateway.entry("udp", 6882).is_some()).await;
    run.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_at_another_port_is_found_again() {
    let at = own_address();
    let mut gateway = Igd::start(at, igd::Manner::Mapping).await;
    let mut run = Run::start(at, Some(&gateway));
    run.mapped().await;
    gateway.restart().await;
    until("mapped again", || gateway.entry("TCP", 6881).is_some()).await;
    run.close().await;
    assert!(gateway.with(|state| state.table.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_answers_before_the_gateway_is_not_believed() {
    let (at, elsewhere) = (own_address(), own_address());
    let gateway = Igd::start(at, igd::Manner::Mapping).await;
    let liar = Igd::start(elsewhere, igd::Manner::Mapping).await;
    gateway.is_overtaken_by(&liar);
    let mut run = Run::start(at, Some(&gateway));
    assert_eq!(run.mapped().await, status(Protocol::Upnp, 6881, 6882));
    assert!(gateway.entry("TCP", 6881).is_some());
    run.close().await;
    assert_eq!(liar.with(|state| state.connections), 0);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_not_the_gateway_is_not_asked_when_the_gateway_is_silent() {
    let (at, elsewhere) = (own_address(), own_address());
    let liar = Igd::start(elsewhere, igd::Manner::Mapping).await;
    let run = Run::start(at, Some(&liar));
    until("searched", || liar.with(|state| state.searches) > 0).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(liar.with(|state| state.connections), 0);
    assert_eq!(*run.found.borrow(), PortMapStatus::default());
    run.close().await;
}

/// The gateway itself, or what speaks in its name, names URLs of other machines: they get no request.
#[tokio::test(start_paused = true)]
async fn a_gateway_leads_to_no_other_machine() {
    use igd::Manner::{Base, Control, Location, Redirect, Schema};
    for manner in [Base, Control, Location, Redirect, Schema] {
        let (at, elsewhere) = (own_address(), own_address());
        let victim = Igd::start(elsewhere, igd::Manner::Mapping).await;
        let gateway = Igd::start(at, manner).await;
        gateway.names(&victim);
        let run = Run::start(at, Some(&gateway));
        until("searched", || gateway.with(|state| state.searches) > 0).await;
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(*run.found.borrow(), PortMapStatus::default(), "{manner:?}");
        run.close().await;
        assert_eq!(victim.with(|state| state.connections), 0, "{manner:?}");
    }
}

/// PCP and NAT-PMP that are ill in every way lead to UPnP.
#[tokio::test(start_paused = true)]
async fn bad_answers_lead_to_the_next_protocol() {
    use pmp::Manner::{Garbage, Huge, Refusing, Silent};
    for manner in [Garbage, Huge, Refusing, Silent] {
        let at = own_address();
        let ill = Pmp::start(at, manner).await;
        let gateway = Igd::start(at, igd::Manner::Mapping).await;
        let mut run = Run::start(at, Some(&gateway));
        assert_eq!(run.mapped().await, status(Protocol::Upnp, 6881, 6882));
        assert!(ill.with(|state| state.requests) >= 2, "{manner:?}");
        run.close().await;
    }
}

/// Whatever a UPnP device does, it is left in peace for a while, asked again later, and the end comes in time.
#[tokio::test(start_paused = true)]
async fn bad_devices_map_nothing_and_stall_nothing() {
    use igd::Manner::{Endless, Error, Garbage, Silent};
    for manner in [Endless, Error(606), Error(501), Garbage, Silent] {
        let at = own_address();
        let gateway = Igd::start(at, manner).await;
        let run = Run::start(at, Some(&gateway));
        until("asked", || gateway.with(|state| state.connections) > 0).await;
        // No round takes as long, and the next one is a minute away.
        tokio::time::sleep(Duration::from_secs(40)).await;
        let asked = gateway.with(|state| state.connections);
        until("asked again", || {
            gateway.with(|state| state.connections) > asked
        })
        .await;
        assert_eq!(*run.found.borrow(), PortMapStatus::default(), "{manner:?}");
        run.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_gets_well_is_used() {
    let at = own_address();
    let gateway = Pmp::start(at, pmp::Manner::Refusing).await;
    let mut run = Run::start(at, None);
    until("asked", || gateway.with(|state| state.requests) > 1).await;
    gateway.with(|state| state.manner = pmp::Manner::Pcp);
    assert_eq!(run.mapped().await, status(Protocol::Pcp, 6881, 6882));
    run.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_no_gateway() {
    let at = own_address();
    let gateway = Pmp::start(at, pmp::Manner::Silent).await;
    let run = Run::start(at, None);
    until("asked", || gateway.with(|state| state.requests) > 0).await;
    run.close().await;

    gateway.with(|state| state.manner = pmp::Manner::Pcp);
    let mut run = Run::start(at, None);
    run.mapped().await;
    gateway.with(|state| state.manner = pmp::Manner::Silent);
    run.close().await;
}

/// The answer to a request that was on its way when the end came is not forgotten.
#[tokio::test(start_paused = true)]
async fn what_is_granted_at_the_end_is_removed() {
    let at = own_address();
    let gateway = Pmp::start(at, pmp::Manner::Silent).await;
    let run = Run::start(at, None);
    until("asked", || gateway.with(|state| state.requests) > 0).await;
    // The next repetition, in a quarter of a second, is answered.
    gateway.with(|state| state.manner = pmp::Manner::Pcp);
    run.close().await;
    assert!(gateway.with(|state| state.requests) > 1);
    assert!(gateway.with(|state| state.table.is_empty()));
}
