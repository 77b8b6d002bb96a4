//! The library in one program: `cargo run --example library -- SOURCE` downloads a magnet link, a URL, or the path of a
//! .torrent file into `downloads/`.

use tailwater::{AddOptions, Session};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::builder().start()?;
    let source = std::env::args().nth(1).ok_or("which torrent?")?;
    let mut torrent = session
        .add(source, AddOptions::to_folder("downloads"))
        .await?;

    while torrent.status().stats.bytes_left > 0 {
        let status = torrent.changed().await?;
        println!(
            "{} bytes left, {} peers",
            status.stats.bytes_left, status.stats.peers
        );
    }
    torrent.wait_complete().await?;
    println!("{} is complete", torrent.info().name());

    session.close().await;
    Ok(())
}
