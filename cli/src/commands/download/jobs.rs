//! The torrents to download, and which of their files.

use std::path::{Path, PathBuf};

use tailwater_metainfo::Info;
use tailwater_session::{AddError, AddOptions, StorageKind, Torrent};

use super::{Downloads, choose};
use crate::args::{Download, StorageChoice};
use crate::commands::hook::Facts;
use crate::error::CliError;
use crate::input::Terms;
use crate::input::magnet::{Audience, Loaded};
use crate::input::selection::{choose, wanted_bytes};
use crate::json;
use crate::known::About;
use crate::out::Harmless;
use crate::progress::Progress;

/// One torrent to download.
pub(super) struct Job {
    pub(super) loaded: Loaded,
    /// The earlier version of a publication, whose files it may replace.
    pub(super) previous: Option<Info>,
    /// The folder of its files.
    dir: PathBuf,
    files: Option<Vec<usize>>,
    /// Bytes of the wanted pieces.
    pub(super) wanted: u64,
}

impl Job {
    pub(super) fn new(loaded: Loaded, terms: &Terms, args: &Download) -> Result<Self, CliError> {
        let info = loaded.metainfo.info();
        let lists = match terms.files.is_empty() {
            true => &args.files,
            false => &terms.files,
        };
        let dir = terms.dir.as_deref().or(args.output.as_deref());
        let files = choose(info, lists, &args.exclude, loaded.selected.as_deref())?;
        Ok(Self {
            wanted: wanted_bytes(info, files.as_deref()),
            files,
            loaded,
            previous: None,
            dir: dir.unwrap_or(Path::new(".")).to_owned(),
        })
    }

    /// The same with the files that the user chooses on the terminal.
    pub(super) async fn chosen(self, progress: &Progress) -> Result<Self, CliError> {
        let info = self.loaded.metainfo.info();
        let files = choose::choose(info, self.files.as_deref(), progress).await?;
        Ok(Self {
            wanted: wanted_bytes(info, Some(&files)),
            files: Some(files),
            ..self
        })
    }

    pub(super) fn name(&self) -> &str {
        self.loaded.metainfo.info().name()
    }

    /// What `--on-complete`'s program is told when it is complete.
    pub(super) fn facts(&self, torrent: &Torrent, args: &Download) -> Facts {
        let dir = (args.storage == StorageChoice::Disk).then_some(&*self.dir);
        Facts::new(torrent.info(), torrent.info_hash(), dir)
    }

    /// Its description for messages.
    pub(super) fn about(&self, args: &Download) -> About {
        let dir = (args.storage == StorageChoice::Disk).then_some(&*self.dir);
        About::new(self.loaded.metainfo.info(), dir)
    }

    /// How the session is to add it.
    fn options(&self, args: &Download) -> AddOptions {
        let storage = match args.storage {
            StorageChoice::Memory => StorageKind::Memory,
            StorageChoice::Disk => StorageKind::Disk(self.dir.clone()),
        };
        let peers = self.loaded.peers.iter().copied();
        let options = AddOptions::new(storage)
            .sequential(args.sequential)
            .peers(args.network.peers_by_addr().chain(peers))
            .banned(self.loaded.banned.iter().copied());
        let options = args.each.apply(options);
        let options = args.new_files.apply(args.existing.apply(options));
        let options = options.reuse(args.reuse.iter().cloned());
        let options = match &self.previous {
            Some(previous) => options.replaces(previous),
            None => options,
        };
        match &self.files {
            Some(files) => options.files(files.iter().copied()),
            None => options,
        }
    }
}

impl Downloads {
    pub(super) async fn add(&self, job: &Job) -> Result<Torrent, CliError> {
        let options = job.options(&self.args);
        let info_hash = job.loaded.metainfo.info().info_hashes().wire();
        let about = job.about(&self.args);
        let Audience { progress, json, .. } = &self.audience;
        if let Some(info_hash) = info_hash {
            progress.known().insert(info_hash, about.clone());
        }
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
        let torrent = match added.map_err(refused) {
            Ok(torrent) => torrent,
            Err(error) => {
                let is_twice = matches!(
                    error,
                    CliError::Add {
                        error: AddError::Duplicate(_),
                        ..
                    }
                );
                // One that is there already is no failure.
                if let Some(info_hash) = info_hash.filter(|_| !is_twice) {
                    json::failed(*json, info_hash, &about, &error)?;
                }
                return Err(error);
            }
        };
        self.args
            .network
            .add_named_peers(&torrent, &self.audience.progress);
        if self.args.storage == StorageChoice::Memory && !self.args.seeds() {
            self.audience.progress.note(format_args!(
                "warning: {} is kept in memory only and is gone when this command ends; add `--seed` to share it, or leave `--storage memory` out",
                Harmless(job.name())
            ));
        }
        Ok(torrent)
    }
}
