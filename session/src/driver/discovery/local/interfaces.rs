//! The network interfaces that local discovery uses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netdev::Interface;
use tailwater_types::interface::Interface as Bound;

use crate::discovery::local::Network;

/// Interfaces of each family that are used: a system may allow one socket no more than 20 memberships.
const MAX_INTERFACES: usize = 16;

/// The networks of this machine on which it takes incoming connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) networks: Vec<Network>,
    /// Interfaces with IPv4: index and first address.
    pub(super) v4: Vec<(u32, Ipv4Addr)>,
    /// Indices of interfaces with IPv6.
    pub(super) v6: Vec<u32>,
}

impl Surroundings {
    /// Lists the interfaces, which takes some milliseconds. `listen` is where we take connections; without it, all
    /// interfaces count. With an interface that sockets are bound to, it is the only one.
    pub(super) fn look(listen: Option<SocketAddr>, bound: Option<&Bound>) -> Self {
        let mut interfaces = netdev::get_interfaces();
        if let Some(bound) = bound {
            let index = bound.found().map(|found| found.index);
            interfaces.retain(|interface| Some(interface.index) == index);
        }
        // The order of the list means nothing: sorted, lists that say the same compare as equal.
        interfaces.sort_by_key(|interface| interface.index);
        Self::of(&interfaces, listen)
    }

    fn of(interfaces: &[Interface], listen: Option<SocketAddr>) -> Self {
        let mut found = Self::default();
        let listen = listen.map(|addr| addr.ip());
        for interface in interfaces {
            // A tunnel leads elsewhere, not to neighbours. Loopback has no multicast flag, and does it all the same.
            let has_neighbours = interface.is_multicast() || interface.is_loopback();
            if interface.is_up() && has_neighbours && !interface.is_point_to_point() {
                found.add(interface, listen);
            }
        }
        found
    }

    fn add(&mut self, interface: &Interface, listen: Option<IpAddr>) {
        let v4 = interface
            .ipv4
            .iter()
            .map(|net| (net.addr(), net.prefix_len()));
        let v4: Vec<_> = v4
            .filter(|(addr, _)| takes_calls(listen, (*addr).into()))
            .collect();
        let v6 = interface
            .ipv6
            .iter()
            .map(|net| (net.addr(), net.prefix_len()));
        let v6: Vec<_> = v6
            .filter(|(addr, _)| takes_calls(listen, (*addr).into()))
            .collect();
        if let Some((addr, _)) = v4.first().filter(|_| self.v4.len() < MAX_INTERFACES) {
            self.v4.push((interface.index, *addr));
        }
        if !v6.is_empty() && self.v6.len() < MAX_INTERFACES {
            self.v6.push(interface.index);
        }
        let v4 = v4.into_iter().map(|(addr, prefix)| (addr.into(), prefix));
        let v6 = v6.into_iter().map(|(addr, prefix)| (addr.into(), prefix));
        let networks = v4.chain(v6);
        self.networks
            .extend(networks.map(|(addr, prefix)| Network { addr, prefix }));
    }
}

/// Whether a connection to this address of ours reaches `listen`.
fn takes_calls(listen: Option<IpAddr>, addr: IpAddr) -> bool {
    match listen {
        // The socket of both families.
        None => true,
        Some(IpAddr::V6(listen)) if listen.is_unspecified() => true,
        Some(IpAddr::V4(listen)) if listen.is_unspecified() => addr.is_ipv4(),
        Some(listen) => listen == addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    // The flags of an interface, alike on the systems where tests run.
    const UP: u32 = 1;
    const LOOPBACK: u32 = 8;
    const POINT_TO_POINT: u32 = 0x10;
    const MULTICAST: u32 = 0x1000;

    fn interface(index: u32, flags: u32, v4: &[&str], v6: &[&str]) -> Interface {
        Interface {
            index,
            flags,
            ipv4: v4.iter().map(|net| net.parse().unwrap()).collect(),
            ipv6: v6.iter().map(|net| net.parse().unwrap()).collect(),
            ..Interface::dummy()
        }
    }

    fn machine() -> [Interface; 6] {
        let tunnel = UP | POINT_TO_POINT | MULTICAST;
        let eth = UP | MULTICAST;
        [
            interface(1, UP | LOOPBACK, &["127.0.0.1/8"], &["::1/128"]),
            interface(
                2,
                eth,
                &["192.168.0.5/24", "192.168.7.5/24"],
                &["fe80::5/64", "2001:db8::5/64"],
            ),
            interface(3, eth, &["10.0.0.5/8"], &[]),
            interface(4, tunnel, &["10.8.0.2/24"], &["fe80::8/64"]),
            interface(5, MULTICAST, &["10.9.0.2/24"], &[]),
            interface(6, UP, &["10.10.0.2/24"], &[]),
        ]
    }

    #[test]
    fn each_interface_where_we_take_calls_is_used_once() {
        let (lo, eth, other) = ([127, 0, 0, 1], [192, 168, 0, 5], [10, 0, 0, 5]);
        let all = vec![(1, lo), (2, eth), (3, other)];
        for (listen, v4, v6, networks) in [
            (None, all.clone(), vec![1, 2], 7),
            (Some("[::]:1"), all.clone(), vec![1, 2], 7),
            (Some("0.0.0.0:1"), all, vec![], 4),
            (Some("127.0.0.1:1"), vec![(1, lo)], vec![], 1),
            (
                Some("192.168.7.5:1"),
                vec![(2, [192, 168, 7, 5])],
                vec![],
                1,
            ),
            (Some("[::1]:1"), vec![], vec![1], 1),
            (Some("203.0.113.1:1"), vec![], vec![], 0),
        ] {
            let listen_addr = listen.map(|addr| addr.parse().unwrap());
            let found = Surroundings::of(&machine(), listen_addr);
            let expected: Vec<_> = v4
                .into_iter()
                .map(|(index, ip)| (index, Ipv4Addr::from(ip)))
                .collect();
            assert_eq!(found.v4, expected, "{listen:?}");
            assert_eq!(found.v6, v6, "{listen:?}");
            assert_eq!(found.networks.len(), networks, "{listen:?}");
        }
    }

    #[test]
    fn a_machine_with_many_interfaces_uses_some() {
        let many: Vec<_> = (1..=200)
            .map(|index| {
                let v4 = format!("10.0.{index}.1/24");
                interface(index, UP | MULTICAST, &[&v4], &["fe80::1/64"])
            })
            .collect();
        let found = Surroundings::of(&many, None);
        assert_eq!(found.v4.len(), MAX_INTERFACES);
        assert_eq!(found.v6.len(), MAX_INTERFACES);
    }
}
