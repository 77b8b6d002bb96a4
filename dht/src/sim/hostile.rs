//! A hostile node: it tries to keep lookups from finding what was announced.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::{Body, Message, Method, NodeId, NodeInfo, Query, Response, Token, Want};

/// Accomplices that it names in an answer.
const NAMED: usize = 6;
/// Nodes in an answer that do not exist, with ids that BEP 42 permits.
const INVENTED: usize = 2;
/// Tries to invent an address whose permitted ids begin like the target's.
const TRIES: u32 = 50;

/// A hostile node. Its only state is its id, which is valid for its address, so that it gets into routing tables.
pub(super) struct Hostile {
    pub(super) id: NodeId,
}

impl Hostile {
    /// Its answer, if the datagram is a query.
    pub(super) fn answer(
        &self,
        rng: &mut fastrand::Rng,
        accomplices: &[SocketAddr],
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<Vec<u8>> {
        let message = Message::decode(datagram).ok()?;
        let Body::Query(query) = &message.body else {
            return None;
        };
        let mut response = Response::new(self.id);
        if let Some(target) = target(&query.method) {
            let near = |rng: &mut fastrand::Rng| {
                NodeId::new(std::array::from_fn(|_| rng.u8(..))).with_prefix(&target, 60)
            };
            let mut nodes = Vec::new();
            for _ in 0..NAMED {
                if let Some(SocketAddr::V4(addr)) = rng.choice(accomplices).copied() {
                    nodes.push(NodeInfo {
                        id: near(rng),
                        addr,
                    });
                }
            }
            nodes.extend((0..INVENTED).map(|_| invent(rng, &target)));
            response.nodes = Some(nodes);
            response.token = Token::new(b"none").ok();
            // Whatever id it was asked as, it claims one next to the target now.
            if !matches!(query.method, Method::FindNode { .. }) {
                response.id = near(rng);
            }
        }
        let mut answer = Message::new(message.transaction_id, response.into());
        answer.external_addr = Some(from);
        Some(answer.encode())
    }

    /// A query by which it becomes known.
    pub(super) fn question(&self, number: u16) -> Vec<u8> {
        let method = Method::FindNode {
            target: self.id,
            want: Want::default(),
        };
        Message::new(number.into(), Query::new(self.id, method).into()).encode()
    }
}

const fn target(method: &Method) -> Option<NodeId> {
    match method {
        Method::FindNode { target, .. } | Method::Get { target, .. } => Some(*target),
        Method::GetPeers { info_hash, .. } => Some(NodeId::new(*info_hash.as_bytes())),
        _ => None,
    }
}

/// Invents a node that cannot be told from a real one before it is asked.
fn invent(rng: &mut fastrand::Rng, target: &NodeId) -> NodeInfo<SocketAddrV4> {
    let mut best: Option<(NodeId, Ipv4Addr)> = None;
    for _ in 0..TRIES {
        let ip = Ipv4Addr::from(rng.u32(0x1400_0000..0x6000_0000));
        let mut wanted = *target.as_bytes();
        wanted[19] = rng.u8(..);
        let id = NodeId::for_ip(IpAddr::V4(ip), wanted);
        if best.is_none_or(|(known, _)| id.distance(target) < known.distance(target)) {
            best = Some((id, ip));
        }
    }
    let (id, ip) = best.unwrap_or((*target, Ipv4Addr::LOCALHOST));
    NodeInfo {
        id,
        addr: SocketAddrV4::new(ip, 6881),
    }
}
