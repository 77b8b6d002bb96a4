//! A server that sends a byte now and then, by a clock that is paused.

use bytes::Bytes;
use tailwater_metainfo::PieceIndex;
use tailwater_storage::{Held, Progress, Refused, Reply, Storage, StorageError, SupplierKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::*;
use super::single;

/// Nothing is stored: no block comes.
struct Nowhere;

impl Storage for Nowhere {
    fn start(&self, _: Progress) -> Reply<Result<Bitfield, StorageError>> {
        Reply::later(std::future::pending())
    }

    fn write(&self, _: SupplierKey, _: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
        Reply::ready(Refused::default())
    }

    fn read(&self, _: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        Reply::ready(Vec::new())
    }

    fn verify(&self, _: Vec<PieceIndex>) -> Result<(), StorageError> {
        Ok(())
    }

    fn digest(&self, _: PieceIndex) -> Result<(), StorageError> {
        Ok(())
    }

    fn settle(&self, _: PieceIndex) {}

    fn close(&self) -> Reply<()> {
        Reply::ready(())
    }
}

async fn drip(mut stream: TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = b"HTTP/1.1 206 Partial\r\ncontent-length: 16384\r\ncontent-range: bytes 0-16383/32768\r\n\r\n";
    stream.write_all(head).await.ok()?;
    loop {
        stream.write_all(b"x").await.ok()?;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

/// Each byte comes long before the silence is too long, and the answer would take two days.
#[tokio::test(start_paused = true)]
async fn a_server_that_sends_a_byte_now_and_then_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let serving = async {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(drip(stream));
        }
    };
    let info = single("x", 32_768);
    let first = info.geometry().piece_at(0).unwrap();
    let block = info.geometry().nth_block(first, 0).unwrap();
    let (messages, mut told) = mpsc::channel(100);
    let mailbox = Arc::new(Mailbox::new(100));
    let task = WebSeedTask::new(WebSeedSettings {
        link: crate::transport::Uplink::default(),
        key: PeerKey::new(0, 0),
        id: WebSeedId::new(0),
        url: WebSeedUrl::named(&url).unwrap(),
        info_hash: InfoHash::new([1; 20]),
        client: Client::new(tailwater_http::ClientConfig::default()),
        storage: Arc::new(Nowhere),
        mailbox: Arc::clone(&mailbox),
        messages,
        down_limit: RateLimits::default(),
        status: Arc::default(),
        info,
    });
    // The torrent asks again whatever it is given back.
    let asking = async {
        let mut pauses = 0;
        while let Some(message) = told.recv().await {
            match message {
                TorrentMessage::Facts(batch) => {
                    let unchoked = batch.facts.contains(&Fact::Unchoked);
                    pauses += u32::from(batch.facts.contains(&Fact::Choked));
                    if unchoked {
                        mailbox.push(&mut vec![Command::Request(block)]).unwrap();
                    }
                }
                TorrentMessage::Ended(_, end) => return (pauses, end),
                _ => {}
            }
        }
        unreachable!("the end is told first");
    };
    let (pauses, end) = tokio::select! {
        ((), ended) = async { tokio::join!(task.run(), asking) } => ended,
        () = serving => unreachable!("it serves for ever"),
    };
    assert_eq!(pauses, MAX_WRONG - 1);
    assert!(
        matches!(&end, End::Useless(reason) if reason == "it sends less than a block in 60s"),
        "{end}"
    );
}
