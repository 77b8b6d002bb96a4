//! The source of a torrent: a file, a URL, a magnet link, an info-hash, standard input.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// The name of standard input in errors.
pub(crate) const STDIN: &str = "standard input";

/// A torrent as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Url(String),
    /// Read when it is used, so that a wrong one is a failure like a wrong file.
    Magnet(String),
    /// `-`: a torrent file, or text that names sources.
    Stdin,
    /// A torrent file that came through standard input.
    Bytes(Vec<u8>),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let has_scheme = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        Ok(if text == "-" {
            Self::Stdin
        } else if let Some(link) = link_of_hash(text) {
            Self::Magnet(link)
        } else if has_scheme("magnet:") {
            Self::Magnet(text.to_owned())
        } else if has_scheme("http://") || has_scheme("https://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        })
    }
}

impl Source {
    /// As it was named.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(text) | Self::Magnet(text) => text.clone(),
            Self::Stdin | Self::Bytes(_) => STDIN.to_owned(),
        }
    }
}

/// An info-hash by itself is a link without a name: 40 hexadecimal digits or 32 of base32 for version 1, 64 hexadecimal
/// digits for version 2.
fn link_of_hash(text: &str) -> Option<String> {
    let is_hex = || text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_base32 = || {
        text.bytes()
            .all(|byte| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte))
    };
    match text.len() {
        40 if is_hex() => Some(format!("magnet:?xt=urn:btih:{text}")),
        32 if is_base32() => Some(format!("magnet:?xt=urn:btih:{text}")),
        // 12 and 20: SHA-256, of 32 bytes, as a multihash.
        64 if is_hex() => Some(format!("magnet:?xt=urn:btmh:1220{text}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::link::Link;

    #[test]
    fn sources_are_told_apart() {
        let source = |text: &str| text.parse::<Source>().unwrap();
        assert_eq!(source("a.torrent"), Source::File("a.torrent".into()));
        assert_eq!(
            source("httpd.torrent"),
            Source::File("httpd.torrent".into())
        );
        assert_eq!(source("HTTPS://a/b"), Source::Url("HTTPS://a/b".into()));
        assert_eq!(
            source("Magnet:?xt=urn:btih:00"),
            Source::Magnet("Magnet:?xt=urn:btih:00".into())
        );
        assert_eq!(source("é"), Source::File("é".into()));
        assert_eq!(source("-"), Source::Stdin);
        assert_eq!(source("./-"), Source::File("./-".into()));
    }

    #[test]
    fn a_hash_by_itself_is_a_link() {
        let hex = "0123456789abcdefABCD0123456789abcdef0123";
        let base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let v2 = "0123456789abcdef".repeat(4);
        for (text, link) in [
            (hex, format!("magnet:?xt=urn:btih:{hex}")),
            (base32, format!("magnet:?xt=urn:btih:{base32}")),
            (&v2, format!("magnet:?xt=urn:btmh:1220{v2}")),
        ] {
            assert!(link.parse::<Link>().is_ok(), "{link}");
            assert_eq!(text.parse(), Ok(Source::Magnet(link)));
        }
        for text in [&hex[1..], &base32.replace('A', "1"), &"g".repeat(40)] {
            assert_eq!(text.parse(), Ok(Source::File(text.into())), "{text}");
        }
    }
}
