//! Authorities that are trusted beside those of Mozilla.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};

/// Authorities to trust for HTTPS: the certificate of a company's own, for example. Cloning costs a reference count.
#[derive(Clone, Default)]
pub struct RootCertificates(Arc<[TrustAnchor<'static>]>);

/// The error of bytes that are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a root certificate: {reason}")]
pub struct InvalidCertificate {
    reason: String,
}

impl InvalidCertificate {
    fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl RootCertificates {
    /// Reads one certificate in DER.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificate`] if it is none.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidCertificate> {
        Self::read([Ok(CertificateDer::from(der))])
    }

    /// Reads the certificates in a text in PEM (RFC 7468), such as files that end in `.pem` or `.crt`.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificate`] if one of them cannot be read, or there is none.
    pub fn from_pem(text: &[u8]) -> Result<Self, InvalidCertificate> {
        let certificates = CertificateDer::pem_slice_iter(text);
        Self::read(certificates.map(|read| read.map_err(InvalidCertificate::new)))
    }

    fn read<'a>(
        certificates: impl IntoIterator<Item = Result<CertificateDer<'a>, InvalidCertificate>>,
    ) -> Result<Self, InvalidCertificate> {
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            let added = store.add(certificate?);
            added.map_err(InvalidCertificate::new)?;
        }
        match store.is_empty() {
            true => Err(InvalidCertificate::new("there is no certificate in it")),
            false => Ok(Self(store.roots.into())),
        }
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0
    }
}

impl fmt::Debug for RootCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootCertificates({})", self.0.len())
    }
}
