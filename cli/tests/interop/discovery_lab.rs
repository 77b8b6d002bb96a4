//! A network of its own for a test: machines on a switch, each a network namespace. That needs root.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, id};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::process;

/// Bits of the network that all addresses are in.
const PREFIX: u8 = 16;

/// The switch; it is gone when dropped, and with it what its machines are connected by.
pub(crate) struct Lab {
    name: String,
    /// The first numbers of all addresses.
    network: [u8; 2],
    next: AtomicU8,
}

/// A machine that runs nothing else.
#[derive(Debug)]
pub(crate) struct Machine {
    namespace: String,
    ips: Vec<Ipv4Addr>,
}

impl Lab {
    /// Whether the system lets us make namespaces; else why not. The benches ask; a test without them fails.
    #[allow(dead_code, reason = "the benches use it")]
    pub(crate) fn is_possible() -> Result<(), String> {
        let name = format!("tailwater-lab-try-{}", id());
        let mut add = Command::new("ip");
        let made = add.args(["netns", "add", &name]).output();
        let made = made.map_err(|error| format!("cannot run ip: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).trim().to_owned());
        }
        ip(&["netns", "del", &name]);
        Ok(())
    }

    /// A private network.
    pub(crate) fn new() -> Self {
        Self::of([10, 9])
    }

    /// The internet: addresses that belong to no private network. These are set aside for such tests (RFC 2544).
    pub(crate) fn internet() -> Self {
        Self::of([198, 18])
    }

    /// A network of its own with addresses that count as public, as those of RFC 2544 do not.
    #[allow(dead_code, reason = "the benches do not use it")]
    pub(crate) fn with_public_addresses() -> Self {
        Self::of([9, 9])
    }

    fn of(network: [u8; 2]) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let lab = Self {
            name: format!("tailwater-lab-{}-{number}", id()),
            network,
            next: AtomicU8::new(1),
        };
        ip(&["netns", "add", &lab.name]);
        // All multicast goes everywhere, as on a cheap switch.
        let switch = ["type", "bridge", "mcast_snooping", "0"];
        lab.ip(&[&["link", "add", "switch"], &switch[..]].concat());
        lab.ip(&["link", "set", "switch", "up"]);
        lab
    }

    /// A machine with one address.
    pub(crate) fn machine(&self) -> Machine {
        self.machine_with(1)
    }

    /// A machine with several addresses. No two in the network are in the same /24: nodes of the DHT want no more than one
    /// neighbour from each.
    pub(crate) fn machine_with(&self, addresses: u8) -> Machine {
        let first = self.next.fetch_add(addresses, Ordering::Relaxed);
        let [a, b] = self.network;
        let machine = Machine {
            namespace: format!("{}-{first}", self.name),
            ips: (first..first + addresses)
                .map(|number| Ipv4Addr::new(a, b, number, 1))
                .collect(),
        };
        let (namespace, port) = (&machine.namespace, format!("port{first}"));
        ip(&["netns", "add", namespace]);
        let cable = ["type", "veth", "peer", "name", "eth0", "netns", namespace];
        self.ip(&[&["link", "add", &port], &cable[..]].concat());
        self.ip(&["link", "set", &port, "master", "switch", "up"]);
        for addr in &machine.ips {
            machine.ip(&["addr", "add", &format!("{addr}/{PREFIX}"), "dev", "eth0"]);
        }
        machine.ip(&["link", "set", "lo", "up"]);
        machine.ip(&["link", "set", "eth0", "up"]);
        machine.ip(&["route", "add", "default", "dev", "eth0"]);
        machine
    }

    fn ip(&self, args: &[&str]) {
        ip(&[&["-n", &self.name], args].concat());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

impl Machine {
    /// A machine that is connected to nothing, not even to itself.
    pub(crate) fn cut_off() -> Self {
        let namespace = format!("tailwater-lab-{}-alone", id());
        ip(&["netns", "add", &namespace]);
        Self {
            namespace,
            ips: Vec::new(),
        }
    }

    /// A machine whose links the test makes itself, by this name in the lab of this process.
    pub(crate) fn bare(name: &str) -> Self {
        let namespace = format!("tailwater-lab-{}-{name}", id());
        ip(&["netns", "add", &namespace]);
        let machine = Self {
            namespace,
            ips: Vec::new(),
        };
        machine.ip(&["link", "set", "lo", "up"]);
        machine
    }

    /// A machine of a home network, behind a router that is its way to everything else. In all homes it has the same
    /// address. The router's end of the cable is called `home`.
    pub(crate) fn behind(router: &Self) -> Self {
        let machine = Self {
            namespace: format!("{}-home", router.namespace),
            ips: vec![Ipv4Addr::new(192, 168, 1, 2)],
        };
        let namespace = &machine.namespace;
        ip(&["netns", "add", namespace]);
        let cable = ["type", "veth", "peer", "name", "eth0", "netns", namespace];
        router.ip(&[&["link", "add", "home"], &cable[..]].concat());
        router.ip(&["addr", "add", "192.168.1.1/24", "dev", "home"]);
        router.ip(&["link", "set", "home", "up"]);
        machine.ip(&["addr", "add", "192.168.1.2/24", "dev", "eth0"]);
        machine.ip(&["link", "set", "lo", "up"]);
        machine.ip(&["link", "set", "eth0", "up"]);
        machine.ip(&["route", "add", "default", "via", "192.168.1.1"]);
        machine
    }

    /// The name of its namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its first address.
    pub(crate) fn ip_addr(&self) -> Ipv4Addr {
        self.ips[0]
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        (self.ip_addr(), port).into()
    }

    /// The port on each of its addresses.
    pub(crate) fn all_at(&self, port: u16) -> Vec<SocketAddr> {
        self.ips.iter().map(|&addr| (addr, port).into()).collect()
    }

    /// A command that runs `program` there.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        command.arg(program);
        command
    }

    /// Changes its links, addresses and routes.
    pub(crate) fn ip(&self, args: &[&str]) {
        ip(&[&["-n", &self.namespace], args].concat());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.namespace]);
    }
}

fn ip(args: &[&str]) {
    let name = format!("ip {}", args.join(" "));
    process::run(&name, Command::new("ip").args(args));
}
