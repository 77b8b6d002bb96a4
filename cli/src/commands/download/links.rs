//! Downloads magnet links and publications, whose torrents are known once peers have sent the metadata.

use std::sync::Arc;

use tailwater_dht::MutableTorrent;
use tailwater_metainfo::{Info, Magnet};
use tailwater_session::AddError;
use tailwater_session::RemoveOptions;

use super::jobs::Job;
use super::one::One;
use super::pending::Held;
use super::{Downloads, choose_files};
use crate::args::StorageChoice;
use crate::error::CliError;
use crate::input::link::Link;
use crate::input::magnet;
use crate::input::{Terms, warn_named_twice};
use crate::json;
use crate::known::About;

impl Downloads {
    /// `unfinished` is held until the link has led to a download, which holds it then.
    pub(super) async fn follow_link(
        self: Arc<Self>,
        link: Link,
        terms: Terms,
        unfinished: Held,
    ) -> Result<(), CliError> {
        let ended = match link {
            Link::Torrent(magnet) => match self.begin(&magnet, &terms, None).await {
                Ok((_, one)) => {
                    drop(unfinished);
                    one.run().await
                }
                Err(error) => Err(error),
            },
            Link::Published(published) => {
                self.follow_publication(published, &terms, unfinished).await
            }
        };
        match ended {
            // The torrent of a publication is known late.
            Err(CliError::Add {
                name,
                error: AddError::Duplicate(_),
            }) => {
                warn_named_twice(&name, &self.audience.progress);
                Ok(())
            }
            ended => ended,
        }
    }

    /// Fetches a link's metadata and begins the download; it may replace the files of a `previous` torrent.
    async fn begin(
        &self,
        magnet: &Magnet,
        terms: &Terms,
        previous: Option<Info>,
    ) -> Result<(Job, One), CliError> {
        let Self { session, args, .. } = self;
        let fetched = magnet::fetch_torrent(session, magnet, &args.network, &self.audience).await;
        if let (Err(error), Some(info_hash)) = (&fetched, magnet.hashes.wire()) {
            let about = About {
                name: magnet::name(magnet),
                ..About::default()
            };
            json::failed(self.audience.json, info_hash, &about, error)?;
        }
        let loaded = fetched?;
        let job = Job::new(loaded, terms, args);
        let mut job = choose_files(job, args, &self.audience.progress).await?;
        job.previous = previous;
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
        terms: &Terms,
        unfinished: Held,
    ) -> Result<(), CliError> {
        let mut unfinished = Some(unfinished);
        let mut previous = None;
        let mut follow = self.session.follow(published);
        let mut magnet = magnet::resolve(&mut follow, &self.args.network, &self.audience).await?;
        loop {
            let (job, one) = self.begin(&magnet, terms, previous.take()).await?;
            drop(unfinished.take());
            if !self.args.seeds() {
                return one.run().await;
            }
            let torrent = one.torrent().clone();
            let newer = magnet::resolve(&mut follow, &self.args.network, &self.audience);
            magnet = tokio::select! {
                ended = one.run() => return ended,
                newer = newer => newer?,
            };
            // Nothing is deleted, so nothing can fail.
            let _ = torrent.remove(RemoveOptions::default()).await;
            previous = Some(torrent.info().clone());
            if self.args.storage == StorageChoice::Memory {
                self.room.give_back(&job);
            }
        }
    }
}
