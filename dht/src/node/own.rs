//! Lookups in the node's own stores. In a small network the node is often one of the nearest itself, and the only one
//! that was told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tailwater_types::InfoHash;

use super::lookup::{Job, Lookup, MAX_LOOKUP_PEERS};
use super::{Event, Family, Node, RequestId};
use crate::{Item, NodeId, NodeInfo};

impl Node {
    /// Reports peers or an item that the node has stored for others, when its owner looks for them.
    pub(super) fn look_at_home(&mut self, request: RequestId, target: NodeId, lookup: &mut Lookup) {
        match &lookup.job {
            Job::Peers { scrape: false, .. } => self.find_peers_at_home(request, target, lookup),
            Job::Get { .. } => self.find_item_at_home(request, target, lookup),
            // An estimate counts what the nearest nodes say (BEP 33).
            _ => {}
        }
    }

    fn find_peers_at_home(&mut self, request: RequestId, target: NodeId, lookup: &mut Lookup) {
        let Some(side) = self.sides[lookup.family.index()].as_ref() else {
            return;
        };
        let random = &mut self.random;
        let hash = InfoHash::new(*target.as_bytes());
        let known = side.peers.values(random, &hash, MAX_LOOKUP_PEERS, false);
        let peers = lookup.new_peers(known);
        if !peers.is_empty() {
            let from = ourselves(side.id(), lookup.family);
            self.events.push_back(Event::Peers {
                request,
                from,
                peers,
            });
        }
    }

    fn find_item_at_home(&mut self, request: RequestId, target: NodeId, lookup: &mut Lookup) {
        let (Some(item), Some(state)) = (self.items.get(&target), self.requests.get_mut(&request))
        else {
            return;
        };
        // Both families' lookups pass here; there is one store.
        if state.best.is_some() {
            return;
        }
        // Of a mutable item others may have a newer version.
        lookup.is_found = matches!(item, Item::Immutable(_));
        state.best = Some(item.clone());
        let item = item.clone();
        self.events.push_back(Event::Item { request, item });
    }
}

/// A node does not know where others see it, so its own address is the unspecified one.
const fn ourselves(id: NodeId, family: Family) -> NodeInfo {
    let ip = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let addr = SocketAddr::new(ip, 0);
    NodeInfo { id, addr }
}
