//! The files that secret keys are kept in: an ed25519 seed in hexadecimal, and a new line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use tailwater_dht::{PublicKey, SecretKey};

use super::client::random;
use crate::error::CliError;
use crate::error::DhtFailure;

/// The longest file that is read: more than a key and white space around it.
const MAX_LEN: u64 = 256;

/// Reads a key; makes one if there is no such file.
pub(super) fn open_or_make(path: &Path) -> Result<(SecretKey, IsNew), CliError> {
    match File::open(path) {
        Ok(file) => read(path, file).map(|key| (key, IsNew(false))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path).map(|key| (key, IsNew(true)))
        }
        Err(error) => Err(CliError::io("read", path)(error)),
    }
}

/// Whether it has just been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IsNew(pub(super) bool);

fn read(path: &Path, file: File) -> Result<SecretKey, CliError> {
    let mut text = String::new();
    file.take(MAX_LEN)
        .read_to_string(&mut text)
        .map_err(CliError::io("read", path))?;
    // A public key is as long, and written in the same way.
    let seed: PublicKey = text.trim().parse().map_err(|_| DhtFailure::NotAKey {
        path: path.display().to_string(),
    })?;
    Ok(SecretKey::from_seed(seed.as_bytes()))
}

fn make(path: &Path) -> Result<SecretKey, CliError> {
    let seed = random()?;
    let mut options = OpenOptions::new();
    // `create_new`: of two processes that create it at the same time only one succeeds.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(CliError::io("create", path))?;
    let written = writeln!(file, "{}", PublicKey::new(seed)).and_then(|()| file.sync_all());
    written.map_err(CliError::io("write", path))?;
    Ok(SecretKey::from_seed(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.key");
        let (made, is_new) = open_or_make(&path).unwrap();
        assert_eq!(is_new, IsNew(true));
        let (read, is_new) = open_or_make(&path).unwrap();
        assert_eq!(is_new, IsNew(false));
        assert_eq!(read.public_key(), made.public_key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let (other, _) = open_or_make(&dir.path().join("other.key")).unwrap();
        assert_ne!(other.public_key(), made.public_key());
    }

    #[test]
    fn what_is_no_key_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.txt");
        std::fs::write(&path, "hello").unwrap();
        let error = open_or_make(&path).unwrap_err();
        assert!(matches!(error, CliError::Dht(DhtFailure::NotAKey { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
        let error = open_or_make(&dir.path().join("no/folder.key")).unwrap_err();
        assert!(matches!(error, CliError::Io { .. }));
    }
}
