//! Endpoints over a simulated network that also reorders, delays and duplicates.
// Each test file uses a part, and this is a test as well.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_netsim::{Event as NetEvent, HostId, Link, Network};
use tailwater_utp::{CloseReason, Config, ConnectionKey, Endpoint, Event, Packet, StreamError};

/// Timers with tokens from here on are datagrams that are held back.
const HELD: u64 = 1 << 32;
/// The timer of an endpoint.
const ENDPOINT: u64 = 0;

/// What the network does to datagrams besides losing them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// A datagram is held back for up to this long.
    pub jitter: Duration,
    /// Of a thousand datagrams, those that are held back for `jitter` and more.
    pub late_per_mille: u32,
    /// Of a thousand datagrams, those that come twice.
    pub twice_per_mille: u32,
    /// Datagrams longer than this are lost, if they must not be fragmented.
    pub mtu: Option<usize>,
}

/// The byte at an offset of a stream.
pub fn byte_at(offset: u64) -> u8 {
    let mixed = offset.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u8::try_from(mixed >> 56).unwrap()
}

/// One stream of one peer, both ways.
#[derive(Debug, Default)]
pub struct Stream {
    /// Bytes that it is to send, and has handed over.
    pub goal: u64,
    pub written: u64,
    /// Whether its end is to follow, and has been handed over.
    pub ends: bool,
    pub has_ended: bool,
    /// Bytes that have arrived and were right.
    pub read: u64,
    /// The most bytes that are read; more wait.
    pub read_limit: Option<u64>,
    pub is_end_read: bool,
    pub closed: Option<CloseReason>,
}

pub struct Peer {
    pub host: HostId,
    pub endpoint: Endpoint,
    pub streams: HashMap<ConnectionKey, Stream>,
    /// Its clock is so much faster, in millionths.
    pub drift_ppm: i64,
    /// Bytes that every accepted stream sends, with an end behind them.
    pub answer: Option<u64>,
    pub accepted: Vec<ConnectionKey>,
    pub connected: Vec<ConnectionKey>,
    /// Datagrams and bytes sent.
    pub sent: (u64, u64),
}

type Watch = Box<dyn FnMut(Instant, usize, SocketAddr, &[u8])>;

pub struct World {
    pub network: Network,
    pub start: Instant,
    pub peers: Vec<Peer>,
    pub trouble: Trouble,
    rng: fastrand::Rng,
    held: HashMap<u64, (HostId, SocketAddr, Vec<u8>)>,
    next_held: u64,
    /// Sees every datagram: sender, receiver, bytes, and whether it must not be fragmented.
    pub watch: Option<Watch>,
}

pub fn addr(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(number + 1).unwrap()], 6881))
}

impl World {
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            network: Network::new(seed, start),
            start,
            peers: Vec::new(),
            trouble: Trouble::default(),
            rng: fastrand::Rng::with_seed(seed ^ 0x5eed),
            held: HashMap::new(),
            next_held: HELD,
            watch: None,
        }
    }

    /// Two peers on links of this kind.
    pub fn pair(seed: u64, link: Link) -> Self {
        let mut world = Self::new(seed);
        world.add(Config::new(seed * 2 + 1), link);
        world.add(Config::new(seed * 2 + 2), link);
        world
    }

    pub fn add(&mut self, config: Config, link: Link) -> usize {
        let number = self.peers.len();
        let host = self.network.add_host(addr(number), link);
        self.peers.push(Peer {
            host,
            endpoint: Endpoint::new(config, self.start),
            streams: HashMap::new(),
            drift_ppm: 0,
            answer: None,
            accepted: Vec::new(),
            connected: Vec::new(),
            sent: (0, 0),
        });
        number
    }

    pub fn elapsed(&self) -> Duration {
        self.network.elapsed()
    }

    /// The time by a peer's own clock.
    fn local(&self, peer: usize, at: Instant) -> Instant {
        let elapsed = at.saturating_duration_since(self.start);
        let drift = self.peers[peer].drift_ppm;
        let nanos = i128::try_from(elapsed.as_nanos()).unwrap();
        let local = nanos + nanos * i128::from(drift) / 1_000_000;
        self.start + Duration::from_nanos(u64::try_from(local).unwrap())
    }

    fn global(&self, peer: usize, at: Instant) -> Instant {
        let elapsed = at.saturating_duration_since(self.start);
        let drift = self.peers[peer].drift_ppm;
        let nanos = i128::try_from(elapsed.as_nanos()).unwrap();
        let global = nanos * 1_000_000 / (1_000_000 + i128::from(drift));
        // Rounded up, so that a timer is due when it fires.
        self.start + Duration::from_nanos(u64::try_from(global).unwrap() + 1_000)
    }

    pub fn now(&self, peer: usize) -> Instant {
        self.local(peer, self.network.now())
    }

    pub fn connect(&mut self, from: usize, to: usize, goal: u64) -> ConnectionKey {
        let now = self.now(from);
        let key = self.peers[from].endpoint.connect(now, addr(to)).unwrap();
        let stream = Stream {
            goal,
            ends: true,
            ..Stream::default()
        };
        self.peers[from].streams.insert(key, stream);
        self.flush(from);
        key
    }

    pub fn stream(&self, peer: usize, key: ConnectionKey) -> &Stream {
        &self.peers[peer].streams[&key]
    }

    pub fn stream_mut(&mut self, peer: usize, key: ConnectionKey) -> &mut Stream {
        self.peers[peer].streams.get_mut(&key).unwrap()
    }

    /// Runs until `is_done`, or for `limit`. Returns whether it was done.
    pub fn run_until(&mut self, limit: Duration, is_done: impl Fn(&Self) -> bool) -> bool {
        let end = self.network.now() + limit;
        while !is_done(self) {
            let Some((at, event)) = self.network.next_event_until(end) else {
                return is_done(self);
            };
            self.handle(at, event);
        }
        true
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    fn handle(&mut self, at: Instant, event: NetEvent) {
        let host = event.host();
        let peer = host.as_usize();
        let now = self.local(peer, at);
        match event {
            NetEvent::Datagram { from, bytes, .. } => {
                self.peers[peer].endpoint.handle_datagram(now, from, &bytes);
            }
            NetEvent::Timer { token, .. } if token >= HELD => {
                if let Some((host, to, bytes)) = self.held.remove(&token) {
                    self.network.send_datagram(host, to, bytes);
                }
                return;
            }
            NetEvent::Timer { .. } => self.peers[peer].endpoint.handle_timeout(now),
            _ => return,
        }
        self.serve(peer);
    }

    /// Events, reading and writing of a peer, then its datagrams.
    pub fn serve(&mut self, peer: usize) {
        while let Some(event) = self.peers[peer].endpoint.poll_event() {
            self.on_event(peer, event);
        }
        self.flush(peer);
    }

    fn on_event(&mut self, peer: usize, event: Event) {
        match event {
            Event::Accepted { key, .. } => {
                let accepting = &mut self.peers[peer];
                let stream = Stream {
                    goal: accepting.answer.unwrap_or(0),
                    ends: accepting.answer.is_some(),
                    ..Stream::default()
                };
                accepting.accepted.push(key);
                assert!(accepting.streams.insert(key, stream).is_none());
                self.write(peer, key);
            }
            Event::Connected { key } => {
                self.peers[peer].connected.push(key);
                self.write(peer, key);
            }
            Event::Readable { key } => self.read(peer, key),
            Event::Writable { key } => self.write(peer, key),
            Event::Closed { key, reason } => {
                self.read(peer, key);
                if let Some(stream) = self.peers[peer].streams.get_mut(&key) {
                    stream.closed = Some(reason);
                }
            }
            other => panic!("an event that the tests do not know: {other:?}"),
        }
    }

    pub fn write(&mut self, peer: usize, key: ConnectionKey) {
        let Peer {
            endpoint, streams, ..
        } = &mut self.peers[peer];
        let Some(stream) = streams.get_mut(&key) else {
            return;
        };
        while stream.written < stream.goal {
            let len = (stream.goal - stream.written).min(5_000);
            let bytes: Vec<u8> = (stream.written..stream.written + len)
                .map(byte_at)
                .collect();
            match endpoint.write(key, &bytes) {
                Ok(written) => stream.written += u64::try_from(written).unwrap(),
                Err(_) => return,
            }
        }
        if stream.ends && !stream.has_ended {
            stream.has_ended = true;
            endpoint.shutdown(key).unwrap();
        }
    }

    pub fn read(&mut self, peer: usize, key: ConnectionKey) {
        let Peer {
            endpoint, streams, ..
        } = &mut self.peers[peer];
        let Some(stream) = streams.get_mut(&key) else {
            return;
        };
        let mut buf = [0; 7_000];
        loop {
            let left = stream
                .read_limit
                .map_or(u64::MAX, |limit| limit - stream.read);
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
            if room == 0 {
                return;
            }
            match endpoint.read(key, &mut buf[..room]) {
                Ok(0) => {
                    stream.is_end_read = true;
                    return;
                }
                Ok(len) => {
                    for byte in &buf[..len] {
                        assert_eq!(*byte, byte_at(stream.read), "at {}", stream.read);
                        stream.read += 1;
                    }
                }
                Err(StreamError::WouldBlock | StreamError::Closed(_)) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends what an endpoint has to send, and sets its timer.
    pub fn flush(&mut self, peer: usize) {
        let now = self.now(peer);
        let host = self.peers[peer].host;
        let mut datagrams = Vec::new();
        while let Some(transmit) = self.peers[peer].endpoint.poll_transmit(now) {
            let to = transmit.destination;
            let single = transmit.dont_fragment;
            for datagram in transmit.datagrams() {
                assert!(Packet::decode(datagram).is_ok());
                datagrams.push((to, datagram.to_vec(), single));
            }
        }
        self.peers[peer].endpoint.check_invariants();
        for (to, datagram, is_single) in datagrams {
            self.send(peer, host, to, datagram, is_single);
        }
        if let Some(at) = self.peers[peer].endpoint.poll_timeout() {
            let at = self.global(peer, at);
            self.network.set_timer(host, at, ENDPOINT);
        } else {
            self.network.cancel_timer(host, ENDPOINT);
        }
    }

    fn send(&mut self, peer: usize, host: HostId, to: SocketAddr, datagram: Vec<u8>, single: bool) {
        self.peers[peer].sent.0 += 1;
        self.peers[peer].sent.1 += u64::try_from(datagram.len()).unwrap();
        if let Some(watch) = &mut self.watch {
            watch(self.network.now(), peer, to, &datagram);
        }
        let trouble = self.trouble;
        if single && trouble.mtu.is_some_and(|mtu| datagram.len() > mtu) {
            return;
        }
        if self.rng.u32(0..1_000) < trouble.twice_per_mille {
            self.network.send_datagram(host, to, datagram.clone());
        }
        if self.rng.u32(0..1_000) < trouble.late_per_mille {
            let micros = trouble.jitter.as_micros();
            let micros = self.rng.u64(0..=u64::try_from(micros).unwrap());
            let at = self.network.now() + Duration::from_micros(micros);
            self.held.insert(self.next_held, (host, to, datagram));
            self.network.set_timer(host, at, self.next_held);
            self.next_held += 1;
        } else {
            self.network.send_datagram(host, to, datagram);
        }
    }
}
