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
        if peers.iter().filter_map(caller).any(is_asked) {
            result.insert("port_is_open".to_owned(), Value::Bool(true));
            return Ok(result);
        }
    }
    Err(Failure::new(Kind::Http, UNKNOWN).with(result))
}

/// The address of a peer that connected to us from the internet.
fn caller(peer: &PeerView) -> Option<IpAddr> {
    let addr: SocketAddr = peer.addr.parse().ok()?;
    let addr = addr.ip().to_canonical();
    let is_public = AddressPolicy::public_only().allows(addr, &[], UrlTrust::Composed);
    (peer.is_incoming && is_public).then_some(addr)
}
