//! Peers that a test plays over a network in memory.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bytes::BytesMut;
use tailwater_metainfo::{InfoHash, Metainfo, PeerId};
use tailwater_session::Torrent;
use tailwater_session::memory_network::{MemoryHost, MemoryStream};
use tailwater_wire::{BlockRequest, Decoder, Handshake, Limits, Message, Reserved};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::support::{Share, within};

fn hash(metainfo: &Metainfo) -> InfoHash {
    metainfo.info().info_hashes().v1.unwrap()
}

/// Shakes hands; the peer may hang up instead.
pub(crate) async fn greet(
    stream: &mut MemoryStream,
    metainfo: &Metainfo,
    id: u8,
) -> io::Result<BytesMut> {
    let ours = Handshake {
        reserved: Reserved::FAST,
        info_hash: hash(metainfo),
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

/// Tells that it has nothing and wants all.
pub(crate) async fn show_interest(stream: &mut MemoryStream) {
    let mut out = BytesMut::new();
    Message::HaveNone.encode(&mut out);
    Message::Interested.encode(&mut out);
    stream.write_all(&out).await.unwrap();
}

/// A peer that has everything and answers when the test says so.
pub(crate) struct Seed {
    stream: MemoryStream,
    received: BytesMut,
    decoder: Decoder,
    payload: Vec<u8>,
    /// Requests that were neither answered nor cancelled.
    pub(crate) requests: Vec<BlockRequest>,
}

impl Seed {
    /// Shakes hands, and offers everything of a torrent of one file.
    pub(crate) async fn greet(mut stream: MemoryStream, share: &Share) -> Self {
        let received = greet(&mut stream, &share.metainfo, b's').await.unwrap();
        let file = &share.metainfo.info().files()[0];
        let mut seed = Self {
            stream,
            received,
            decoder: Decoder::new(Limits::default()),
            payload: std::fs::read(file.path().under(share.dir.path())).unwrap(),
            requests: Vec::new(),
        };
        seed.send(&[Message::HaveAll, Message::Unchoke]).await;
        seed
    }

    /// Sends messages, and so much behind them that a limit of a byte a second lets nothing more pass while the watchdog
    /// waits.
    async fn send(&mut self, messages: &[Message]) {
        let mut bytes = BytesMut::new();
        let idle = std::iter::repeat_n(&Message::KeepAlive, 64);
        for message in messages.iter().chain(idle) {
            message.encode(&mut bytes);
        }
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Reads until the session is interested: it has read what was sent.
    pub(crate) async fn be_wanted(&mut self) {
        while self.next().await != Message::Interested {}
    }

    /// The next message. Keeps the list of requests.
    async fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.received).unwrap() {
                match &message {
                    Message::Request(request) => self.requests.push(*request),
                    Message::Cancel(request) => {
                        self.requests.retain(|kept| kept != request);
                        // With the fast extension each request is answered, also one that is cancelled (BEP 6).
                        self.send(&[Message::RejectRequest(*request)]).await;
                    }
                    _ => {}
                }
                return message;
            }
            let count = self.stream.read_buf(&mut self.received).await.unwrap();
            assert_ne!(count, 0, "the session hung up");
        }
    }

    /// Answers requests, `count` of them.
    pub(crate) async fn serve(&mut self, count: usize) {
        for _ in 0..count {
            while self.requests.is_empty() {
                self.next().await;
            }
            let request = self.requests.remove(0);
            let (index, begin) = (request.index, request.begin);
            let start = index as usize * 16_384 + begin as usize;
            let data = self.payload[start..start + request.length as usize].to_vec();
            let data = data.into();
            self.send(&[Message::Piece { index, begin, data }]).await;
        }
    }

    /// Says once more that it answers, and reads until the torrent has done all that it does about that.
    pub(crate) async fn settle(&mut self, torrent: &Torrent) {
        self.send(&[Message::Unchoke]).await;
        // The torrent has the connection's facts when a request is answered.
        within(self.be_refused()).await;
        // The connection has the torrent's commands at the end of the turn in which the torrent answers: before its next.
        torrent.peers().await.unwrap();
        torrent.peers().await.unwrap();
        // The connection may be reading already when the commands reach it: then it sends what they cause behind this answer,
        // and before the next.
        within(self.be_refused()).await;
        within(self.be_refused()).await;
    }

    /// Requests a block while it is choked, and reads until that is rejected.
    async fn be_refused(&mut self) {
        let request = BlockRequest {
            index: 39,
            begin: 0,
            length: 1,
        };
        self.send(&[Message::Request(request)]).await;
        while self.next().await != Message::RejectRequest(request) {}
    }
}

/// A peer that requests one block.
pub(crate) struct Leech {
    stream: MemoryStream,
    received: BytesMut,
    decoder: Decoder,
}

impl Leech {
    /// Shakes hands, and requests a block as soon as it may.
    pub(crate) async fn greet(mut stream: MemoryStream, share: &Share) -> Self {
        let received = greet(&mut stream, &share.metainfo, b'l').await.unwrap();
        let decoder = Decoder::new(Limits::default());
        let mut leech = Self {
            stream,
            received,
            decoder,
        };
        leech.send(&Message::Interested).await;
        while leech.next().await != Message::Unchoke {}
        let request = BlockRequest {
            index: 0,
            begin: 0,
            length: 16_384,
        };
        leech.send(&Message::Request(request)).await;
        leech
    }

    async fn send(&mut self, message: &Message) {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.received).unwrap() {
                return message;
            }
            let count = self.stream.read_buf(&mut self.received).await.unwrap();
            assert_ne!(count, 0, "the session hung up");
        }
    }

    /// Reads until the block has begun to come.
    pub(crate) async fn receive_a_part(&mut self) {
        // The length of a message, and the id of a block's.
        while self.received.get(4) != Some(&7) {
            let whole = self.decoder.decode(&mut self.received).unwrap();
            if whole.is_none() {
                let count = self.stream.read_buf(&mut self.received).await.unwrap();
                assert_ne!(count, 0, "the session hung up");
            }
        }
        assert!(self.received.len() < 16_384, "all of it has come");
    }

    /// Reads until all of the block is there.
    pub(crate) async fn receive_the_rest(&mut self) {
        while !matches!(self.next().await, Message::Piece { .. }) {}
    }
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
        let info_hash = hash(&share.metainfo);
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
