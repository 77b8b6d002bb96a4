//! Adding a torrent from each kind of source.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::Path;

use support::{LOOPBACK, Share, seed, session, within};
use tailwater_session::RemoveOptions;
use tailwater_session::{AddError, AddOptions, Bytes, Session, Source, StorageKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a .torrent file of the share holds.
fn torrent_file(share: &Share) -> Vec<u8> {
    [b"d4:info", share.metainfo.info().raw(), b"e"].concat()
}

fn options() -> AddOptions {
    AddOptions::new(StorageKind::Memory).announce(false)
}

/// Adds it, and takes it out again.
async fn added(session: &Session, source: impl Into<Source>) -> Result<(), AddError> {
    let torrent = within(session.add(source, options())).await?;
    within(torrent.remove(RemoveOptions::default()))
        .await
        .unwrap();
    Ok(())
}

/// Answers one request with these bytes.
async fn serve(body: Vec<u8>) -> String {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let url = format!("http://{}/film.torrent", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4_096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /film.torrent "));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
    });
    url
}

#[tokio::test]
async fn a_torrent_is_added_from_metainfo_bytes_a_path_and_a_url() {
    let (session, share) = (session(), Share::new(1, &[("film", 100_000)], 32_768));
    let bytes = torrent_file(&share);
    let path = share.dir.path().join("film.torrent");
    std::fs::write(&path, &bytes).unwrap();
    let text = path.to_str().unwrap();
    let url = serve(bytes.clone()).await;

    added(&session, &share.metainfo).await.unwrap();
    added(&session, share.metainfo.clone()).await.unwrap();
    added(&session, bytes.clone()).await.unwrap();
    added(&session, &bytes[..]).await.unwrap();
    added(&session, Bytes::from(bytes.clone())).await.unwrap();
    added(&session, path.as_path()).await.unwrap();
    added(&session, path.clone()).await.unwrap();
    added(&session, text).await.unwrap();
    added(&session, text.to_owned()).await.unwrap();
    added(&session, url).await.unwrap();
    within(session.close()).await;
}

#[tokio::test]
async fn a_torrent_is_added_from_a_magnet_link_that_names_a_peer() {
    let (seeder, leecher) = (session(), session());
    let share = Share::new(1, &[("film", 100_000)], 32_768);
    let hash = seed(&seeder, &share).await.info_hash();
    let peer = seeder.listen_addr().unwrap();
    let link = format!("magnet:?xt=urn:btih:{hash}&x.pe={peer}");
    let torrent = within(leecher.add(link, options())).await.unwrap();
    // The peer of the link goes on as one of the download.
    within(torrent.wait_complete()).await.unwrap();
    assert_eq!(torrent.info(), share.metainfo.info());
    within(leecher.close()).await;
    within(seeder.close()).await;
}

#[tokio::test]
async fn what_is_no_torrent_says_where_and_why() {
    let session = session();
    let missing = added(&session, Path::new("/nowhere/film.torrent")).await;
    assert!(
        matches!(&missing, Err(AddError::Unreadable { origin, .. }) if origin == "/nowhere/film.torrent"),
        "{missing:?}"
    );
    let garbage = added(&session, &b"film"[..]).await;
    assert!(
        matches!(garbage, Err(AddError::NoTorrent { .. })),
        "{garbage:?}"
    );
    let link = added(&session, "magnet:?dn=film").await;
    assert!(matches!(link, Err(AddError::Magnet(_))), "{link:?}");
    let nobody = added(&session, "http://127.0.0.1:1/film.torrent").await;
    assert!(
        matches!(nobody, Err(AddError::Unreadable { .. })),
        "{nobody:?}"
    );
    let page = serve(b"<html>".to_vec()).await;
    let page = added(&session, page).await;
    assert!(matches!(page, Err(AddError::NoTorrent { .. })), "{page:?}");
    assert!(session.torrents().is_empty());
    within(session.close()).await;
}
