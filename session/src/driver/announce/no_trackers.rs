//! In place of the announces, without the feature `trackers`: no tracker is asked.

use tailwater_http::RootCertificates;

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

    pub(crate) const fn disconnect(&self) {}
}

/// Its settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientConfig;

impl ClientConfig {
    /// There is nothing to trust.
    pub(crate) const fn add_root_certificates(&mut self, _: &RootCertificates) {}
}

impl Announcer {
    /// Ends at once.
    pub(crate) async fn run(self) {}
}
