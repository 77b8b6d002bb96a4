//! A download from web seeds.

use tailwater_session::metainfo::Metainfo;
use tailwater_session::{AddOptions, Session, StorageKind, Torrent, WebSeedState};
use tempfile::TempDir;

use super::web_server::WebServer;
use super::{Share, session, within};

/// A download from these web seeds.
pub(crate) struct Download {
    pub(crate) session: Session,
    pub(crate) torrent: Torrent,
    pub(crate) target: TempDir,
}

impl Download {
    pub(crate) async fn new(
        metainfo: &Metainfo,
        options: impl FnOnce(AddOptions) -> AddOptions,
    ) -> Self {
        let target = TempDir::new().unwrap();
        let session = session();
        let disk = AddOptions::new(StorageKind::Disk(target.path().into()));
        let torrent = session.add(metainfo, options(disk)).await.unwrap();
        Self {
            session,
            torrent,
            target,
        }
    }

    pub(crate) async fn from(share: &Share, servers: &[&WebServer]) -> Self {
        let urls: Vec<_> = servers.iter().map(|server| server.url.clone()).collect();
        Self::new(&share.metainfo, |options| options.web_seeds(urls)).await
    }

    pub(crate) async fn complete(&self, share: &Share) {
        within(self.torrent.wait_complete()).await.unwrap();
        share.assert_same(self.target.path());
    }

    /// Waits until the web seed of this number is in this state.
    pub(crate) async fn until(&self, number: usize, state: WebSeedState) {
        let settled = async {
            while self.torrent.web_seeds()[number].state != state {
                tokio::task::yield_now().await;
            }
        };
        within(settled).await;
    }

    /// Waits until the first web seed has failed in some way; says how.
    pub(crate) async fn error(&self) -> String {
        let failed = async {
            loop {
                if let Some(error) = self.torrent.web_seeds()[0].last_error.take() {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        };
        within(failed).await
    }
}
