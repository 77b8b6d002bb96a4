//! Against a real router: Debian's `miniupnpd` in a network namespace, asked by `upnpc` what it holds.
//!
//! They run as root when `TAILWATER_INTEROP=1` is set and the programs are there (`scripts/install-clients.sh`).
#![expect(
    clippy::disallowed_types,
    reason = "threads of the test call each other through the router"
)]

use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::router::{CLIENT, Line, Router, SOMEBODY, enabled};
use super::*;

const PORT: u16 = 16_881;
const WANTED: Wanted = Wanted {
    tcp: Some(PORT),
    udp: Some(PORT),
};
/// For whatever is waited for that the router does not show.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mapper on the client's machine.
struct Client {
    closing: CancellationToken,
    found: watch::Receiver<PortMapStatus>,
    task: JoinHandle<()>,
}

impl Client {
    fn start(router: &Router, config: Config) -> Self {
        let (sender, found) = watch::channel(PortMapStatus::default());
        let closing = CancellationToken::new();
        let cancelled = closing.clone();
        let task = router.at_client(move || {
            block_on(async {
                let keeper = Keeper::new(now(), WANTED, config, 1);
                Runner::new(keeper, Surroundings::default(), sender)
                    .run(cancelled)
                    .await;
            });
        });
        Self {
            closing,
            found,
            task,
        }
    }

    fn mapped(&mut self) -> PortMapStatus {
        block_on(async {
            let mapped = self.found.wait_for(|status| status.protocol.is_some());
            *timeout(PATIENCE, mapped)
                .await
                .expect("no mapping")
                .unwrap()
        })
    }

    fn close(self) {
        self.closing.cancel();
        self.task.join().unwrap();
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// By one protocol only, with a lease so short that its renewal can be seen.
fn hurried(protocol: Protocol) -> Config {
    Config {
        protocols: vec![protocol],
        lease: Duration::from_secs(8),
        shortest_rest: Duration::from_secs(1),
        ..Config::default()
    }
}

/// A daemon that is not ready for everything when it listens, as on a busy machine, is asked again soon and not after a
/// minute.
fn persistent() -> Config {
    Config {
        first_rest: Duration::from_secs(1),
        ..Config::default()
    }
}

fn ours(router: &Router) -> Vec<Line> {
    let client = format!("{CLIENT}:{PORT}");
    let mut lines = router.table();
    lines.retain(|line| line.internal == client);
    lines.sort_by(|one, other| one.protocol.cmp(&other.protocol));
    lines
}

#[track_caller]
fn assert_holds(router: &Router, tcp: u16, udp: u16) {
    let lines = ours(router);
    let held: Vec<_> = lines
        .iter()
        .map(|line| (line.protocol.as_str(), line.external))
        .collect();
    assert_eq!(held, [("TCP", tcp), ("UDP", udp)]);
}

#[track_caller]
fn assert_reached_from_outside(router: &Router, external: SocketAddr) {
    let listening = router.at_client(|| TcpListener::bind((CLIENT, PORT)).unwrap());
    let listener = listening.join().unwrap();
    let connecting =
        router.outside(move || TcpStream::connect_timeout(&external, PATIENCE).unwrap());
    let connection = connecting.join().unwrap();
    let (_, from) = listener.accept().unwrap();
    assert_eq!(from, connection.local_addr().unwrap());
}

fn maps_renews_and_removes(protocol: Protocol) {
    if !enabled() {
        return;
    }
    let router = Router::start("enable_natpmp=yes");
    let mut client = Client::start(&router, hurried(protocol));
    let told = client.mapped();
    let expected = PortMapStatus {
        protocol: Some(protocol),
        address: Some(router::OUTER.into()),
        tcp: Some(PORT),
        udp: Some(PORT),
    };
    assert_eq!(told, expected);
    assert_holds(&router, PORT, PORT);
    assert_reached_from_outside(&router, told.external().unwrap());

    let mut least = None;
    router.until("renewed", || {
        let lines = ours(&router);
        assert_eq!(lines.len(), 2, "it is never lost");
        let left = lines[0].lease_s;
        let before = least.replace(left.min(least.unwrap_or(left)));
        before.is_some_and(|before| left > before)
    });
    client.close();
    assert_eq!(router.table(), []);
}

#[test]
fn pcp_maps_renews_and_removes() {
    maps_renews_and_removes(Protocol::Pcp);
}

#[test]
fn nat_pmp_maps_renews_and_removes() {
    maps_renews_and_removes(Protocol::NatPmp);
}

#[test]
fn upnp_maps_renews_and_removes() {
    maps_renews_and_removes(Protocol::Upnp);
}

#[test]
fn the_best_protocol_is_found() {
    if !enabled() {
        return;
    }
    for (configuration, protocol) in [
        ("enable_natpmp=yes", Protocol::Pcp),
        ("enable_natpmp=no", Protocol::Upnp),
    ] {
        let router = Router::start(configuration);
        let mut client = Client::start(&router, persistent());
        assert_eq!(client.mapped().protocol, Some(protocol));
        assert_holds(&router, PORT, PORT);
        client.close();
        assert_eq!(router.table(), []);
    }
}

/// The lease is an hour, so only what the daemon says when it starts can have the mappings made again.
#[test]
fn a_router_that_restarts_gets_the_mappings_again() {
    if !enabled() {
        return;
    }
    let mut router = Router::start("enable_natpmp=yes");
    let mut client = Client::start(&router, persistent());
    client.mapped();
    // Its clock has to have come so far that starting anew shows.
    router.until("the daemon has run a while", || {
        router.uptime() > Duration::from_secs(8)
    });
    router.restart_daemon();
    router.until("mapped again", || ours(&router).len() == 2);
    client.close();
    assert_eq!(router.table(), []);
}

#[test]
fn a_port_of_somebody_else_stays_theirs() {
    if !enabled() {
        return;
    }
    for protocol in [Protocol::Pcp, Protocol::NatPmp, Protocol::Upnp] {
        let router = Router::start("enable_natpmp=yes");
        router.map_for_somebody(PORT);
        let mut client = Client::start(&router, hurried(protocol));
        let told = client.mapped();
        let tcp = told.tcp.unwrap();
        assert_ne!(tcp, PORT);
        assert_holds(&router, tcp, PORT);
        assert_reached_from_outside(&router, told.external().unwrap());
        client.close();
        let left: Vec<_> = router
            .table()
            .into_iter()
            .map(|line| line.internal)
            .collect();
        assert_eq!(left, [format!("{SOMEBODY}:{PORT}")]);
    }
}
