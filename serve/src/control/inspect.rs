//! What is in a torrent, before it is added: a person chooses files first.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use serde::Serialize;
use tailwater_metainfo::{Magnet, Metainfo};
use tailwater_session::torrent_file;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::add::magnet;
use super::error::ControlError;
use super::id::TorrentId;
use super::request::AddSource;
use super::service::{Control, Inner};
use super::url;

/// How long the metadata of a link is waited for: a person waits, and a swarm that has not answered by then may never.
const FETCH_WITHIN: Duration = Duration::from_secs(60);

/// What is in a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Inspection {
    /// Its info-hash.
    #[schema(value_type = String)]
    pub id: TorrentId,
    /// The daemon has it already.
    pub is_known: bool,
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its files, without padding.
    pub files: Vec<InspectedFile>,
    /// The length of a piece, in bytes.
    pub piece_length: u32,
    /// How many pieces it has.
    pub piece_count: u32,
    /// Peers come from its trackers alone (BEP 27).
    pub is_private: bool,
    /// What its maker says of it.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, as a Unix time.
    pub created: Option<i64>,
    /// Its trackers, by tier.
    pub trackers: Vec<Vec<String>>,
    /// Its .torrent file in base64, if that had to be fetched: sent back to be added, it need not be fetched again.
    pub torrent: Option<String>,
}

/// A file of a torrent that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InspectedFile {
    /// Its index in the torrent.
    pub index: usize,
    /// Its path, with `/` between its parts.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Control {
    /// Says what is in a torrent without adding it. `peers` are asked too for the metadata of a link.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the fetch has ended.
    ///
    /// # Errors
    ///
    /// When the source cannot be read or fetched, or its metadata does not come within a minute.
    pub async fn inspect(
        &self,
        source: AddSource,
        peers: Vec<SocketAddr>,
    ) -> Result<Inspection, ControlError> {
        let inner = &self.inner;
        match source {
            AddSource::TorrentFile(bytes) => inner.inspection(&read(&bytes)?, None),
            AddSource::Link(text) => match text.trim() {
                text if url::is_url(text) => {
                    let bytes = url::fetch(text, &inner.config).await?;
                    inner.inspection(&read(&bytes)?, Some(&bytes))
                }
                text => {
                    let metainfo = inner.metadata(text, &magnet(text)?, peers).await?;
                    let file = torrent_file(&metainfo);
                    inner.inspection(&metainfo, Some(&file))
                }
            },
        }
    }
}

impl Inner {
    /// The metadata of a link: that of a torrent that is there, or of peers.
    async fn metadata(
        &self,
        text: &str,
        magnet: &Magnet,
        peers: Vec<SocketAddr>,
    ) -> Result<Metainfo, ControlError> {
        let hash = magnet.hashes.wire();
        if let Some(entry) = hash.and_then(|hash| self.find(hash.into())) {
            return match entry.torrent() {
                Some(torrent) => Ok(torrent.metainfo().clone()),
                None => self.stored_metainfo(&entry).await,
            };
        }
        let mut fetch = self.session.fetch(magnet);
        // A fetch that is over has an outcome.
        let mut peers = peers;
        peers.extend(self.peers.lock().iter().copied());
        let _ = fetch.add_peers(peers).await;
        let fetched = timeout(FETCH_WITHIN, fetch.wait()).await;
        let fetched = fetched.map_err(|_| ControlError::Fetch {
            url: text.chars().take(url::MAX_URL_LEN).collect(),
            reason: format!(
                "no peer sent its metadata within {} s",
                FETCH_WITHIN.as_secs()
            ),
        })?;
        fetched.map_err(|error| tailwater_session::AddError::from(error).into())
    }

    fn inspection(
        &self,
        metainfo: &Metainfo,
        fetched: Option<&[u8]>,
    ) -> Result<Inspection, ControlError> {
        let info = metainfo.info();
        let id = info.info_hash().into();
        let files = info.files().iter().enumerate();
        let files = files.filter(|(_, file)| !file.is_pad());
        Ok(Inspection {
            id,
            is_known: self.find(id).is_some(),
            name: info.name().to_owned(),
            size: info.payload_len(),
            files: files
                .map(|(index, file)| InspectedFile {
                    index,
                    path: file.path().as_str().to_owned(),
                    size: file.length(),
                })
                .collect(),
            piece_length: info.geometry().piece_length(),
            piece_count: info.geometry().piece_count(),
            is_private: info.is_private(),
            comment: metainfo.comment().map(str::to_owned),
            created_by: metainfo.created_by().map(str::to_owned),
            created: metainfo.creation_date(),
            trackers: metainfo.trackers().to_vec(),
            torrent: fetched.map(|bytes| BASE64.encode(bytes)),
        })
    }
}

/// Reads a .torrent file.
pub(super) fn read(bytes: &[u8]) -> Result<Metainfo, ControlError> {
    Metainfo::from_bytes(bytes)
        .map_err(|error| ControlError::Invalid(format!("this is not a .torrent file: {error}")))
}
