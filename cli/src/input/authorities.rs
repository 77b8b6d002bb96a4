//! The authorities that are trusted for HTTPS beside Mozilla's.

use std::env;
use std::path::Path;

use tailwater_http::RootCertificates;

use super::source;
use crate::error::CliError;

/// The variable that names a file of certificates, as with OpenSSL and what is built upon it.
const VARIABLE: &str = "SSL_CERT_FILE";
/// The longest such file, in bytes: a system's whole bundle has 0.3 MB.
const MAX_LEN: usize = 4 * 1024 * 1024;

/// Reads the file that `SSL_CERT_FILE` names; none without the variable.
///
/// # Errors
///
/// When it cannot be read, or holds no certificate.
pub(crate) fn read() -> Result<RootCertificates, CliError> {
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(RootCertificates::default());
    };
    let path = Path::new(&path);
    let text = source::read(path, MAX_LEN)?;
    RootCertificates::from_pem(&text).map_err(|error| CliError::Authorities {
        path: path.to_owned(),
        error,
    })
}
