//! The peers that a magnet link names (`x.pe`): which addresses are admitted.
//!
//! Anyone can write a link, so it must not make us connect to our own network. A link is judged as a whole: if it names
//! a public tracker or a public peer, it was made for strangers, and those cannot mean an address that only we can
//! reach.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use tailwater_metainfo::HostPort;
use tailwater_types::address::{AddressGroup, Scope, is_usable};
use url::{Host, Url};

/// Ports of one address (IPv6: /64): several clients behind one router, and no scan of its ports.
const MAX_PORTS: usize = 4;
/// Ports of this machine: tests and proxies run many clients.
const MAX_LOOPBACK_PORTS: usize = 64;

/// The peers that a link names, and which of their addresses are admitted.
#[derive(Debug)]
pub struct NamedPeers {
    /// No tracker and no peer of the link is public.
    is_local: bool,
    admitted: BTreeMap<AddressGroup, BTreeSet<SocketAddr>>,
}

impl NamedPeers {
    /// Judges a link by its trackers and peers.
    pub fn new(trackers: &[String], peers: &[HostPort]) -> Self {
        let mut trackers = trackers.iter().filter_map(|url| host_of(url));
        let mut peers = peers.iter().map(|peer| peer.host.as_str());
        let is_public = trackers.any(|host| is_public(&host)) || peers.any(is_public);
        Self {
            is_local: !is_public,
            admitted: BTreeMap::new(),
        }
    }

    /// Whether an address may be connected to, if the link or a name in it led there. The same one again may.
    pub fn admits(&mut self, addr: SocketAddr) -> bool {
        let scope = Scope::of(addr.ip());
        let most = match scope {
            Scope::Global => MAX_PORTS,
            // Clouds serve the secrets of their machines at link-local addresses.
            Scope::LinkLocal => return false,
            Scope::Shared | Scope::Local | Scope::Loopback if !self.is_local => return false,
            Scope::Shared | Scope::Local => MAX_PORTS,
            Scope::Loopback => MAX_LOOPBACK_PORTS,
        };
        if !is_usable(addr) {
            return false;
        }
        let group = AddressGroup::of(addr.ip());
        let admitted = self.admitted.entry(group).or_default();
        admitted.contains(&addr) || (admitted.len() < most && admitted.insert(addr))
    }
}

/// The host that a tracker's URL names, however it is written.
fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    Some(match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    })
}

/// Whether a name is public, or an address can be reached from the internet.
fn is_public(host: &str) -> bool {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Scope::of(ip) == Scope::Global;
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |zone: &str| {
        let rest = host.strip_suffix(zone);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !["localhost", "local", "lan"].into_iter().any(is_below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(trackers: &[&str], peers: &[&str]) -> NamedPeers {
        let trackers: Vec<_> = trackers.iter().map(|url| (*url).to_owned()).collect();
        let peers: Vec<_> = peers.iter().map(|peer| peer.parse().unwrap()).collect();
        NamedPeers::new(&trackers, &peers)
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_public_link_cannot_name_our_own_network() {
        let companies: [(&[&str], &[&str]); 8] = [
            (&["http://tracker.example/announce"], &[]),
            (&["udp://tracker.example:6969"], &[]),
            (&["http://9.9.9.9/announce"], &[]),
            (&["udp://[2606:4700::1]:80"], &[]),
            // An IPv4 address may be written as one decimal number.
            (&["http://151587081/announce"], &[]),
            (&["http://127.0.0.1/announce", "wss://tracker.example"], &[]),
            (&[], &["9.9.9.9:6881"]),
            (&[], &["192.168.1.1:80", "peer.example:6881"]),
        ];
        for (trackers, peers) in companies {
            let mut named = named(trackers, peers);
            for inside in [
                "192.168.1.1:6881",
                "10.0.0.1:6881",
                "100.64.0.1:6881",
                "127.0.0.1:6881",
                "[::1]:6881",
                "[fd00::1]:6881",
                "[::ffff:10.0.0.1]:6881",
            ] {
                let is_admitted = named.admits(addr(inside));
                assert!(!is_admitted, "{inside} beside {trackers:?} {peers:?}");
            }
            assert!(named.admits(addr("9.9.9.9:6881")));
        }
    }

    #[test]
    fn a_link_of_a_local_network_may_name_it() {
        let companies: [(&[&str], &[&str]); 6] = [
            (&[], &["127.0.0.1:6881"]),
            (&["http://127.0.0.1:8080/announce"], &[]),
            (&["udp://localhost:6969", "not a url"], &[]),
            (&["http://nas.lan/announce"], &["printer.local:6881"]),
            (&["http://NAS.LOCAL./announce"], &["192.168.1.1:80"]),
            (&["http://0x7f.1/announce", "http://[::1]/a"], &[]),
        ];
        for (trackers, peers) in companies {
            let mut named = named(trackers, peers);
            assert!(named.admits(addr("127.0.0.1:6881")), "{trackers:?}");
            assert!(named.admits(addr("192.168.1.1:80")), "{trackers:?}");
        }
        assert!(is_public("notlocalhost") && is_public("lan.example"));
    }

    #[test]
    fn no_link_may_name_what_is_no_peer_or_many_ports_of_a_host() {
        let mut named = named(&[], &["10.0.0.1:1"]);
        for never in [
            "169.254.169.254:80",
            "[fe80::1]:6881",
            "0.0.0.0:6881",
            "0.1.2.3:6881",
            "224.0.0.1:6881",
            "240.0.0.1:6881",
            "255.255.255.255:6881",
            "[::]:6881",
            "[ff02::1]:6881",
            "10.0.0.9:0",
        ] {
            assert!(!named.admits(addr(never)), "{never}");
        }
        for (host, most) in [
            ("10.0.0.1", 4),
            ("9.9.9.9", 4),
            ("127.0.0.1", 64),
            ("[2001:db8::1]", 4),
        ] {
            let ports = (1..=200).map(|port| addr(&format!("{host}:{port}")));
            let admitted: Vec<_> = ports.filter(|addr| named.admits(*addr)).collect();
            assert_eq!(admitted.len(), most, "{host}");
            assert!(named.admits(admitted[0]), "it may be looked up again");
        }
        // Another address of the same /64.
        assert!(!named.admits(addr("[2001:db8::2]:1")));
    }
}
