//! Bodies of the fuzz targets: they assert what must hold for any input.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::limits::{MAX_SELECTIVE_ACK_LEN, MIN_RECEIVE_BUFFER, MIN_SEND_BUFFER};
use crate::{Config, ConnectionKey, Endpoint, Event, Header, Kind, Packet};

/// A datagram: what can be read can be written, and then says the same.
///
/// # Panics
///
/// When the codec breaks one of its promises.
pub fn packet(data: &[u8]) {
    let Ok(packet) = Packet::decode(data) else {
        return;
    };
    let extension = data.get(1).copied().unwrap_or_default();
    let header = packet.header.encode(extension);
    assert_eq!(data.get(..header.len()), Some(&header[..]));
    assert!(data.ends_with(packet.payload));
    if let Some(ack) = packet.selective_ack {
        let arrived: Vec<u16> = ack.arrived().collect();
        assert!(arrived.len() <= MAX_SELECTIVE_ACK_LEN * 8);
        assert!(arrived.is_sorted());
    }
}

/// An endpoint among strangers: any sequence of packets, calls and waiting keeps its bookkeeping right, its memory
/// bounded, and sends no more to an unproven address than came from there.
///
/// The input is read as steps: one byte says which, the next ones are its arguments.
///
/// # Panics
///
/// When the endpoint breaks one of its promises.
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do as the beginning"
)]
pub fn endpoint(data: &[u8]) {
    let now = Instant::now();
    let Ok(config) = config() else {
        return;
    };
    let mut steps = Steps {
        data,
        now,
        endpoint: Endpoint::new(config, now),
        keys: Vec::new(),
        sent: Vec::new(),
        received: [0; 4],
        answered: [0; 4],
        is_proven: [false; 4],
    };
    while steps.step().is_some() {
        steps.collect();
        steps.endpoint.check_invariants();
    }
}

fn config() -> Result<Config, crate::ConfigError> {
    Config::new(1)
        .receive_buffer(MIN_RECEIVE_BUFFER)?
        .send_buffer(MIN_SEND_BUFFER)?
        .max_connections(6)?
        .backlog(3)
}

struct Steps<'a> {
    data: &'a [u8],
    now: Instant,
    endpoint: Endpoint,
    keys: Vec<ConnectionKey>,
    /// The latest headers that the endpoint has sent, and to which stranger.
    sent: Vec<(usize, Header)>,
    received: [usize; 4],
    answered: [usize; 4],
    is_proven: [bool; 4],
}

fn stranger(number: usize) -> SocketAddr {
    let last = u8::try_from(number).unwrap_or_default();
    ([10, 0, 0, last], 6881).into()
}

impl Steps<'_> {
    fn step(&mut self) -> Option<()> {
        match self.byte()? % 10 {
            0 => {
                let from = usize::from(self.byte()? % 4);
                let len = usize::from(self.byte()?);
                let (bytes, rest) = self.data.split_at(len.min(self.data.len()));
                self.data = rest;
                self.handle(from, bytes);
            }
            1..=3 => self.answer()?,
            short @ 4..=5 => {
                let unit = if short == 4 { 1 } else { 200 };
                let millis = u64::from(self.byte()?) * unit;
                self.pass(Duration::from_millis(millis));
            }
            6 => {
                let to = usize::from(self.byte()? % 4);
                // The endpoint chose this address itself.
                self.is_proven[to] = true;
                if let Ok(key) = self.endpoint.connect(self.now, stranger(to)) {
                    self.keys.push(key);
                }
            }
            7 => {
                let key = self.key()?;
                let len = usize::from(self.byte()?) * 100;
                let _ = self.endpoint.write(key, &vec![7; len]);
            }
            8 => {
                let key = self.key()?;
                let mut buf = vec![0; usize::from(self.byte()?) * 20];
                let _ = self.endpoint.read(key, &mut buf);
            }
            _ => {
                let key = self.key()?;
                if self.byte()? % 2 == 0 {
                    let _ = self.endpoint.shutdown(key);
                } else {
                    self.endpoint.close(self.now, key);
                }
            }
        }
        Some(())
    }

    /// A packet that fits what the endpoint has sent, more or less.
    fn answer(&mut self) -> Option<()> {
        let which = usize::from(self.byte()?);
        let (kind, ack, seq) = (self.byte()?, self.byte()?, self.byte()?);
        let len = usize::from(self.byte()?) * 8;
        let kinds = [Kind::Data, Kind::State, Kind::Fin, Kind::Syn, Kind::Reset];
        let index = which % self.sent.len().max(1);
        let (from, last) = *self.sent.get(index)?;
        let near = |number: u16, by: u8| number.wrapping_add(u16::from(by)).wrapping_sub(3);
        let is_syn = last.kind == Kind::Syn;
        let header = Header {
            kind: *kinds.get(usize::from(kind) % kinds.len())?,
            connection_id: last.connection_id.wrapping_add(u16::from(!is_syn)),
            timestamp: u32::from(seq) << 24,
            timestamp_difference: u32::from(ack) << 24,
            window: u32::from(kind) * 100,
            seq_nr: near(last.ack_nr, seq % 16),
            ack_nr: near(last.seq_nr, ack % 8),
        };
        let mut bytes = header.encode(u8::from(ack > 127)).to_vec();
        if ack > 127 {
            bytes.extend([0, 4, ack, seq, kind, ack]);
        }
        bytes.resize(bytes.len() + len, 9);
        self.handle(from, &bytes);
        Some(())
    }

    fn handle(&mut self, from: usize, bytes: &[u8]) {
        self.received[from] += bytes.len();
        self.endpoint
            .handle_datagram(self.now, stranger(from), bytes);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.endpoint.handle_timeout(self.now);
        let due = self.endpoint.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now));
    }

    fn collect(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Accepted { key, remote } = event {
                let strangers = self.is_proven.iter_mut().enumerate();
                strangers
                    .filter(|(number, _)| stranger(*number) == remote)
                    .for_each(|(_, is_proven)| *is_proven = true);
                self.keys.push(key);
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit(self.now) {
            let to = (0..4).find(|number| stranger(*number) == transmit.destination);
            let Some(to) = to else {
                return;
            };
            for datagram in transmit.datagrams() {
                self.answered[to] += datagram.len();
                if let Ok(packet) = Packet::decode(datagram) {
                    self.sent.push((to, packet.header));
                }
            }
        }
        let excess = self.sent.len().saturating_sub(8);
        self.sent.drain(..excess);
        for number in 0..4 {
            let is_bounded = self.answered[number] <= self.received[number];
            assert!(self.is_proven[number] || is_bounded);
        }
    }

    fn key(&mut self) -> Option<ConnectionKey> {
        let which = usize::from(self.byte()?);
        let index = which % self.keys.len().max(1);
        // Without one the step does nothing, and the next one may.
        Some(
            self.keys
                .get(index)
                .copied()
                .unwrap_or_else(ConnectionKey::none),
        )
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }
}
