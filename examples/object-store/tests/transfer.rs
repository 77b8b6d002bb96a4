//! Sessions that download into a bucket and seed from it.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod moto;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bucket::{Bucket, BucketFactory};
use tailwater_metainfo::{Creator, Metainfo};
use tailwater_session::{AddOptions, Phase, Session, StorageKind, Torrent, TorrentError};
use tempfile::TempDir;
use url::Url;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A file of many pieces, and its torrent.
fn film(dir: &Path) -> (Vec<u8>, Metainfo) {
    let data: Vec<u8> = (0..3_000_001_u32)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    std::fs::write(dir.join("film"), &data).unwrap();
    let created = Creator::new()
        .create(&dir.join("film"), |_| ControlFlow::Continue(()))
        .unwrap();
    (data, created.metainfo)
}

fn session() -> Session {
    Session::builder().listen(LOOPBACK).start().unwrap()
}

fn in_bucket(bucket: &Bucket) -> AddOptions {
    // Room for few pieces: peers wait for the store.
    let factory = BucketFactory::new(bucket.clone()).write_bytes(256 * 1024);
    AddOptions::with_storage(Arc::new(factory)).announce(false)
}

async fn seed_from_disk(metainfo: &Metainfo, dir: &Path) -> (Session, Torrent) {
    let seeder = session();
    let options = AddOptions::new(StorageKind::Disk(dir.into())).announce(false);
    let torrent = seeder.add(metainfo.clone(), options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    (seeder, torrent)
}

/// One session downloads into the bucket; another, which has nothing else, seeds from it to a third, which keeps what it
/// gets in memory.
async fn there_and_back(bucket: &Bucket) {
    let dir = TempDir::new().unwrap();
    let (data, metainfo) = film(dir.path());
    let (seeder, _seed) = seed_from_disk(&metainfo, dir.path()).await;
    let downloader = session();
    let options = in_bucket(bucket).peers(seeder.listen_addr());
    let torrent = downloader.add(metainfo.clone(), options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    downloader.close().await;
    seeder.close().await;

    let second = session();
    let options = in_bucket(bucket).seed_only(true);
    let torrent = second.add(metainfo.clone(), options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    let third = session();
    let options = AddOptions::new(StorageKind::Memory)
        .announce(false)
        .peers(second.listen_addr());
    let torrent = third.add(metainfo, options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    let mut reader = torrent.reader(0, Default::default()).unwrap();
    let mut read = Vec::new();
    while let bytes @ [_, ..] = &*reader.next_bytes(usize::MAX).await.unwrap() {
        read.extend_from_slice(bytes);
    }
    assert!(read == data, "the film differs");
    third.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_session_puts_into_a_folder_another_seeds() {
    let dir = TempDir::new().unwrap();
    let url = Url::from_directory_path(dir.path()).unwrap();
    there_and_back(&Bucket::open(&url).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_session_puts_into_s3_another_seeds() {
    let Some(server) = moto::Server::start() else {
        return;
    };
    there_and_back(&server.bucket()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_store_names_operation_and_key_and_the_torrent_goes_on_when_it_is_resumed()
{
    let dir = TempDir::new().unwrap();
    let (_, metainfo) = film(dir.path());
    let (seeder, _seed) = seed_from_disk(&metainfo, dir.path()).await;
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let info_hash = metainfo.info().info_hashes().v1.unwrap();
    // A file where the torrent's folder should be: nothing can be put.
    let obstacle = store.join(info_hash.to_string());
    std::fs::write(&obstacle, b"x").unwrap();
    let bucket = Bucket::open(&Url::from_directory_path(&store).unwrap()).unwrap();

    let downloader = session();
    let options = in_bucket(&bucket).peers(seeder.listen_addr());
    let torrent = downloader.add(metainfo, options).await.unwrap();
    let failed = torrent.wait_complete().await.unwrap_err();
    assert!(matches!(failed, TorrentError::Storage(_)), "{failed:?}");
    let said = failed.to_string();
    assert!(said.starts_with("writing file://"), "{said}");
    assert!(said.contains(&format!("{info_hash}/0000")), "{said}");

    std::fs::remove_file(&obstacle).unwrap();
    torrent.resume().await.unwrap();
    let mut resumed = torrent.clone();
    while matches!(resumed.status().phase, Phase::Failed(_)) {
        resumed.changed().await.unwrap();
    }
    torrent.wait_complete().await.unwrap();
    downloader.close().await;
    seeder.close().await;
}
