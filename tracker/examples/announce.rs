//! Asks a tracker for the peers of a torrent, and leaves again: `announce TRACKER-URL INFO-HASH`.

use std::error::Error;

use tailwater_tracker::{AnnounceRequest, Client, ClientConfig, Event};
use tailwater_types::{InfoHash, PeerId};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: announce TRACKER-URL INFO-HASH";
    let url = args.next().ok_or(usage)?;
    let info_hash: InfoHash = args.next().ok_or(usage)?.parse()?;

    // The URL was named by hand: it may lead anywhere.
    let client = Client::new(ClientConfig::default()).for_named_urls();
    let mut request = AnnounceRequest::new(info_hash, PeerId::new(*b"-TW0100-example.peer"), 6881);
    request.event = Some(Event::Started);
    let response = client.announce(&url, &request).await?;
    for peer in &response.peers {
        println!("{peer}");
    }
    println!(
        "{} peers; {:?} seeders, {:?} leechers; again in {:?}",
        response.peers.len(),
        response.seeders,
        response.leechers,
        response.interval
    );
    request.event = Some(Event::Stopped);
    client.announce(&url, &request).await?;
    Ok(())
}
