//! Replays the corpora of the fuzz targets.

use std::path::PathBuf;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    if !folder.exists() {
        // A packaged crate comes without the corpus.
        return;
    }
    let mut count = 0;
    for file in std::fs::read_dir(folder.join(target)).expect("a corpus") {
        let path = file.expect("a readable corpus").path();
        run(&std::fs::read(path).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

#[test]
fn serve_body() {
    replay("serve_body", tailwater_serve::api::fuzz::body);
}

#[test]
fn serve_query() {
    replay("serve_query", tailwater_serve::api::fuzz::query_and_headers);
}

#[test]
fn transmission_body() {
    replay(
        "transmission_body",
        tailwater_serve::transmission::fuzz::body,
    );
}

#[test]
fn torrserver_body() {
    replay("torrserver_body", tailwater_serve::torrserver::fuzz::body);
}

#[test]
fn torrserver_link() {
    replay("torrserver_link", tailwater_serve::torrserver::fuzz::link);
}

#[test]
fn torrserver_form() {
    replay("torrserver_form", tailwater_serve::torrserver::fuzz::form);
}

#[test]
fn qbittorrent_body() {
    replay("qbittorrent_body", tailwater_serve::qbittorrent::fuzz::body);
}

#[test]
fn qbittorrent_preferences() {
    replay(
        "qbittorrent_preferences",
        tailwater_serve::qbittorrent::fuzz::preferences,
    );
}

#[test]
fn rqbit_request() {
    replay("rqbit_request", tailwater_serve::rqbit::fuzz::request);
}

#[test]
fn stremio_body() {
    replay("stremio_body", tailwater_serve::stremio::fuzz::body);
}
