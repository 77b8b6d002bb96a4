//! Web seeds (BEP 19): suppliers that are no connections. They are not choked, told what we have, ranked or displaced,
//! and do not count towards the limit of peers.

use std::time::Instant;

use crate::torrent::peers::Contact;
use crate::torrent::{Engine, Notice, Origin, Output, PeerKey, Refusal, Space, WebSeedId};
use tailwater_types::BoundedMap;

/// Banned web seeds that are remembered: more than a torrent names. The oldest ban makes room for a new one.
const MAX_BANNED: usize = 1_000;

/// The web seeds that sent corrupt data, and are not used again.
#[derive(Debug)]
pub(crate) struct BannedWebSeeds(BoundedMap<WebSeedId, ()>);

impl Default for BannedWebSeeds {
    fn default() -> Self {
        Self(BoundedMap::new(MAX_BANNED))
    }
}

impl<S: Space> Engine<S> {
    /// Adds a web seed as a supplier. It is driven as a connection is: [`Command::Request`](crate::peer::Command) and
    /// `Cancel` go to it, and its facts, which are `Bitfield`, `Unchoked` when it is ready, `Choked` when it is not,
    /// `Block`, `Redundant`, `Returned` and `Rejected`, go to [`Self::handle_facts`]. [`Self::handle_closed`] removes
    /// it.
    ///
    /// # Errors
    ///
    /// When it is banned or there already.
    pub fn handle_web_seed(&mut self, now: Instant, id: WebSeedId) -> Result<PeerKey, Refusal> {
        if self.membership.web_seeds.0.contains(&id) {
            return Err(Refusal::Banned);
        }
        if self.peers.key_of(id).is_some() {
            return Err(Refusal::Duplicate);
        }
        let limit = self.config.max_requests;
        Ok(self.insert_peer(now, limit, Contact::WebSeed(id)))
    }

    /// Bans a web seed.
    pub(crate) fn ban_web_seed(&mut self, now: Instant, id: WebSeedId) {
        if self.membership.web_seeds.0.contains(&id) {
            return;
        }
        self.membership.web_seeds.0.insert(id, ());
        let banned = Notice::Banned(Origin::WebSeed(id));
        self.outputs.push_back(Output::Notice(banned));
        if let Some(key) = self.peers.key_of(id) {
            self.disconnect(now, key, Refusal::Banned);
        }
    }
}
