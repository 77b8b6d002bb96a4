//! Any network and any use: what is read is what was written, in order.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tailwater_utp::{Config, ConnectionKey, Endpoint, Event, StreamError};

#[derive(Clone, Debug)]
enum Step {
    Write {
        peer: usize,
        len: usize,
    },
    Read {
        peer: usize,
        len: usize,
    },
    /// One of the datagrams on their way arrives; the others have to wait.
    Deliver {
        which: usize,
    },
    Lose {
        which: usize,
    },
    /// It arrives, and comes again later.
    Duplicate {
        which: usize,
    },
    Wait {
        millis: u64,
    },
    Shutdown {
        peer: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let peer = 0..2usize;
    prop_oneof![
        3 => (peer.clone(), 1..20_000usize).prop_map(|(peer, len)| Step::Write { peer, len }),
        3 => (peer.clone(), 1..20_000usize).prop_map(|(peer, len)| Step::Read { peer, len }),
        12 => any::<usize>().prop_map(|which| Step::Deliver { which }),
        2 => any::<usize>().prop_map(|which| Step::Lose { which }),
        1 => any::<usize>().prop_map(|which| Step::Duplicate { which }),
        2 => (0..700u64).prop_map(|millis| Step::Wait { millis }),
        1 => peer.prop_map(|peer| Step::Shutdown { peer }),
    ]
}

struct Peer {
    endpoint: Endpoint,
    key: Option<ConnectionKey>,
    /// The model: what was written and what was read.
    written: Vec<u8>,
    read: Vec<u8>,
    has_ended: bool,
    is_end_read: bool,
}

struct Model {
    now: Instant,
    peers: [Peer; 2],
    on_their_way: Vec<(usize, Vec<u8>)>,
}

fn addr(peer: usize) -> SocketAddr {
    ([10, 0, 0, [1, 2][peer]], 6881).into()
}

impl Model {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        let peer = |seed| Peer {
            endpoint: Endpoint::new(Config::new(seed), now),
            key: None,
            written: Vec::new(),
            read: Vec::new(),
            has_ended: false,
            is_end_read: false,
        };
        let mut model = Self {
            now,
            peers: [peer(seed), peer(seed.wrapping_add(1))],
            on_their_way: Vec::new(),
        };
        let first = &mut model.peers[0];
        first.key = first.endpoint.connect(now, addr(1)).ok();
        model
    }

    fn step(&mut self, step: &Step) {
        let len = self.on_their_way.len().max(1);
        match *step {
            Step::Write { peer, len } => self.write(peer, len),
            Step::Read { peer, len } => self.read(peer, len),
            Step::Deliver { which } => self.deliver(which % len, true),
            Step::Duplicate { which } => self.deliver(which % len, false),
            Step::Lose { which } => {
                if which % len < self.on_their_way.len() {
                    self.on_their_way.remove(which % len);
                }
            }
            Step::Wait { millis } => {
                self.now += Duration::from_millis(millis);
                for peer in &mut self.peers {
                    peer.endpoint.handle_timeout(self.now);
                }
            }
            Step::Shutdown { peer } => {
                let peer = &mut self.peers[peer];
                if let Some(key) = peer.key {
                    peer.has_ended = true;
                    let _ = peer.endpoint.shutdown(key);
                }
            }
        }
        self.collect();
    }

    fn write(&mut self, peer: usize, len: usize) {
        let peer = &mut self.peers[peer];
        let Some(key) = peer.key.filter(|_| !peer.has_ended) else {
            return;
        };
        let begin = peer.written.len();
        let bytes: Vec<u8> = (0..=250).cycle().skip(begin % 251).take(len).collect();
        if let Ok(written) = peer.endpoint.write(key, &bytes) {
            peer.written.extend(&bytes[..written]);
        }
    }

    fn read(&mut self, peer: usize, len: usize) {
        let peer = &mut self.peers[peer];
        let Some(key) = peer.key else {
            return;
        };
        let mut buf = vec![0; len];
        match peer.endpoint.read(key, &mut buf) {
            Ok(0) => peer.is_end_read = true,
            Ok(read) => {
                assert!(!peer.is_end_read);
                peer.read.extend(&buf[..read]);
            }
            Err(_) => {}
        }
    }

    fn deliver(&mut self, which: usize, is_last: bool) {
        let Some((to, bytes)) = self.on_their_way.get(which).cloned() else {
            return;
        };
        if is_last {
            self.on_their_way.remove(which);
        }
        let from = addr(1 - to);
        self.peers[to]
            .endpoint
            .handle_datagram(self.now, from, &bytes);
    }

    fn collect(&mut self) {
        for (number, peer) in self.peers.iter_mut().enumerate() {
            while let Some(event) = peer.endpoint.poll_event() {
                if let Event::Accepted { key, .. } = event {
                    assert_eq!(peer.key.replace(key), None);
                }
            }
            peer.endpoint.check_invariants();
            while let Some(transmit) = peer.endpoint.poll_transmit(self.now) {
                let datagrams = transmit.datagrams();
                let sent = datagrams.map(|datagram| (1 - number, datagram.to_vec()));
                self.on_their_way.extend(sent);
            }
        }
        let peers = [(0, 1), (1, 0)];
        for (reader, writer) in peers {
            let read = &self.peers[reader].read;
            assert!(self.peers[writer].written.starts_with(read));
        }
    }

    fn is_alive(&mut self) -> bool {
        self.peers.iter_mut().all(|peer| {
            peer.key.is_none_or(|key| {
                let read = peer.endpoint.read(key, &mut []);
                !matches!(read, Err(StreamError::Closed(_)))
            })
        })
    }

    /// From now on the network loses nothing.
    fn settle(&mut self) {
        for _ in 0..4_000 {
            while !self.on_their_way.is_empty() {
                self.step(&Step::Deliver { which: 0 });
                for peer in 0..2 {
                    self.read(peer, 100_000);
                }
            }
            self.step(&Step::Wait { millis: 50 });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_read_is_what_was_written(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut model = Model::new(seed);
        model.collect();
        for step in &steps {
            model.step(step);
        }
        // It may have been given up, after many losses; then nothing more can be said.
        let is_alive = model.is_alive() && model.peers.iter().all(|peer| peer.key.is_some());
        if is_alive {
            for peer in 0..2 {
                model.step(&Step::Shutdown { peer });
            }
            model.settle();
            for (reader, writer) in [(0, 1), (1, 0)] {
                prop_assert_eq!(model.peers[reader].read.len(), model.peers[writer].written.len());
                prop_assert!(model.peers[reader].is_end_read);
            }
        }
    }
}
