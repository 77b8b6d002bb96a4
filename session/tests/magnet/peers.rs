//! Peers that do nothing but serve metadata, or pretend to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_wire::{
    Decoder, ExtensionHandshake, ExtensionId, ExtensionIds, Handshake, Limits, Message,
    MetadataMessage, Reserved,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{LOOPBACK, Share};

/// How often a slow liar sends a block.
const PACE: Duration = Duration::from_secs(4);

/// What a peer of few words does with a request for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    Lies,
    Rejects,
    Stalls,
    /// Claims to have 4 GB.
    Exaggerates,
    /// Says nothing after its handshake.
    Mute,
    /// Takes a connection and says nothing at all.
    Silent,
    /// Sends a false block every [`PACE`]: often enough not to count as stalled.
    Dribbles,
    /// The same of a large size, each of another.
    Misjudges,
}

/// Peers that do nothing but serve metadata. They end with this.
pub(crate) struct Peers {
    pub(crate) tasks: JoinSet<()>,
    /// False blocks that the slow ones among them have sent.
    pub(crate) dribbled: Arc<AtomicUsize>,
    pub(crate) addrs: Vec<SocketAddr>,
}

impl Peers {
    pub(crate) async fn new(share: &Share, manners: &[Manner]) -> Self {
        let hash = share.metainfo.info().info_hashes().v1.unwrap();
        Self::under(hash, share, manners).await
    }

    /// The same under another name on the wire.
    pub(crate) async fn under(hash: InfoHash, share: &Share, manners: &[Manner]) -> Self {
        let (mut tasks, mut addrs) = (JoinSet::new(), Vec::new());
        let dribbled = Arc::new(AtomicUsize::new(0));
        for &manner in manners {
            let listener = TcpListener::bind(LOOPBACK).await.unwrap();
            addrs.push(listener.local_addr().unwrap());
            let info = share.metainfo.info().raw().to_vec();
            let dribbled = Arc::clone(&dribbled);
            tasks.spawn(async move {
                let mut calls = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (info, dribbled) = (info.clone(), Arc::clone(&dribbled));
                    calls.spawn(async move {
                        // A client that is done with it hangs up.
                        let _ = serve(stream, manner, hash, &info, &dribbled).await;
                    });
                }
            });
        }
        Self {
            tasks,
            dribbled,
            addrs,
        }
    }
}

pub(crate) async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    info_hash: InfoHash,
    info: &[u8],
    dribbled: &AtomicUsize,
) -> std::io::Result<()> {
    if manner == Manner::Silent {
        while stream.read(&mut [0; 100]).await? > 0 {}
        return Ok(());
    }
    let size = match manner {
        Manner::Exaggerates => u32::MAX,
        Manner::Misjudges => 9_000_000 + u32::from(stream.local_addr()?.port()),
        _ => u32::try_from(info.len()).unwrap(),
    };
    let ours = Handshake {
        reserved: Reserved::EXTENSION_PROTOCOL,
        info_hash,
        peer_id: PeerId::new([b'q'; 20]),
    };
    stream.write_all(&ours.to_bytes()).await?;
    let mut received = BytesMut::new();
    while Handshake::decode(&mut received).unwrap().is_none() {
        stream.read_buf(&mut received).await?;
    }
    if manner != Manner::Mute {
        let hello = ExtensionHandshake {
            extensions: ExtensionIds::ours([ExtensionId::UtMetadata]),
            metadata_size: Some(size),
            ..ExtensionHandshake::default()
        };
        send(&mut stream, ExtensionHandshake::ID, hello.encode()).await?;
    }
    let mut decoder = Decoder::new(Limits::default());
    loop {
        while let Some(message) = decoder.decode(&mut received).unwrap() {
            let Message::Extended { id, payload } = message else {
                continue;
            };
            if id != ExtensionId::UtMetadata.as_u8() {
                continue;
            }
            let Ok(MetadataMessage::Request { piece }) = MetadataMessage::decode(&payload) else {
                continue;
            };
            if matches!(manner, Manner::Dribbles | Manner::Misjudges) {
                // What such a peer does; no test waits for it.
                sleep(PACE).await;
                dribbled.fetch_add(1, Ordering::Relaxed);
            }
            let at = piece as usize * 16_384;
            let len = (size as usize - at).min(16_384);
            let data = match manner {
                Manner::Lies | Manner::Dribbles | Manner::Misjudges => vec![0xee; len].into(),
                _ => info[at..at + len].to_vec().into(),
            };
            let answer = match manner {
                Manner::Stalls => continue,
                Manner::Rejects => MetadataMessage::Reject { piece },
                _ => MetadataMessage::Data {
                    piece,
                    total_size: Some(size),
                    data,
                },
            };
            send(
                &mut stream,
                ExtensionId::UtMetadata.as_u8(),
                answer.encode(),
            )
            .await?;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}

async fn send(stream: &mut TcpStream, id: u8, payload: Vec<u8>) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    let payload = payload.into();
    Message::Extended { id, payload }.encode(&mut out);
    stream.write_all(&out).await
}
