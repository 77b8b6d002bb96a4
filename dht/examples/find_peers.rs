//! Finds peers of a torrent: `cargo run --example find_peers -- INFO_HASH [HOST:PORT of a node that knows others]...`

use std::error::Error;

use tailwater_dht::{BOOTSTRAP_HOSTS, Config, Dht, Sockets};
use tailwater_types::InfoHash;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(info_hash) = arguments.next() else {
        return Err("which torrent? give its info hash, 40 hexadecimal digits".into());
    };
    let info_hash: InfoHash = info_hash.parse()?;
    let mut bootstrap: Vec<String> = arguments.collect();
    if bootstrap.is_empty() {
        bootstrap = BOOTSTRAP_HOSTS
            .iter()
            .map(|host| (*host).to_owned())
            .collect();
    }
    // The node's id and its tokens come from the seed: it must be random.
    let seed = std::array::from_fn(|_| fastrand::u8(..));
    let dht = Dht::start(Sockets::bind(None)?, Config::new(seed), bootstrap)?;
    let mut peers = dht.get_peers(info_hash).await?;
    while let Some(found) = peers.next().await {
        for peer in found.peers {
            println!("{peer} (of node {})", found.from.addr);
        }
    }
    let report = peers.finish().await?;
    println!("the lookup has ended: {:?}", report.ending);
    dht.close().await;
    Ok(())
}
