//! The members of a torrent's swarm: candidates, admission, ranking, peer exchange, hole punching, bans.

pub(crate) mod candidates;
pub(crate) mod connections;
pub(crate) mod exchange;
pub(crate) mod external;
pub(crate) mod hello;
pub(crate) mod holepunch;
pub(crate) mod host;
pub(crate) mod ranking;
pub(crate) mod source;
pub(crate) mod trackers;
pub(crate) mod turnover;
pub(crate) mod turns;
pub(crate) mod web_seeds;

use std::net::IpAddr;
use std::sync::Arc;

use crate::peer::Direction;
use crate::torrent::peers::ConnectedPeer;
use crate::torrent::{Config, NewPeer, PeerSource};
use candidates::Candidates;
use exchange::NamedBy;
use external::External;
use holepunch::Punches;
use ranking::Ranking;
use source::Scope;
use turnover::Turnover;
use web_seeds::BannedWebSeeds;

/// What a torrent knows of peers beyond its connections: candidates, bans, our own address as they see it.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) candidates: Candidates,
    /// The tracker that named peers last.
    pub(crate) tracker: Option<Arc<str>>,
    pub(crate) external: External,
    pub(crate) punches: Punches,
    pub(crate) web_seeds: BannedWebSeeds,
    /// What peers at each host have named (BEP 11).
    pub(crate) named_by: NamedBy,
    pub(crate) turnover: Turnover,
    /// Peers have been told that we want nothing.
    pub(crate) told_upload_only: bool,
    /// Only the torrent's trackers may name peers (BEP 27).
    private: bool,
    listen_port: Option<u16>,
    seed: u64,
}

impl Membership {
    pub(crate) fn new(config: &Config, upload_only: bool) -> Self {
        let mut membership = Self {
            candidates: Candidates::new(config.max_candidates),
            tracker: None,
            external: External::default(),
            punches: Punches::default(),
            web_seeds: BannedWebSeeds::default(),
            named_by: NamedBy::default(),
            turnover: Turnover::default(),
            told_upload_only: upload_only,
            private: config.private,
            listen_port: config.listen_port,
            seed: config.seed,
        };
        membership.rank_anew();
        membership
    }

    /// Whether this torrent may connect to addresses from a source.
    pub(crate) const fn is_allowed(&self, source: PeerSource) -> bool {
        !self.private || source.allowed_in_private()
    }

    /// The ranking of newcomers and candidates (BEP 40), by what is known of our addresses.
    pub(crate) fn ranking(&self) -> Ranking {
        Ranking {
            v4: self.external.v4(),
            v6: self.external.v6(),
            port: self.listen_port.unwrap_or(0),
            seed: self.seed,
        }
    }

    pub(crate) fn rank_anew(&mut self) {
        self.candidates.set_ranking(self.ranking());
    }

    /// Our address as others of the same family as `peer` see it.
    pub(crate) fn external_ip(&self, peer: IpAddr) -> Option<IpAddr> {
        match peer.to_canonical() {
            IpAddr::V4(_) => self.external.v4().map(IpAddr::V4),
            IpAddr::V6(_) => self.external.v6().map(IpAddr::V6),
        }
    }

    /// Our address in the other family, if peers may know it: those of a private torrent learn addresses from the tracker
    /// alone.
    pub(crate) fn other_ip(&self, peer: IpAddr) -> Option<IpAddr> {
        let other = match peer.to_canonical() {
            IpAddr::V4(_) => self.external.v6().map(IpAddr::V6),
            IpAddr::V6(_) => self.external.v4().map(IpAddr::V4),
        };
        other.filter(|ip| !self.private && Scope::of(*ip) == Scope::Global)
    }

    /// Whether a newcomer's address was chosen by hand: of callers, that is not known.
    pub(crate) fn is_named_newcomer(&self, new: &NewPeer) -> bool {
        let source = self.candidates.source(new.addr);
        new.direction == Direction::Outgoing && source.is_some_and(PeerSource::is_named)
    }

    /// Whether a connected peer's address was chosen by hand.
    pub(crate) fn is_named(&self, peer: &ConnectedPeer) -> bool {
        let source = peer.dial_addr.and_then(|addr| self.candidates.source(addr));
        source.is_some_and(PeerSource::is_named)
    }
}
