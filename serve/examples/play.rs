//! Serves the films of a torrent while they download into memory: `cargo run --example play -- FILE.torrent`, then open the
//! address that it prints. Ctrl-C ends it.

use std::sync::Arc;

use tailwater_metainfo::Metainfo;
use tailwater_serve::fetching::Attempt;
use tailwater_serve::stream::{Hosts, Limits, Server, Site, TorrentSource, library};
use tailwater_session::{AddOptions, Lookbehind, Session, StorageKind};
use tokio::net::TcpListener;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which torrent?")?;
    let metainfo = Metainfo::from_bytes(&std::fs::read(path)?)?;
    let files = library(&metainfo, None).ok_or("it has no files")?;

    let session = Session::builder().memory_budget(256 << 20).start()?;
    let options = AddOptions::new(StorageKind::Memory).on_demand(true);
    let torrent = session.add(&metainfo, options).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let fetching = watch::channel(Attempt::default()).1;
    let site = Arc::new(Site::new(Hosts::of(addr), Limits::default(), fetching));
    site.show(
        TorrentSource::new(torrent, Lookbehind::Share, None),
        Arc::new(files),
    );
    let server = Server::start(listener, site, Limits::default());
    println!("http://{addr}/");

    tokio::signal::ctrl_c().await?;
    server.close().await;
    session.close().await;
    Ok(())
}
