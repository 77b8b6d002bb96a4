//! The torrents to download, and which of their files.

use std::path::PathBuf;

use tailwater_session::{AddError, AddOptions, StorageKind, Torrent};

use super::Downloads;
use crate::args::{Download, StorageChoice};
use crate::error::CliError;
use crate::magnet::Loaded;
use crate::selection::{select, wanted_bytes};

/// One torrent to download.
pub(super) struct Job {
    pub(super) loaded: Loaded,
    files: Option<Vec<usize>>,
    /// Bytes of the wanted pieces.
    pub(super) wanted: u64,
}

impl Job {
    pub(super) fn new(loaded: Loaded, args: &Download) -> Result<Self, CliError> {
        let info = loaded.metainfo.info();
        let files = match select(info, &args.files)? {
            Some(files) => Some(files),
            None => loaded.selected.clone(),
        };
        Ok(Self {
            wanted: wanted_bytes(info, files.as_deref()),
            files,
            loaded,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.loaded.metainfo.info().name()
    }

    /// How the session is to add it.
    fn options(&self, args: &Download) -> AddOptions {
        let storage = match args.storage {
            StorageChoice::Memory => StorageKind::Memory,
            StorageChoice::Disk => {
                StorageKind::Disk(args.output.clone().unwrap_or_else(|| PathBuf::from(".")))
            }
        };
        let peers = args.network.peer.iter().chain(&self.loaded.peers);
        let options = AddOptions::new(storage)
            .sequential(args.sequential)
            .peers(peers.copied())
            .banned(self.loaded.banned.iter().copied());
        match &self.files {
            Some(files) => options.files(files.iter().copied()),
            None => options,
        }
    }
}

impl Downloads {
    pub(super) async fn add(&self, job: &Job) -> Result<Torrent, CliError> {
        let options = job.options(&self.args);
        let refused = |error| match error {
            AddError::TooLargeForMemory { needed, budget } => CliError::TooLargeForMemory {
                name: job.name().to_owned(),
                several: false,
                needed,
                budget,
            },
            error => CliError::Add {
                name: job.name().to_owned(),
                error,
            },
        };
        let added = self.session.add(&job.loaded.metainfo, options).await;
        self.have_begun();
        added.map_err(refused)
    }
}
