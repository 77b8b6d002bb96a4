//! The connected peers, as the torrent sees them.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, BlockRef, PeerId, PieceIndex};
use tailwater_storage::SupplierKey;

use crate::peer::Direction;
use crate::torrent::flow::Flow;
use crate::torrent::membership::exchange::Exchange;
use crate::torrent::membership::holepunch::Punching;
use crate::torrent::membership::host::Host;
use crate::torrent::membership::turnover::Usage;
use crate::torrent::supply::pipeline::Pipeline;
use crate::torrent::supply::stall::Stall;
use crate::torrent::upload::unchoke::SlotUse;

/// A connected peer. A key that has outlived its connection never names another peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    index: u32,
    generation: u32,
}

impl PeerKey {
    /// A key by its parts: where the peer is kept, and how many were kept there before. Storages' tests make their own.
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }
}

/// The name by which a storage knows the supplier that a peer is.
impl From<PeerKey> for SupplierKey {
    fn from(key: PeerKey) -> Self {
        Self::new(u64::from(key.generation) << 32 | u64::from(key.index))
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) block: BlockRef,
    pub(crate) asked_at: Instant,
    /// It took too long and others may be asked; the peer may still deliver.
    pub(crate) late: bool,
}

/// What the torrent knows of one peer. The flags are BEP 3's four, named from our side.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// Where it can be reached: `addr` if we connected to it, else what it said.
    pub(crate) dial_addr: Option<SocketAddr>,
    /// Where else it can be reached, as it says.
    pub(crate) other_door: Option<SocketAddr>,
    /// Our address, as it says.
    pub(crate) sees_us_at: Option<IpAddr>,
    pub(crate) since: Instant,
    /// What it has been good for.
    pub(super) usage: Usage,
    pub(crate) id: PeerId,
    pub(crate) direction: Direction,
    pub(crate) fast: bool,
    pub(crate) upload_only: bool,
    pub(crate) client: Option<String>,
    pub(crate) bits: Bitfield,
    /// It was told which pieces it may request while it is choked (BEP 6).
    pub(crate) was_allowed_fast: bool,
    /// The picker counts it as one that came with everything.
    pub(crate) counted_as_seed: bool,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,
    /// Pieces it lets us request while it chokes us (BEP 6).
    pub(crate) allowed_fast: Vec<PieceIndex>,
    /// Wanted pieces that it has and we lack.
    pub(crate) interesting: u32,
    pub(crate) pending: VecDeque<Pending>,
    /// Some of the pending may be late: looking for them is for the few peers that ever are.
    pub(crate) has_late: bool,
    pub(crate) pipeline: Pipeline,
    /// The piece it is working through; kept, so that blocks arrive in order.
    pub(crate) current: Option<PieceIndex>,
    /// It owed us a block for too long and has delivered none since.
    pub(crate) snubbed: bool,
    pub(crate) stall: Stall,
    pub(crate) slot: SlotUse,
    /// It rejected a request while it was serving us; it is asked for nothing until then.
    pub(crate) rests_until: Option<Instant>,
    pub(crate) last_delivery: Instant,
    pub(crate) down: Flow,
    pub(crate) up: Flow,
    pub(crate) exchange: Exchange,
    pub(crate) punching: Punching,
}

impl Peer {
    pub(super) fn is_at_host_of(&self, ip: IpAddr) -> bool {
        Host::of(self.addr.ip()) == Host::of(ip)
    }

    /// Whether a request for this piece would be answered.
    pub(crate) fn lets_us_request(&self, piece: PieceIndex) -> bool {
        !self.peer_choking || self.allowed_fast.contains(&piece)
    }

    pub(crate) fn has_room(&self) -> bool {
        let may_ask = !self.peer_choking || !self.allowed_fast.is_empty();
        may_ask
            && self.rests_until.is_none()
            && !self.stall.rests()
            && self.am_interested
            && self.expected() < self.pipeline.size()
    }

    /// Requests that it may still answer in time.
    fn expected(&self) -> usize {
        match self.has_late {
            true => self.pending.iter().filter(|pending| !pending.late).count(),
            false => self.pending.len(),
        }
    }

    /// What it was asked for and has been late with: it may still deliver, and is not asked again.
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
}

impl Peers {
    pub(crate) fn insert(&mut self, peer: Peer) -> PeerKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
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

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
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
