//! Finds the addresses by which other machines reach a server on this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tailwater_types::address::{Scope, is_unicast};

/// Addresses that are shown: a machine with many containers has one for each.
const MOST: usize = 4;
/// Addresses of documentation networks (RFC 5737, RFC 3849): a route to them is the default one.
const ELSEWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 9),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        9,
    ),
];

/// The addresses to name to others for a server that listens at `addr`, the likeliest first; at least one.
pub(crate) fn reachable(addr: SocketAddr) -> Vec<SocketAddr> {
    if !addr.ip().is_unspecified() {
        return vec![addr];
    }
    let interfaces = netdev::get_interfaces();
    let ips = interfaces
        .iter()
        .filter(|interface| interface.is_up() && !interface.is_loopback())
        .flat_map(netdev::Interface::ip_addrs);
    let preferred = ELSEWHERE.map(local_addr);
    choose(addr, ips.collect(), &preferred)
}

/// Our address on the way to another one. Nothing is sent.
fn local_addr(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn choose(addr: SocketAddr, mut ips: Vec<IpAddr>, preferred: &[Option<IpAddr>]) -> Vec<SocketAddr> {
    // A link-local address means nothing without the name of our interface.
    let is_nameable = |ip: IpAddr| is_unicast(ip) && Scope::of(ip) != Scope::LinkLocal;
    ips.retain(|&ip| is_nameable(ip) && (ip.is_ipv4() || addr.is_ipv6()));
    ips.sort_by_key(|ip| {
        let place = preferred
            .iter()
            .position(|preferred| *preferred == Some(*ip));
        (place.unwrap_or(preferred.len()), ip.is_ipv6())
    });
    ips.dedup();
    ips.truncate(MOST);
    if ips.is_empty() {
        ips.push(match addr {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    ips.into_iter()
        .map(|ip| SocketAddr::new(ip, addr.port()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(addr: &str, ips: &[&str], preferred: &str) -> Vec<String> {
        let ips = ips.iter().map(|ip| ip.parse().expect("an address"));
        let chosen = choose(
            addr.parse().expect("an address"),
            ips.collect(),
            &[preferred.parse().ok()],
        );
        chosen.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn others_are_told_addresses_that_lead_here() {
        let ips = [
            "172.17.0.1",
            "169.254.1.1",
            "192.168.1.20",
            "fe80::1",
            "2001:db8::7",
        ];
        assert_eq!(
            chosen("0.0.0.0:6969", &ips, "192.168.1.20"),
            ["192.168.1.20:6969", "172.17.0.1:6969"]
        );
        assert_eq!(
            chosen("[::]:6969", &ips, ""),
            ["172.17.0.1:6969", "192.168.1.20:6969", "[2001:db8::7]:6969"]
        );
        let many: Vec<_> = (1..9).map(|number| format!("10.0.0.{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(chosen("0.0.0.0:1", &many, "10.0.0.8")[0], "10.0.0.8:1");
        assert_eq!(chosen("0.0.0.0:1", &many, "").len(), MOST);
        // Without a network there is this machine.
        assert_eq!(chosen("0.0.0.0:1", &[], ""), ["127.0.0.1:1"]);
        assert_eq!(chosen("[::]:1", &["fe80::1"], ""), ["[::1]:1"]);
    }

    #[test]
    fn an_address_that_was_chosen_is_the_one() {
        let addr = "127.0.0.1:6969".parse().expect("an address");
        assert_eq!(reachable(addr), [addr]);
    }
}
