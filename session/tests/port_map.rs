//! A session behind a real router, Debian's `miniupnpd` in a network namespace, asked by `upnpc` what it holds.
//!
//! The tests run as root when `TAILWATER_INTEROP=1` is set and the programs are there (`scripts/install-clients.sh`).
#![expect(
    clippy::unwrap_used,
    reason = "a step that fails is the test's failure"
)]

#[path = "../../nat/src/tests/router.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "written for the tests of the mapper itself"
)]
mod router;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use router::{CLIENT, Router, enabled};
use tailwater_session::{DhtOptions, Session};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// More than what the end may take with a router that answers.
const END_WITHIN: Duration = Duration::from_secs(20);

/// A session on the client's machine of the router; the test closes it by the sender and awaits its end by the handle.
fn start(
    router: &Router,
    listen: SocketAddr,
) -> (SocketAddr, oneshot::Sender<()>, std::thread::JoinHandle<()>) {
    let (close, closing) = oneshot::channel();
    let (tell, told) = std::sync::mpsc::channel();
    let task = router.at_client(move || {
        Runtime::new().unwrap().block_on(async {
            let session = Session::builder()
                .listen(listen)
                .dht(DhtOptions::new().bootstrap([]))
                .port_mapping(true)
                .start()
                .unwrap();
            tell.send(session.listen_addr().unwrap()).unwrap();
            closing.await.unwrap();
            timeout(END_WITHIN, session.close()).await.expect("no end");
        });
    });
    (told.recv().unwrap(), close, task)
}

#[test]
fn both_ports_are_mapped_and_given_back() {
    if !enabled() {
        return;
    }
    for configuration in ["enable_natpmp=yes", "enable_natpmp=no"] {
        let router = Router::start(configuration);
        let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (addr, close, task) = start(&router, anywhere);
        let internal = format!("{CLIENT}:{}", addr.port());
        router.until("both are mapped", || {
            let mut table = router.table();
            table.retain(|line| line.internal == internal && line.external == addr.port());
            table.len() == 2
        });
        close.send(()).unwrap();
        task.join().unwrap();
        assert_eq!(router.table(), []);
    }
}
