//! Settings that all listeners have.

use super::origin::Origin;
use crate::stream::HostName;
use crate::tls::ServerTls;

/// Settings of a listener.
#[derive(Clone, Debug, Default)]
pub struct CompatConfig {
    pub(super) names: Vec<HostName>,
    pub(super) origins: Vec<Origin>,
    pub(super) requires_password: bool,
    pub(super) tls: Option<ServerTls>,
}

impl CompatConfig {
    /// Requests that name these hosts are answered too. Default: those that name the listener's address alone.
    #[must_use]
    pub fn host_names(mut self, names: impl IntoIterator<Item = HostName>) -> Self {
        self.names.extend(names);
        self
    }

    /// Web pages of these origins may use the listener (CORS). Default: none may.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// Whether every request needs a password, which is a token of the daemon. Default: no, and one that is sent must be
    /// right. A listener that others reach always needs one.
    #[must_use]
    pub const fn requires_password(mut self, required: bool) -> Self {
        self.requires_password = required;
        self
    }

    /// Encrypts all connections. Default: none is.
    #[must_use]
    pub fn tls(mut self, tls: Option<ServerTls>) -> Self {
        self.tls = tls;
        self
    }
}
