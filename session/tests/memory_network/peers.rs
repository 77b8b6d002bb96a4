//! Peers that a test plays over a network in memory.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bytes::BytesMut;
use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_session::memory_network::{MemoryHost, MemoryStream};
use tailwater_wire::{Decoder, Handshake, Limits, Message, Reserved};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::support::Share;

fn hash(share: &Share) -> InfoHash {
    share.metainfo.info().info_hashes().v1.unwrap()
}

/// Shakes hands; the peer may hang up instead.
pub(crate) async fn greet(
    stream: &mut MemoryStream,
    share: &Share,
    id: u8,
) -> io::Result<BytesMut> {
    let ours = Handshake {
        reserved: Reserved::FAST,
        info_hash: hash(share),
        peer_id: PeerId::new([id; 20]),
    };
    stream.write_all(&ours.to_bytes()).await?;
    let mut received = BytesMut::new();
    while Handshake::decode(&mut received).unwrap().is_none() {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(received)
}

/// A peer that says it has everything and sends zeros. It ends when it is dropped.
pub(crate) struct Liar {
    pub(crate) addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Liar {
    pub(crate) fn start(host: &MemoryHost, share: &Share) -> Self {
        let mut listener = host.listen(None).unwrap();
        let addr = listener.local_addr();
        let info_hash = hash(share);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok(stream) = listener.accept().await {
                // The session hangs up when it has found it out.
                let _ = lie(stream, info_hash).await;
            }
        });
        Self {
            addr,
            _tasks: tasks,
        }
    }
}

async fn lie(mut stream: MemoryStream, info_hash: InfoHash) -> io::Result<()> {
    let ours = Handshake {
        reserved: Reserved::FAST,
        info_hash,
        peer_id: PeerId::new([b'l'; 20]),
    };
    let mut out = BytesMut::from(&ours.to_bytes()[..]);
    Message::HaveAll.encode(&mut out);
    Message::Unchoke.encode(&mut out);
    let mut received = BytesMut::new();
    let mut is_greeted = false;
    let mut decoder = Decoder::new(Limits::default());
    loop {
        stream.write_all(&out.split()).await?;
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        is_greeted = is_greeted || Handshake::decode(&mut received).unwrap().is_some();
        while is_greeted && let Some(message) = decoder.decode(&mut received).unwrap() {
            if let Message::Request(request) = message {
                let (index, begin) = (request.index, request.begin);
                let data = vec![0; request.length as usize].into();
                Message::Piece { index, begin, data }.encode(&mut out);
            }
        }
    }
}
