//! Peers that speak just enough of the protocol (BEP 3) to break its rules at a chosen point.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use crate::ours;
use crate::process::DEADLINE;

pub(crate) const UNCHOKE: u8 = 1;
pub(crate) const INTERESTED: u8 = 2;
pub(crate) const HAVE: u8 = 4;
pub(crate) const BITFIELD: u8 = 5;
pub(crate) const REQUEST: u8 = 6;
pub(crate) const PIECE: u8 = 7;
pub(crate) const CANCEL: u8 = 8;

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
const HANDSHAKE_LEN: usize = 68;

/// What a scripted peer knows of its torrent.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) info_hash: [u8; 20],
    pub(crate) pieces: u32,
    pub(crate) piece_len: u32,
}

impl Facts {
    pub(crate) fn of(torrent: &Path) -> Self {
        let said = ours::inspect(torrent);
        let hex = said["info_hash_v1"].as_str().unwrap();
        let bytes = hex.as_bytes().chunks(2);
        let bytes =
            bytes.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
        let number = |key: &str| u32::try_from(said[key].as_u64().unwrap()).unwrap();
        Self {
            info_hash: bytes.collect::<Vec<_>>().try_into().unwrap(),
            pieces: number("piece_count"),
            piece_len: number("piece_length"),
        }
    }

    /// The bitfield of a seed.
    pub(crate) fn all_pieces(&self) -> Vec<u8> {
        let mut bits = vec![0xff; self.pieces.div_ceil(8) as usize];
        let spare = bits.len() * 8 - self.pieces as usize;
        *bits.last_mut().unwrap() <<= spare;
        bits
    }
}

/// One connection of a scripted peer.
pub(crate) struct Wire {
    stream: TcpStream,
    news: Sender<String>,
}

/// A peer that listens and runs the same script with every client that connects.
pub(crate) struct Scripted {
    pub(crate) addr: SocketAddr,
    news: Receiver<String>,
}

impl Scripted {
    /// Listens on an address of its own, so that a ban of it affects no other peer. The script runs until the
    /// connection ends, which it sees as an error.
    pub(crate) fn listen(script: impl Fn(&mut Wire) -> io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, news) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut wire = Wire::new(stream, sender.clone());
                let ended = script(&mut wire).err().is_some_and(|error| is_end(&error));
                let said = if ended { "dropped" } else { "kept" };
                if sender.send(said.to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { addr, news }
    }

    pub(crate) const fn ip(&self) -> IpAddr {
        self.addr.ip()
    }

    /// Waits until a script says `what`; "dropped" when the other side closes a connection, "kept" when it does not.
    #[track_caller]
    pub(crate) fn says(&self, what: &str) {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.news.recv_timeout(left) {
                Ok(said) if said == what => return,
                Ok(said) => assert_ne!(said, "kept", "the connection should have been closed"),
                Err(error) => panic!("the scripted peer did not say {what}: {error}"),
            }
        }
    }
}

impl Wire {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::new(TcpStream::connect(addr).unwrap(), channel().0)
    }

    fn new(stream: TcpStream, news: Sender<String>) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, news }
    }

    /// Tells the test.
    pub(crate) fn tell(&self, what: &str) {
        // The test may have seen enough.
        let _ = self.news.send(what.to_owned());
    }

    /// Shakes hands, for the torrent of that hash.
    pub(crate) fn handshake(&mut self, info_hash: &[u8; 20]) -> io::Result<()> {
        self.stream.write_all(&handshake(info_hash))?;
        let mut theirs = [0; HANDSHAKE_LEN];
        self.stream.read_exact(&mut theirs)
    }

    /// Presents itself as a seed that serves every peer.
    pub(crate) fn pose_as_seed(&mut self, facts: &Facts) -> io::Result<()> {
        self.handshake(&facts.info_hash)?;
        self.send(BITFIELD, &facts.all_pieces())?;
        self.send(UNCHOKE, &[])
    }

    /// Presents itself as a leech; returns when it may request.
    pub(crate) fn pose_as_leech(&mut self, facts: &Facts) -> io::Result<()> {
        self.handshake(&facts.info_hash)?;
        self.send(INTERESTED, &[])?;
        loop {
            if self.receive()?.0 == UNCHOKE {
                return Ok(());
            }
        }
    }

    pub(crate) fn send(&mut self, id: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(id, payload))
    }

    /// The same with 32-bit numbers.
    pub(crate) fn send_numbers(&mut self, id: u8, numbers: &[u32]) -> io::Result<()> {
        let payload: Vec<_> = numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        self.send(id, &payload)
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a byte a second.
    pub(crate) fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            self.stream.write_all(&[*byte])?;
            // It is the peer that is slow here: nothing waits for this.
            thread::sleep(std::time::Duration::from_secs(1));
        }
        Ok(())
    }

    /// The next message that is not a keep-alive.
    pub(crate) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut message)?;
            if !message.is_empty() {
                let payload = message.split_off(1);
                return Ok((message[0], payload));
            }
        }
    }

    /// The next request: piece, offset and length.
    pub(crate) fn request(&mut self) -> io::Result<[u32; 3]> {
        loop {
            if let (REQUEST, payload) = self.receive()? {
                let number = |at| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
                return Ok([number(0), number(4), number(8)]);
            }
        }
    }

    /// Reads until the other side closes the connection.
    pub(crate) fn until_dropped(&mut self) -> io::Result<()> {
        let mut ignored = [0; 4096];
        while self.stream.read(&mut ignored)? > 0 {}
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Whether the other side closed the connection, rather than nothing happening until the deadline.
pub(crate) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

pub(crate) fn handshake(info_hash: &[u8; 20]) -> [u8; HANDSHAKE_LEN] {
    let parts = [&PROTOCOL[..], &[0; 8], info_hash, b"-XX0000-scriptedpeer"];
    parts.concat().try_into().unwrap()
}

pub(crate) fn frame(id: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[id], payload].concat()
}

/// A block with this content.
pub(crate) fn block(piece: u32, begin: u32, data: &[u8]) -> Vec<u8> {
    [&piece.to_be_bytes()[..], &begin.to_be_bytes(), data].concat()
}

/// Bytes that are no message.
pub(crate) fn garbage() -> Vec<u8> {
    (0..65_536_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80)
        .collect()
}
