//! Compact addresses and nodes (BEP 5, BEP 32): fixed-size binary, big-endian.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::{NODE_ID_LEN, NodeId};

/// A DHT node: its id and its UDP address.
///
/// `A` says which families it may be of: either one by default, only one where the protocol keeps them apart.
// Not `#[non_exhaustive]`: compact node info has these two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeInfo<A = SocketAddr> {
    /// The id that the node claims.
    pub id: NodeId,
    /// Its UDP endpoint.
    pub addr: A,
}

/// An address of one family, with its compact form.
pub trait CompactAddr: Copy + Into<SocketAddr> {
    /// Bytes of the compact form.
    const LEN: usize;

    /// Reads the compact form; `None` unless it is [`Self::LEN`] bytes.
    fn from_compact(bytes: &[u8]) -> Option<Self>;

    /// Appends the compact form. It has no place for an IPv6 address's flow label and scope.
    fn append_compact(self, out: &mut Vec<u8>);
}

impl CompactAddr for SocketAddrV4 {
    const LEN: usize = 6;

    fn from_compact(bytes: &[u8]) -> Option<Self> {
        let (&ip, port) = bytes.split_first_chunk::<4>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        Some(Self::new(ip.into(), port))
    }

    fn append_compact(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ip().octets());
        out.extend_from_slice(&self.port().to_be_bytes());
    }
}

impl CompactAddr for SocketAddrV6 {
    const LEN: usize = 18;

    fn from_compact(bytes: &[u8]) -> Option<Self> {
        let (&ip, port) = bytes.split_first_chunk::<16>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        Some(Self::new(ip.into(), port, 0, 0))
    }

    fn append_compact(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ip().octets());
        out.extend_from_slice(&self.port().to_be_bytes());
    }
}

impl<A: CompactAddr> NodeInfo<A> {
    /// Bytes of one node's compact form: 26 for IPv4, 38 for IPv6.
    pub const LEN: usize = NODE_ID_LEN + A::LEN;

    /// Reads one node; `None` unless it is [`Self::LEN`] bytes.
    #[must_use]
    pub fn from_compact(bytes: &[u8]) -> Option<Self> {
        let (&id, addr) = bytes.split_first_chunk()?;
        Some(Self {
            id: NodeId::new(id),
            addr: A::from_compact(addr)?,
        })
    }

    /// Appends the compact form.
    pub fn append_compact(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        self.addr.append_compact(out);
    }

    /// Reads consecutive nodes, at most `max` of them. An incomplete one at the end is ignored.
    #[must_use]
    pub fn list_from_compact(bytes: &[u8], max: usize) -> Vec<Self> {
        bytes
            .chunks_exact(Self::LEN)
            .take(max)
            .filter_map(Self::from_compact)
            .collect()
    }

    /// Writes nodes one after the other.
    #[must_use]
    pub fn list_to_compact(nodes: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(nodes.len() * Self::LEN);
        nodes.iter().for_each(|node| node.append_compact(&mut out));
        out
    }
}

impl NodeInfo {
    /// The node, if its address is IPv4.
    #[must_use]
    pub const fn as_v4(&self) -> Option<NodeInfo<SocketAddrV4>> {
        match self.addr {
            SocketAddr::V4(addr) => Some(NodeInfo { id: self.id, addr }),
            SocketAddr::V6(_) => None,
        }
    }

    /// The node, if its address is IPv6.
    #[must_use]
    pub const fn as_v6(&self) -> Option<NodeInfo<SocketAddrV6>> {
        match self.addr {
            SocketAddr::V4(_) => None,
            SocketAddr::V6(addr) => Some(NodeInfo { id: self.id, addr }),
        }
    }
}

impl From<NodeInfo<SocketAddrV4>> for NodeInfo {
    fn from(node: NodeInfo<SocketAddrV4>) -> Self {
        Self {
            id: node.id,
            addr: node.addr.into(),
        }
    }
}

impl From<NodeInfo<SocketAddrV6>> for NodeInfo {
    fn from(node: NodeInfo<SocketAddrV6>) -> Self {
        Self {
            id: node.id,
            addr: node.addr.into(),
        }
    }
}

/// Reads an address whose length tells its family.
pub(crate) fn addr_from_compact(bytes: &[u8]) -> Option<SocketAddr> {
    let v4 = SocketAddrV4::from_compact(bytes).map(SocketAddr::from);
    v4.or_else(|| SocketAddrV6::from_compact(bytes).map(SocketAddr::from))
}

pub(crate) fn append_addr(addr: SocketAddr, out: &mut Vec<u8>) {
    match addr {
        SocketAddr::V4(addr) => addr.append_compact(out),
        SocketAddr::V6(addr) => addr.append_compact(out),
    }
}
