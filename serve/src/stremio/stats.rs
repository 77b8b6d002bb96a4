//! What is said of a torrent, in the shape that `stremio-core` parses: every key has to be there.

use serde_json::{Value, json};
use tailwater_session::Torrent;

use super::guess::{Candidate, Episode, guess};
use super::route::File;
use crate::control::{Control, TorrentView};
use crate::stream::is_playable_name;

/// How long a handshake may take, in milliseconds.
const HANDSHAKE_WITHIN: u32 = 10_000;
/// The most peers that are looked for, as clients ask for them.
const PEERS: [u32; 2] = [40, 200];

/// What is said of a torrent, and of a file if one is named.
pub(super) fn of(
    control: &Control,
    view: &TorrentView,
    file: Option<File>,
    uses_dht: bool,
) -> Value {
    let torrent = control.running(view.id);
    let stats = torrent.as_ref().map(Torrent::stats).unwrap_or_default();
    let guessed = torrent.as_ref().and_then(|it| best(it, Episode::default()));
    let index = file.and_then(|file| match file {
        File::Best => guessed,
        File::At(index) => Some(index),
    });
    let entries = torrent.as_ref().map(|it| it.info().files());
    let entry = index.and_then(|index| entries?.get(index));
    let trackers = control.trackers(view.id).unwrap_or_default();
    let urls: Vec<String> = trackers
        .iter()
        .map(|it| format!("tracker:{}", it.url))
        .collect();
    let mut said = json!({
        "name": view.name,
        "infoHash": view.id.to_string(),
        "files": torrent.as_ref().map_or_else(Vec::new, files),
        "sources": sources(&trackers),
        "opts": {
            "connections": control.settings().max_peers,
            "dht": uses_dht,
            "growler": {"flood": 0, "pulse": 0},
            "handshakeTimeout": HANDSHAKE_WITHIN,
            // No folder of this machine is named to pages.
            "path": "",
            "peerSearch": {"min": PEERS[0], "max": PEERS[1], "sources": urls},
            "swarmCap": {"maxSpeed": 0.0, "minPeers": 0},
            "timeout": HANDSHAKE_WITHIN,
            "tracker": true,
            "virtual": true,
        },
        "downloadSpeed": view.down_rate,
        "uploadSpeed": view.up_rate,
        "downloaded": view.downloaded,
        "uploaded": view.uploaded,
        "unchoked": stats.peers,
        "peers": stats.peers,
        "queued": stats.known_addrs.saturating_sub(stats.peers),
        "unique": stats.known_addrs,
        "connectionTries": stats.connecting,
        "peerSearchRunning": torrent.is_none(),
        "streamLen": entry.map_or(0, tailwater_metainfo::FileEntry::length),
        "streamName": entry.map_or_else(String::new, |entry| name(entry.path().as_str())),
        "streamProgress": view.progress,
        "swarmConnections": stats.peers,
        "swarmPaused": false,
        "swarmSize": stats.known_addrs,
    });
    if let (Some(guessed), Some(object)) = (guessed, said.as_object_mut()) {
        object.insert("guessedFileIdx".to_owned(), guessed.into());
    }
    said
}

fn sources(trackers: &[crate::control::TrackerView]) -> Vec<Value> {
    let said = trackers.iter().map(|tracker| {
        let found = tracker.peers.unwrap_or(0);
        let asked = u8::from(tracker.last_announce.is_some());
        json!({
            "lastStarted": "",
            "numFound": found,
            "numFoundUniq": found,
            "numRequests": asked,
            "url": format!("tracker:{}", tracker.url),
        })
    });
    said.collect()
}

fn files(torrent: &Torrent) -> Vec<Value> {
    let files = torrent.info().files().iter().map(|file| {
        let path = file.path().to_string();
        json!({"name": name(&path), "path": path, "length": file.length(), "offset": file.offset()})
    });
    files.collect()
}

/// A path without its folders.
fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The index of the file that is meant.
pub(super) fn best(torrent: &Torrent, wanted: Episode) -> Option<usize> {
    let files = torrent.info().files().iter().enumerate();
    let shown = files.filter(|(_, file)| !file.is_pad() && file.symlink_target().is_none());
    let paths: Vec<(usize, String, u64)> = shown
        .map(|(index, file)| (index, file.path().to_string(), file.length()))
        .collect();
    let candidates: Vec<Candidate<'_>> = paths
        .iter()
        .map(|(index, path, length)| Candidate {
            index: *index,
            path,
            length: *length,
            is_playable: *length > 0 && is_playable_name(path),
        })
        .collect();
    guess(&candidates, wanted)
}
