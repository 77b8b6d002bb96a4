//! Parses magnet links: of a torrent, or of a publication whose torrent changes (BEP 46).

use std::str::FromStr;

use tailwater_dht::{MutableTorrent, MutableTorrentError};
use tailwater_metainfo::{Magnet, MagnetError};

use crate::error::CliError;

/// A magnet link.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    /// A torrent, by its hash.
    Torrent(Magnet),
    /// Whatever torrent its publisher names now (BEP 46).
    Published(MutableTorrent),
}

impl FromStr for Link {
    type Err = CliError;

    fn from_str(text: &str) -> Result<Self, CliError> {
        let no_hash = match text.parse() {
            Ok(magnet) => return Ok(Self::Torrent(magnet)),
            Err(MagnetError::NoHash) => MagnetError::NoHash,
            Err(error) => return Err(error.into()),
        };
        match text.trim().parse() {
            Ok(published) => Ok(Self::Published(published)),
            Err(MutableTorrentError::NoKey) => Err(no_hash.into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_a_torrent_or_a_publication() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let key = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";
        let link = |text: &str| text.parse::<Link>();
        let torrent = format!("magnet:?xt=urn:btih:{hash}&xs=urn:btpk:{key}");
        assert!(matches!(link(&torrent), Ok(Link::Torrent(_))));
        let published = format!("magnet:?xs=urn:btpk:{key}&s=6e");
        assert!(matches!(link(&published), Ok(Link::Published(_))));
        let wrong = link("magnet:?dn=a").unwrap_err();
        assert!(matches!(wrong, CliError::Magnet(MagnetError::NoHash)));
        let wrong = link("magnet:?xs=urn:btpk:12").unwrap_err();
        assert!(matches!(wrong, CliError::Publication(_)));
    }
}
