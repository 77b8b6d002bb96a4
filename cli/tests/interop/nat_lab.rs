//! Homes behind routers that translate addresses (NAT), by nftables.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::discovery_lab::{Lab, Machine};
use crate::process;

/// The port of a peer in its home.
pub(crate) const PORT: u16 = 6881;

/// The port at which others see what a home sends. A router of either kind lets in what answers a connection, from the
/// same address and port, and drops all else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mapping {
    /// The port that it was sent from.
    Same,
    /// This port, for datagrams from [`PORT`] to all others.
    Fixed(u16),
    /// Another port for each address that it is sent to.
    Random,
}

/// A network with one machine and a router.
pub(crate) struct Home {
    pub(crate) machine: Machine,
    router: Machine,
}

impl Home {
    pub(crate) fn new(lab: &Lab, mapping: Mapping) -> Self {
        let router = lab.machine();
        let machine = Machine::behind(&router);
        let home = Self { machine, router };
        home.run("sysctl", &["-w", "net.ipv4.ip_forward=1"]);
        // As home routers do, it drops what strangers send. Without that Linux would take such a datagram for its own, and
        // keep the port for the stranger.
        home.run("nft", &[&home.rules(mapping)]);
        home
    }

    fn rules(&self, mapping: Mapping) -> String {
        let ip = self.ip_addr();
        let translation = match mapping {
            Mapping::Same => "masquerade".to_owned(),
            Mapping::Fixed(port) => {
                format!(
                    "udp sport {PORT} snat to {ip}:{port}; add rule ip nat out oifname eth0 masquerade"
                )
            }
            Mapping::Random => "masquerade random".to_owned(),
        };
        format!(
            "add table ip nat; \
             add chain ip nat out {{ type nat hook postrouting priority 100; }}; \
             add rule ip nat out oifname eth0 {translation}; \
             add table ip filter; \
             add chain ip filter through {{ type filter hook forward priority 0; policy drop; }}; \
             add rule ip filter through ct state established,related accept; \
             add rule ip filter through iifname home accept; \
             add chain ip filter to {{ type filter hook input priority 0; }}; \
             add rule ip filter to iifname eth0 ct state new drop"
        )
    }

    /// Counts the UDP datagrams to a host from now on.
    pub(crate) fn count(&self, to: Ipv4Addr) {
        let rule = format!(
            "add chain ip filter count {{ type filter hook prerouting priority -300; }}; \
             add rule ip filter count iifname home ip daddr {to} meta l4proto udp counter"
        );
        self.run("nft", &[&rule]);
    }

    /// How many there were.
    pub(crate) fn counted(&self) -> u64 {
        let chain = self.run("nft", &["list", "chain", "ip", "filter", "count"]);
        let mut words = chain.split_whitespace();
        words.find(|word| *word == "packets").unwrap();
        words.next().unwrap().parse().unwrap()
    }

    /// The address that others see.
    pub(crate) fn ip_addr(&self) -> Ipv4Addr {
        self.router.ip_addr()
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        let mut command: Command = self.router.command(program);
        process::run(program, command.args(args))
    }
}
