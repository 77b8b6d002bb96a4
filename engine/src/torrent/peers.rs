//! The torrent's suppliers of blocks: connected peers, and web seeds.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, BlockRef, PeerId, PieceIndex};
use tailwater_storage::SupplierKey;

use crate::peer::Direction;
use crate::torrent::ConnectionKind;
use crate::torrent::flow::Flow;
use crate::torrent::membership::exchange::Exchange;
use crate::torrent::membership::holepunch::Punching;
use crate::torrent::membership::host::Host;
use crate::torrent::membership::turnover::Usage;
use crate::torrent::origin::{Origin, WebSeedId};
use crate::torrent::supply::pipeline::Pipeline;
use crate::torrent::supply::stall::Stall;
use crate::torrent::upload::super_seeding::Recipient;
use crate::torrent::upload::unchoke::SlotUse;

/// The most allowed-fast pieces (BEP 6) that we remember of a peer; honest ones send 10.
const MAX_ALLOWED_FAST: usize = 64;

/// A supplier of a torrent: a connected peer or a web seed. A key that has outlived its supplier never names another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    index: u32,
    generation: u32,
}

impl PeerKey {
    /// A key from its parts: the index at which the peer is kept, and how many were kept there before. Storages' tests
    /// make their own.
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }
}

/// The key by which a storage knows this supplier.
impl From<PeerKey> for SupplierKey {
    fn from(key: PeerKey) -> Self {
        Self::new(u64::from(key.generation) << 32 | u64::from(key.index))
    }
}

/// An outstanding request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) block: BlockRef,
    pub(crate) asked_at: Instant,
    /// It took too long, and others may be asked; the peer may still deliver.
    pub(crate) late: bool,
}

/// A supplier of blocks: a peer or a web seed.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Since when it has been here.
    pub(crate) since: Instant,
    pub(crate) supply: Supplier,
    pub(crate) contact: Contact,
}

/// The kind of a supplier, and the state that only this kind has.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every supplier is a connection, and a box would cost each block an indirection"
)]
pub(crate) enum Contact {
    /// A connected peer: it takes as well as it gives, so it is choked, told what we have, ranked, and may be
    /// displaced.
    Connection(ConnectedPeer),
    /// A web seed, which only gives.
    WebSeed(WebSeedId),
}

/// The state of a supplier that requests and the picker need.
#[derive(Debug)]
pub(crate) struct Supplier {
    pub(crate) bits: Bitfield,
    /// The picker counts it as a seed.
    pub(crate) counted_as_seed: bool,
    /// It answers requests: it has unchoked us (BEP 3), or is a web seed that is ready.
    pub(crate) serves: bool,
    /// Wanted pieces that it has and we lack.
    pub(crate) interesting: u32,
    pub(crate) pending: VecDeque<Pending>,
    /// Some of the pending requests may be late: only few peers ever are, and only those are searched.
    pub(crate) has_late: bool,
    pub(crate) pipeline: Pipeline,
    /// The piece that it is working through; kept, so that blocks arrive in order.
    pub(crate) current: Option<PieceIndex>,
    /// It owed us a block for too long and has delivered none since.
    pub(crate) snubbed: bool,
    pub(crate) stall: Stall,
    /// It rejected a request while it was serving us; it is asked for nothing until then.
    pub(crate) rests_until: Option<Instant>,
    pub(crate) last_delivery: Instant,
    pub(crate) down: Flow,
}

/// The state that only a connection has. The flags are those of BEP 3, named from our side.
#[derive(Debug)]
pub(crate) struct ConnectedPeer {
    pub(crate) addr: SocketAddr,
    /// Where it can be dialled: `addr` if we connected to it, else the port that it told.
    pub(crate) dial_addr: Option<SocketAddr>,
    /// Its address in the other family, as it says.
    pub(crate) other_family_addr: Option<SocketAddr>,
    /// Our address, as it says.
    pub(crate) sees_us_at: Option<IpAddr>,
    /// How useful it has been.
    pub(crate) usage: Usage,
    pub(crate) id: PeerId,
    pub(crate) direction: Direction,
    pub(crate) fast: bool,
    pub(crate) kind: ConnectionKind,
    pub(crate) upload_only: bool,
    pub(crate) client: Option<String>,
    /// It was told which pieces it may request while it is choked (BEP 6).
    pub(crate) was_allowed_fast: bool,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_interested: bool,
    /// Pieces it lets us request while it chokes us (BEP 6).
    pub(crate) allowed_fast: Vec<PieceIndex>,
    pub(crate) slot: SlotUse,
    /// The pieces that it has been told of, if that is not all that we have (BEP 16).
    pub(crate) recipient: Option<Box<Recipient>>,
    pub(crate) up: Flow,
    pub(crate) exchange: Exchange,
    pub(crate) punching: Punching,
}

/// Read access to a supplier that is a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connected<'a> {
    pub(crate) since: Instant,
    pub(crate) supply: &'a Supplier,
    pub(crate) contact: &'a ConnectedPeer,
}

impl Deref for Connected<'_> {
    type Target = ConnectedPeer;

    fn deref(&self) -> &ConnectedPeer {
        self.contact
    }
}

impl ConnectedPeer {
    pub(crate) fn is_at_host_of(&self, ip: IpAddr) -> bool {
        Host::of(self.addr.ip()) == Host::of(ip)
    }

    /// The peer allows us a piece that we may request while it chokes us (BEP 6).
    pub(crate) fn allow_us_fast(&mut self, piece: PieceIndex) {
        if !self.allowed_fast.contains(&piece) && self.allowed_fast.len() < MAX_ALLOWED_FAST {
            self.allowed_fast.push(piece);
        }
    }
}

impl Peer {
    pub(crate) const fn new(
        now: Instant,
        bits: Bitfield,
        pipeline: Pipeline,
        contact: Contact,
    ) -> Self {
        Self {
            since: now,
            supply: Supplier {
                bits,
                counted_as_seed: false,
                serves: false,
                interesting: 0,
                pending: VecDeque::new(),
                has_late: false,
                pipeline,
                current: None,
                snubbed: false,
                stall: Stall::new(),
                rests_until: None,
                last_delivery: now,
                down: Flow::new(RATE_MEMORY),
            },
            contact,
        }
    }

    /// The origin that its blocks are blamed on.
    pub(crate) const fn origin(&self) -> Origin {
        match &self.contact {
            Contact::Connection(peer) => Origin::Ip(peer.addr.ip()),
            Contact::WebSeed(id) => Origin::WebSeed(*id),
        }
    }

    /// The connection that it is, if it is one.
    pub(crate) const fn connected(&self) -> Option<Connected<'_>> {
        match &self.contact {
            Contact::Connection(contact) => Some(Connected {
                since: self.since,
                supply: &self.supply,
                contact,
            }),
            Contact::WebSeed(_) => None,
        }
    }

    pub(crate) const fn connection_mut(&mut self) -> Option<&mut ConnectedPeer> {
        match &mut self.contact {
            Contact::Connection(peer) => Some(peer),
            Contact::WebSeed(_) => None,
        }
    }

    /// Whether a request for this piece would be answered.
    pub(crate) fn lets_us_request(&self, piece: PieceIndex) -> bool {
        self.supply.serves || self.allowed_fast().contains(&piece)
    }

    fn allowed_fast(&self) -> &[PieceIndex] {
        match &self.contact {
            Contact::Connection(peer) => &peer.allowed_fast,
            Contact::WebSeed(_) => &[],
        }
    }

    /// Whether it knows that we are interested. A web seed need not be told.
    const fn knows_our_interest(&self) -> bool {
        match &self.contact {
            Contact::Connection(peer) => peer.am_interested,
            Contact::WebSeed(_) => true,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        let may_ask = self.supply.serves || !self.allowed_fast().is_empty();
        may_ask && self.knows_our_interest() && self.supply.has_room()
    }
}

impl Supplier {
    fn has_room(&self) -> bool {
        self.rests_until.is_none() && !self.stall.rests() && self.expected() < self.pipeline.size()
    }

    /// Requests that it may still answer in time.
    fn expected(&self) -> usize {
        match self.has_late {
            true => self.pending.iter().filter(|pending| !pending.late).count(),
            false => self.pending.len(),
        }
    }

    /// Requests that it has been late with: it may still deliver, and is not asked for them again.
    pub(crate) fn late(&self) -> Vec<BlockRef> {
        if !self.has_late {
            return Vec::new();
        }
        let late = self.pending.iter().filter(|pending| pending.late);
        late.map(|pending| pending.block).collect()
    }

    pub(crate) fn has_pending(&self, block: BlockRef) -> bool {
        self.pending.iter().any(|pending| pending.block == block)
    }

    /// The requests for blocks of one piece.
    pub(crate) fn pending_of(&self, piece: PieceIndex) -> impl Iterator<Item = Pending> + '_ {
        let of_piece = move |pending: &&Pending| pending.block.piece() == piece;
        self.pending.iter().filter(of_piece).copied()
    }

    /// Removes a request; peers answer in order, so it is nearly always the first.
    pub(crate) fn take_pending(&mut self, block: BlockRef) -> Option<Pending> {
        let position = self
            .pending
            .iter()
            .position(|pending| pending.block == block)?;
        self.pending.remove(position)
    }
}

/// How long a byte counts in the rates that the choker compares.
pub(crate) const RATE_MEMORY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Peers {
    slots: Vec<(u32, Option<Peer>)>,
    free: Vec<u32>,
    /// How many of them are connections.
    connections: usize,
}

impl Peers {
    pub(crate) fn insert(&mut self, peer: Peer) -> PeerKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        self.connections += usize::from(peer.connected().is_some());
        slot.1 = Some(peer);
        PeerKey::new(index, slot.0)
    }

    pub(crate) fn remove(&mut self, key: PeerKey) -> Option<Peer> {
        let (generation, peer) = self.slots.get_mut(key.index as usize)?;
        if *generation != key.generation {
            return None;
        }
        let peer = peer.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(key.index);
        self.connections -= usize::from(peer.connected().is_some());
        Some(peer)
    }

    pub(crate) fn get(&self, key: PeerKey) -> Option<&Peer> {
        match self.slots.get(key.index as usize) {
            Some((generation, peer)) if *generation == key.generation => peer.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut Peer> {
        match self.slots.get_mut(key.index as usize) {
            Some((generation, peer)) if *generation == key.generation => peer.as_mut(),
            _ => None,
        }
    }

    /// All suppliers.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The number of connections: web seeds do not count towards the limit of peers.
    pub(crate) const fn connections(&self) -> usize {
        self.connections
    }

    pub(crate) fn connection(&self, key: PeerKey) -> Option<Connected<'_>> {
        self.get(key)?.connected()
    }

    pub(crate) fn connection_mut(&mut self, key: PeerKey) -> Option<&mut ConnectedPeer> {
        self.get_mut(key)?.connection_mut()
    }

    pub(crate) fn connected(&self) -> impl Iterator<Item = (PeerKey, Connected<'_>)> {
        self.iter()
            .filter_map(|(key, peer)| Some((key, peer.connected()?)))
    }

    pub(crate) fn connected_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut ConnectedPeer)> {
        self.iter_mut()
            .filter_map(|(key, peer)| Some((key, peer.connection_mut()?)))
    }

    /// The web seed with this number.
    pub(crate) fn key_of(&self, id: WebSeedId) -> Option<PeerKey> {
        let is_it = |peer: &Peer| matches!(peer.contact, Contact::WebSeed(other) if other == id);
        let mut peers = self.iter();
        peers.find(|(_, peer)| is_it(peer)).map(|(key, _)| key)
    }

    pub(crate) fn connected_keys(&self) -> Vec<PeerKey> {
        self.connected().map(|(key, _)| key).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerKey, &Peer)> {
        (0u32..)
            .zip(&self.slots)
            .filter_map(|(index, (generation, peer))| {
                Some((PeerKey::new(index, *generation), peer.as_ref()?))
            })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut Peer)> {
        (0u32..)
            .zip(&mut self.slots)
            .filter_map(|(index, (generation, peer))| {
                Some((PeerKey::new(index, *generation), peer.as_mut()?))
            })
    }

    pub(crate) fn keys(&self) -> Vec<PeerKey> {
        self.iter().map(|(key, _)| key).collect()
    }
}
