//! What the path of a request means.

use percent_encoding::percent_decode_str;

use crate::control::TorrentId;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Whether a server is there.
    Root,
    Heartbeat,
    Settings,
    NetworkInfo,
    DeviceInfo,
    Casting,
    OpensubHash,
    /// A torrent by its .torrent file.
    CreateFile,
    /// A torrent by its info-hash.
    Create(TorrentId),
    Remove(TorrentId),
    /// What is said of a torrent, and of one of its files.
    Stats(TorrentId, Option<File>),
    /// What is said of all.
    AllStats,
    Play(TorrentId, File),
}

/// A file of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    /// The one that is played first.
    Best,
    /// By its index in the torrent.
    At(usize),
}

impl Route {
    /// Reads a path; none if there is nothing at it.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [""] => Some(Self::Root),
            ["heartbeat"] => Some(Self::Heartbeat),
            ["settings"] => Some(Self::Settings),
            ["network-info"] => Some(Self::NetworkInfo),
            ["device-info"] => Some(Self::DeviceInfo),
            ["casting"] => Some(Self::Casting),
            ["opensubHash"] => Some(Self::OpensubHash),
            ["create"] => Some(Self::CreateFile),
            ["stats.json"] => Some(Self::AllStats),
            [hash, "create"] => Some(Self::Create(id(hash)?)),
            [hash, "remove"] => Some(Self::Remove(id(hash)?)),
            [hash, "stats.json"] => Some(Self::Stats(id(hash)?, None)),
            [hash, file, "stats.json"] => Some(Self::Stats(id(hash)?, Some(File::of(file)?))),
            // Players like a name at the end.
            [hash, file] | [hash, file, _] => Some(Self::Play(id(hash)?, File::of(file)?)),
            _ => None,
        }
    }
}

fn id(hash: &str) -> Option<TorrentId> {
    percent_decode_str(hash).decode_utf8().ok()?.parse().ok()
}

impl File {
    fn of(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self::Best),
            text => {
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| text.parse().ok().map(Self::At))?
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_torrents_and_files() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let id: TorrentId = hash.parse().unwrap();
        let of = |rest: &str| Route::of(&format!("/{hash}{rest}"));
        assert_eq!(of("/0"), Some(Route::Play(id, File::At(0))));
        assert_eq!(
            of("/-1?tr=x".split('?').next().unwrap()),
            Some(Route::Play(id, File::Best))
        );
        assert_eq!(of("/7/film.mkv"), Some(Route::Play(id, File::At(7))));
        assert_eq!(
            of("/7/stats.json"),
            Some(Route::Stats(id, Some(File::At(7))))
        );
        assert_eq!(of("/stats.json"), Some(Route::Stats(id, None)));
        assert_eq!(of("/create"), Some(Route::Create(id)));
        assert_eq!(of("/remove"), Some(Route::Remove(id)));
        let upper = format!("/{}/0", hash.to_uppercase());
        assert_eq!(Route::of(&upper), Some(Route::Play(id, File::At(0))));
        assert_eq!(Route::of("/"), Some(Route::Root));
        assert_eq!(Route::of("/settings/"), Some(Route::Settings));
        for rest in [
            "",
            "/",
            "/x",
            "/-2",
            "/99999999999999999999",
            "/0/a/b",
            "/+1",
            "/%30",
        ] {
            assert_eq!(of(rest), None, "{rest}");
        }
        for path in ["", "x", "///", "/nothing", "/../settings"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
