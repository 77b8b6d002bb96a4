//! Downloads a torrent and says what happens: `cargo run --example download -- SOURCE FOLDER`. SOURCE is a magnet link, a
//! URL, or the path of a .torrent file.

use tailwater_session::{AddOptions, Event, Session, StorageKind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().ok_or("which torrent?")?;
    let folder = arguments.next().unwrap_or_else(|| "downloads".to_owned());

    let session = Session::builder().start()?;
    let mut events = session.subscribe();
    let torrent = session
        .add(source, AddOptions::new(StorageKind::Disk(folder.into())))
        .await?;
    println!(
        "{}, {} bytes",
        torrent.info().name(),
        torrent.info().geometry().total()
    );

    let complete = torrent.wait_complete();
    tokio::pin!(complete);
    loop {
        tokio::select! {
            outcome = &mut complete => break outcome?,
            event = events.next() => match event {
                // As many as there are pieces.
                Some(Event::PieceVerified { .. }) => {}
                Some(event) => println!("{event:?}"),
                None => return Err("the session has ended".into()),
            },
        }
    }
    for peer in torrent.peers().await? {
        println!(
            "{} ({}, {})",
            peer.addr, peer.kind.transport, peer.kind.encrypted
        );
    }
    session.close().await;
    Ok(())
}
