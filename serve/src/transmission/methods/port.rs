//! `port_test`: whether peers reach us from outside. Ours asks no service of the internet to try it; a peer that has connected
//! proves it.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use tailwater_http::{AddressPolicy, UrlTrust};

use super::{Outcome, of};
use crate::control::PeerView;
use crate::transmission::failure::{Failure, Kind};
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

/// Why it is not known.
const UNKNOWN: &str = "Couldn't test port: no peer from outside is connected that came by itself, and tailwater asks no \
    service on the internet to connect to it";

pub(super) async fn test(shared: &Shared, params: Params<'_>) -> Outcome {
    let protocol = params.text("ip_protocol");
    if protocol.is_some_and(|it| !["ipv4", "ipv6"].contains(&it)) {
        return Err(Failure::params("invalid ip protocol string"));
    }
    let mut result = protocol.map(|it| of("ip_protocol", it)).unwrap_or_default();
    let is_asked = |addr: IpAddr| match protocol {
        Some("ipv4") => addr.is_ipv4(),
        Some(_) => addr.is_ipv6(),
        None => true,
    };
    let having_peers = shared.control.torrents().into_iter();
    for torrent in having_peers.filter(|it| it.peers > 0) {
        // One that cannot say has none.
        let peers = shared.control.peers(torrent.id).await.unwrap_or_default();
        if peers.iter().filter_map(public_caller).any(is_asked) {
            result.insert("port_is_open".to_owned(), Value::Bool(true));
            return Ok(result);
        }
    }
    Err(Failure::new(Kind::Http, UNKNOWN).with(result))
}

/// The address of a peer that connected to us from the internet.
fn public_caller(peer: &PeerView) -> Option<IpAddr> {
    peer.is_incoming.then(|| public(&peer.addr)).flatten()
}

/// The address, if it is one on the internet.
fn public(addr: &str) -> Option<IpAddr> {
    let addr: SocketAddr = addr.parse().ok()?;
    let addr = addr.ip().to_canonical();
    let is_public = AddressPolicy::public_only().allows(addr, &[], UrlTrust::Composed);
    is_public.then_some(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_internet_is_told_from_those_of_other_networks() {
        for (addr, is_public) in [
            ("9.9.9.9:1", true),
            ("[::ffff:9.9.9.9]:1", true),
            ("[2620:fe::fe]:1", true),
            ("127.0.0.1:1", false),
            ("10.1.2.3:1", false),
            ("192.168.1.2:1", false),
            ("[::ffff:10.1.2.3]:1", false),
            ("100.64.0.1:1", false),
            ("169.254.1.1:1", false),
            ("198.18.0.1:1", false),
            ("[::1]:1", false),
            ("[fe80::1]:1", false),
            ("[fd00::1]:1", false),
            ("film", false),
        ] {
            assert_eq!(public(addr).is_some(), is_public, "{addr}");
        }
        assert!(public("[::ffff:9.9.9.9]:1").is_some_and(|addr| addr.is_ipv4()));
    }
}
