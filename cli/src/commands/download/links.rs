//! Magnet links and publications: their torrents are known when peers have sent the metadata.

use std::sync::Arc;

use tailwater_dht::MutableTorrent;
use tailwater_metainfo::Magnet;

use super::Downloads;
use super::jobs::Job;
use super::one::One;
use crate::args::StorageChoice;
use crate::error::CliError;
use crate::link::Link;
use crate::magnet;

impl Downloads {
    /// `unfinished` is held until the link has led to a download, which holds it then.
    pub(super) async fn follow_link(
        self: Arc<Self>,
        link: Link,
        unfinished: Arc<()>,
    ) -> Result<(), CliError> {
        match link {
            Link::Torrent(magnet) => {
                let (_, one) = self.begin(&magnet).await?;
                drop(unfinished);
                one.run().await
            }
            Link::Published(published) => self.follow_publication(published, unfinished).await,
        }
    }

    /// Fetches a link's metadata and begins the download.
    async fn begin(&self, magnet: &Magnet) -> Result<(Job, One), CliError> {
        let Self { session, args, .. } = self;
        let loaded = magnet::fetch_torrent(session, magnet, &args.network, &self.audience).await?;
        let job = Job::new(loaded, args)?;
        if args.storage == StorageChoice::Memory {
            self.room.promise(&job)?;
        }
        let torrent = self.add(&job).await?;
        let one = One::new(self, &job, torrent);
        Ok((job, one))
    }

    /// Downloads what a publication is now (BEP 46); with `--seed`, goes over to each newer version, of which only what
    /// has changed is fetched.
    async fn follow_publication(
        &self,
        published: MutableTorrent,
        unfinished: Arc<()>,
    ) -> Result<(), CliError> {
        let mut unfinished = Some(unfinished);
        let mut follow = self.session.follow(published);
        let mut magnet = magnet::resolve(&mut follow, &self.args.network, &self.audience).await?;
        loop {
            let (job, one) = self.begin(&magnet).await?;
            drop(unfinished.take());
            if !self.args.seed {
                return one.run().await;
            }
            let torrent = one.torrent().clone();
            let newer = magnet::resolve(&mut follow, &self.args.network, &self.audience);
            magnet = tokio::select! {
                ended = one.run() => return ended,
                newer = newer => newer?,
            };
            torrent.remove().await;
            if self.args.storage == StorageChoice::Memory {
                self.room.give_back(&job);
            }
        }
    }
}
