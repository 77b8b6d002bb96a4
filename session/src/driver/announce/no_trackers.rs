//! In place of the announces, without the feature `trackers`: no tracker is asked.

use super::Announcer;

/// The most trackers that a torrent may have.
pub const MAX_TRACKERS: usize = 256;

/// The client that there is not.
#[derive(Clone, Debug)]
pub(crate) struct Client;

impl Client {
    pub(crate) const fn new(_: ClientConfig) -> Self {
        Self
    }
}

/// Its settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientConfig;

impl Announcer {
    /// Ends at once.
    pub(crate) async fn run(self) {}
}
