//! TLS of the daemon's server, and of programs that drive it.

mod client;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

pub use client::{ClientTls, ClientTlsStream};
pub use server::ServerTls;

/// Why a certificate or a key is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct TlsError {
    path: PathBuf,
    reason: String,
}

impl TlsError {
    fn new(path: impl Into<PathBuf>, reason: &dyn ToString) -> Self {
        Self {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}

/// Named, so that no other part of the process decides which it is.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
