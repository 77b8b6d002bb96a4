//! The side of a program that drives a daemon.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{TlsError, provider};

/// A connection that is encrypted.
pub type ClientTlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// How a program recognises a server.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
}

impl ClientTls {
    /// Trusts the authorities that Mozilla trusts, or those in a file in PEM alone. It blocks.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has no certificate in it.
    pub fn new(authorities: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match authorities {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let wrong = |error: &dyn ToString| TlsError::new(path, error);
                let certificates = CertificateDer::pem_file_iter(path);
                for certificate in certificates.map_err(|error| wrong(&error))? {
                    let certificate = certificate.map_err(|error| wrong(&error))?;
                    roots.add(certificate).map_err(|error| wrong(&error))?;
                }
                if roots.is_empty() {
                    return Err(wrong(&"there is no certificate in it"));
                }
            }
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("", &error))?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            connector: Arc::new(config).into(),
        })
    }

    /// Encrypts a connection to a server of this name or address, without a port.
    ///
    /// # Errors
    ///
    /// When the server is not the one of this name, or the connection ends.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<ClientTlsStream> {
        // An IPv6 address stands in brackets in URLs.
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(plain.to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.connector.connect(name, stream).await
    }
}
