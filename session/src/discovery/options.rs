//! The options of a session's DHT node.

use std::net::SocketAddr;
use std::path::PathBuf;

use tailwater_dht::BOOTSTRAP_HOSTS;

/// How a session takes part in the DHT (BEP 5); see [`SessionBuilder::dht`](crate::SessionBuilder::dht).
///
/// ```
/// use tailwater_session::{DhtOptions, Session};
///
/// let options = DhtOptions::new().bootstrap(["192.0.2.1:6881".to_owned()]);
/// let builder = Session::builder().dht(options);
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
pub struct DhtOptions {
    pub(crate) bootstrap: Vec<String>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) table: Option<PathBuf>,
    pub(crate) keep_table: bool,
}

impl DhtOptions {
    /// The public network, which is found through well-known bootstrap hosts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bootstrap: BOOTSTRAP_HOSTS
                .iter()
                .map(|&host| host.to_owned())
                .collect(),
            listen: None,
            table: None,
            keep_table: true,
        }
    }

    /// The nodes (`host:port`) to begin with, instead of the public ones.
    #[must_use]
    pub fn bootstrap(mut self, hosts: impl IntoIterator<Item = String>) -> Self {
        self.bootstrap = hosts.into_iter().collect();
        self
    }

    /// Where to receive datagrams. Default: on the port where the session listens for peers, or if that is taken or there
    /// is none, any.
    #[must_use]
    pub const fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = Some(addr);
        self
    }

    /// A file that keeps the node's id and the nodes it knows, so that the next start finds its way at once.
    #[must_use]
    pub fn table(mut self, file: impl Into<PathBuf>) -> Self {
        self.table = Some(file.into());
        self
    }

    /// Whether that file is written, or only read. Default: written.
    #[must_use]
    pub const fn keep_table(mut self, keep: bool) -> Self {
        self.keep_table = keep;
        self
    }
}

impl Default for DhtOptions {
    fn default() -> Self {
        Self::new()
    }
}
