//! The running session: its torrents, its numbers, and the settings that can be changed.

use std::sync::Arc;

use tailwater_metainfo::InfoHash;
use tailwater_types::interface::Interface;

use super::Session;
use crate::encryption::Encryption;
use crate::error::SettingError;
use crate::handle::Torrent;
use crate::ip_filter::IpFilter;
use crate::limits::{DEFAULT_MAX_PEERS, DEFAULT_UPLOAD_SLOTS, check, check_rate};
use crate::status::Phase;

/// The numbers of a session at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SessionStats {
    /// Torrents in the session.
    pub torrents: usize,
    /// Torrents among them that lack something that is wanted.
    pub downloading: usize,
    /// Torrents among them that have everything that is wanted.
    pub complete: usize,
    /// Torrents among them that the user paused.
    pub paused: usize,
    /// Torrents among them that cannot go on.
    pub failed: usize,
    /// Payload bytes that all torrents received since the session started, those that have ended included.
    pub downloaded: u64,
    /// Payload bytes that all torrents sent since the session started, those that have ended included.
    pub uploaded: u64,
    /// Payload bytes a second received now.
    pub down_rate: u64,
    /// Payload bytes a second sent now.
    pub up_rate: u64,
    /// Connected peers of all torrents.
    pub peers: usize,
    /// Connections to peers, those being made included.
    pub connections: usize,
    /// The most connections to peers.
    pub max_connections: usize,
    /// Bytes of the memory budget that are taken.
    pub memory_used: u64,
    /// The memory budget, in bytes.
    pub memory_budget: u64,
    /// Whether the network interface is there that all sockets are bound to; `None` if the session was given none.
    pub interface_is_up: Option<bool>,
}

impl Session {
    /// Its torrents, in the order in which they were added. Those that have ended are not among them.
    #[must_use]
    pub fn torrents(&self) -> Vec<Torrent> {
        let added = self.inner.registry.added();
        added.into_iter().map(Torrent::from).collect()
    }

    /// The torrent with this name on the wire, if the session has it.
    #[must_use]
    pub fn get(&self, info_hash: InfoHash) -> Option<Torrent> {
        self.inner.registry.get(info_hash).map(Torrent::from)
    }

    /// Its numbers; at most 200 ms old.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        let (memory_used, memory_budget) = self.inner.storages.memory.taken();
        let permits = &self.inner.shared.permits;
        let link = &self.inner.shared.link;
        let ended = self.inner.ended.get();
        let mut all = SessionStats {
            downloaded: ended.downloaded,
            uploaded: ended.uploaded,
            connections: permits.taken(),
            max_connections: permits.limit(),
            memory_used,
            memory_budget,
            interface_is_up: link.interface().map(|_| link.is_up()),
            ..SessionStats::default()
        };
        for torrent in self.torrents() {
            let status = torrent.status.borrow();
            all.torrents += 1;
            all.downloading += usize::from(status.phase == Phase::Downloading);
            all.complete += usize::from(status.phase == Phase::Complete);
            all.paused += usize::from(status.phase == Phase::Paused);
            all.failed += usize::from(matches!(status.phase, Phase::Failed(_)));
            all.downloaded += status.stats.downloaded;
            all.uploaded += status.stats.uploaded;
            all.down_rate += status.stats.down_rate;
            all.up_rate += status.stats.up_rate;
            all.peers += status.stats.peers;
        }
        all
    }

    /// The network interface that all sockets are bound to, if the session was given one.
    /// [`Interface::found`] says whether it is there.
    #[must_use]
    pub fn interface(&self) -> Option<Interface> {
        self.inner.shared.link.interface().cloned()
    }

    /// Whether connections to peers are encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        self.inner.shared.handshakes.encryption()
    }

    /// Changes whether connections to peers are encrypted. It holds for the connections made and accepted from now on.
    pub fn set_encryption(&self, policy: Encryption) {
        self.inner.shared.handshakes.set_encryption(policy);
    }

    /// Replaces the addresses that are neither dialled nor accepted. It holds for the connections made and accepted from now
    /// on; those that stand are left alone, unless [`Torrent::disconnect_filtered`](crate::Torrent::disconnect_filtered) ends
    /// them.
    pub fn set_ip_filter(&self, filter: IpFilter) {
        self.inner.shared.filter.replace(filter);
    }

    /// The addresses that are neither dialled nor accepted.
    #[must_use]
    pub fn ip_filter(&self) -> Arc<IpFilter> {
        self.inner.shared.filter.get()
    }

    /// The download rate limit over all torrents, in bytes a second; `None` for no limit.
    #[must_use]
    pub fn download_limit(&self) -> Option<u64> {
        self.inner.shared.down_limit.session().rate()
    }

    /// Changes the download rate limit over all torrents, in bytes a second; `None` lifts it. It holds at once: a
    /// connection that waits its turn under the old limit goes on under the new one.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_download_limit(&self, bytes_per_second: Option<u64>) -> Result<(), SettingError> {
        check_rate("a download limit", bytes_per_second)?;
        let limits = &self.inner.shared.down_limit;
        limits.session().set_rate(bytes_per_second);
        Ok(())
    }

    /// The upload rate limit over all torrents, in bytes of blocks a second; `None` for no limit.
    #[must_use]
    pub fn upload_limit(&self) -> Option<u64> {
        self.inner.shared.up_limit.session().rate()
    }

    /// Changes the upload rate limit over all torrents, in bytes of blocks a second; `None` lifts it. It holds at once:
    /// a connection that waits its turn under the old limit goes on under the new one.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_upload_limit(&self, bytes_per_second: Option<u64>) -> Result<(), SettingError> {
        check_rate("an upload limit", bytes_per_second)?;
        let limits = &self.inner.shared.up_limit;
        limits.session().set_rate(bytes_per_second);
        Ok(())
    }

    /// The most connections to peers, of all torrents together.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.inner.shared.permits.limit()
    }

    /// Changes the most connections to peers, of all torrents together. Above it, each torrent with more than its share
    /// disconnects a peer a second.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_max_connections(&self, connections: usize) -> Result<(), SettingError> {
        check("the most connections", Some(connections))?;
        self.inner.shared.permits.set_limit(connections);
        Ok(())
    }

    /// The most connected peers of a torrent that has no limit of its own.
    #[must_use]
    pub fn max_peers(&self) -> usize {
        let peers = self.inner.peer_limits.max_peers();
        peers.unwrap_or(DEFAULT_MAX_PEERS)
    }

    /// Changes the most connected peers of torrents that have no limit of their own. It holds within a second: peers
    /// above it are disconnected, the least useful first.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_max_peers(&self, peers: usize) -> Result<(), SettingError> {
        check("the most peers", Some(peers))?;
        self.inner.peer_limits.set_max_peers(Some(peers));
        Ok(())
    }

    /// The number of upload slots of a torrent without a number of its own.
    #[must_use]
    pub fn upload_slots(&self) -> usize {
        let slots = self.inner.peer_limits.upload_slots();
        slots.unwrap_or(DEFAULT_UPLOAD_SLOTS)
    }

    /// Changes the upload slots of torrents without a number of their own. It holds within a second: peers are choked, or
    /// unchoked, as if slots had been dealt out.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_upload_slots(&self, slots: usize) -> Result<(), SettingError> {
        check("the upload slots", Some(slots))?;
        self.inner.peer_limits.set_upload_slots(Some(slots));
        Ok(())
    }
}
