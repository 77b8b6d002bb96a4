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

    pub(crate) fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let lab = Self {
            name: format!("tailwater-lab-{}-{number}", id()),
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
        let machine = Machine {
            namespace: format!("{}-{first}", self.name),
            ips: (first..first + addresses)
                .map(|number| Ipv4Addr::new(10, 9, number, 1))
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

    fn ip(&self, args: &[&str]) {
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
