//! The server's side: a certificate and its key, which can be read again while connections stand.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::{TlsError, provider};

/// The certificate of a server. Clones share it.
#[derive(Clone)]
pub struct ServerTls {
    certificate: PathBuf,
    key: PathBuf,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

impl ServerTls {
    /// Reads a chain of certificates and a private key, both in PEM. It blocks.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or the key is not that of the first certificate.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let config = read(certificate, key)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            config: Arc::new(Mutex::new(Arc::new(config))),
        })
    }

    /// Reads the files again, as when a certificate was renewed. Connections that stand keep theirs. It blocks.
    ///
    /// # Errors
    ///
    /// As for [`ServerTls::read`]; the old certificate stays in use then.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = read(&self.certificate, &self.key)?;
        *self.config.lock() = Arc::new(config);
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.config.lock()).into()
    }
}

/// Nothing of the key.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = self.certificate.display();
        write!(f, "ServerTls({certificate})")
    }
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let wrong = |error: &dyn ToString| TlsError::new(certificate, error);
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| wrong(&error))?;
    let chain: Vec<_> = chain
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))?;
    if chain.is_empty() {
        return Err(wrong(&"there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|error| TlsError::new(key, &error))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| TlsError::new(key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
