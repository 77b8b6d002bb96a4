//! What an endpoint answers, packet by packet (BEP 29).
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_utp::{
    CloseReason, Config, ConnectError, ConnectionKey, Endpoint, Event, Header, Kind, Packet,
    StreamError, limits,
};

const THEIR_ID: u16 = 500;

/// An endpoint, and a peer that is played by the test.
struct Lab {
    endpoint: Endpoint,
    now: Instant,
    peer: SocketAddr,
    /// The next number of the peer.
    seq: u16,
    /// The last number of the endpoint that the peer acknowledges.
    ack: u16,
    /// The id of packets to the endpoint.
    id: u16,
    window: u32,
}

/// A packet that the endpoint has sent.
#[derive(Clone, Debug)]
struct Sent {
    header: Header,
    payload: Vec<u8>,
    arrived: Vec<u16>,
    len: usize,
}

impl Lab {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn new(config: Config) -> Self {
        let now = Instant::now();
        Self {
            endpoint: Endpoint::new(config, now),
            now,
            peer: ([10, 0, 0, 9], 999).into(),
            seq: 100,
            ack: 0,
            id: 0,
            window: 1 << 20,
        }
    }

    fn packet(&self, kind: Kind, seq_nr: u16) -> Header {
        Header {
            kind,
            connection_id: self.id,
            timestamp: 1_000,
            timestamp_difference: 5,
            window: self.window,
            seq_nr,
            ack_nr: self.ack,
        }
    }

    fn send(&mut self, header: &Header, payload: &[u8]) {
        let mut bytes = header.encode(0).to_vec();
        bytes.extend(payload);
        self.endpoint.handle_datagram(self.now, self.peer, &bytes);
    }

    /// The next packet of the peer's stream.
    fn send_data(&mut self, payload: &[u8]) {
        let header = self.packet(Kind::Data, self.seq);
        self.seq = self.seq.wrapping_add(1);
        self.send(&header, payload);
    }

    fn send_ack(&mut self) {
        let header = self.packet(Kind::State, self.seq);
        self.send(&header, &[]);
    }

    fn sent(&mut self) -> Vec<Sent> {
        self.endpoint.check_invariants();
        let mut sent = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(self.now) {
            assert_eq!(transmit.destination, self.peer);
            for datagram in transmit.datagrams() {
                let packet = Packet::decode(datagram).unwrap();
                let arrived = packet
                    .selective_ack
                    .iter()
                    .flat_map(tailwater_utp::SelectiveAck::arrived);
                sent.push(Sent {
                    header: packet.header,
                    payload: packet.payload.to_vec(),
                    arrived: arrived.collect(),
                    len: datagram.len(),
                });
            }
        }
        sent
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.endpoint.poll_event()).collect()
    }

    /// Time passes, and what is due is done.
    fn pass(&mut self, time: Duration) -> Vec<Sent> {
        let end = self.now + time;
        let mut sent = self.sent();
        while let Some(at) = self.endpoint.poll_timeout()
            && at <= end
        {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            sent.extend(self.sent());
        }
        self.now = end;
        sent
    }

    /// The peer connects.
    fn accept(&mut self) -> ConnectionKey {
        self.id = THEIR_ID;
        let syn = self.packet(Kind::Syn, self.seq);
        self.seq = self.seq.wrapping_add(1);
        self.send(&syn, &[]);
        let answer = self.sent().remove(0).header;
        assert_eq!((answer.kind, answer.ack_nr), (Kind::State, syn.seq_nr));
        assert_eq!(answer.connection_id, THEIR_ID);
        self.id = THEIR_ID.wrapping_add(1);
        self.ack = answer.seq_nr.wrapping_sub(1);
        self.send_ack();
        match self.events()[..] {
            [Event::Accepted { key, remote }] => {
                assert_eq!(remote, self.peer);
                key
            }
            ref events => panic!("{events:?}"),
        }
    }

    /// The endpoint connects.
    fn connect(&mut self) -> ConnectionKey {
        let key = self.endpoint.connect(self.now, self.peer).unwrap();
        let syn = self.sent().remove(0).header;
        assert_eq!(syn.kind, Kind::Syn);
        self.id = syn.connection_id;
        self.ack = syn.seq_nr;
        let answer = self.packet(Kind::State, self.seq);
        self.send(&answer, &[]);
        assert_eq!(self.events()[..], [Event::Connected { key }]);
        key
    }

    fn read(&mut self, key: ConnectionKey) -> Result<Vec<u8>, StreamError> {
        let mut buf = vec![0; 100_000];
        let len = self.endpoint.read(key, &mut buf)?;
        buf.truncate(len);
        Ok(buf)
    }
}

fn lab() -> Lab {
    Lab::new(Config::new(1))
}

#[test]
fn the_answer_to_a_syn_uses_up_no_number() {
    let mut lab = lab();
    let key = lab.accept();
    let next = lab.ack.wrapping_add(1);
    lab.endpoint.write(key, b"hello").unwrap();
    let sent = lab.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].payload, b"hello");
    assert_eq!(
        (sent[0].header.kind, sent[0].header.seq_nr),
        (Kind::Data, next)
    );
    assert_eq!(sent[0].header.connection_id, THEIR_ID);
}

#[test]
fn ids_are_those_of_bep_29_when_the_endpoint_connects() {
    let mut lab = lab();
    let key = lab.connect();
    // The first packet of the peer has the number that its answer named.
    lab.send_data(b"first");
    assert_eq!(lab.read(key).unwrap(), b"first");
    lab.endpoint.write(key, b"x").unwrap();
    let sent = lab.sent();
    assert_eq!(sent[0].header.connection_id, lab.id.wrapping_add(1));
    assert_eq!(sent[0].header.seq_nr, lab.ack.wrapping_add(1));
}

#[test]
fn a_connected_endpoint_proves_its_address_though_it_has_nothing_to_say() {
    let mut lab = lab();
    lab.connect();
    let sent = lab.pass(limits::ACK_DELAY);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].header.kind, Kind::State);
    assert_eq!(sent[0].header.ack_nr, lab.seq.wrapping_sub(1));
}

#[test]
fn a_repeated_syn_is_answered_as_the_first_one() {
    let mut lab = lab();
    lab.id = THEIR_ID;
    let syn = lab.packet(Kind::Syn, 7);
    lab.send(&syn, &[]);
    let first = lab.sent();
    lab.send(&syn, &[]);
    let second = lab.sent();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(first[0].header.seq_nr, second[0].header.seq_nr);
    assert_eq!(lab.endpoint.connections(), 1);
}

#[test]
fn an_address_that_is_not_proven_gets_no_more_than_it_sent() {
    let mut lab = lab();
    let (mut received, mut sent) = (0, 0);
    let mut rng = fastrand::Rng::with_seed(3);
    for round in 0..2_000 {
        let kinds = [Kind::Data, Kind::Fin, Kind::State, Kind::Syn];
        lab.id = rng.u16(500..540);
        lab.ack = rng.u16(..);
        let header = lab.packet(kinds[round % 4], rng.u16(..));
        received += 20;
        lab.send(&header, &[]);
        let packets = lab.pass(Duration::from_millis(10));
        sent += packets.iter().map(|packet| packet.len).sum::<usize>();
        assert!(sent <= received, "{sent} {received}");
    }
    assert!(sent > 0);
    assert!(lab.endpoint.connections() < 128);
}

#[test]
fn the_backlog_is_bounded_and_ends() {
    let mut lab = Lab::new(Config::new(1).backlog(3).unwrap());
    for id in 0..10 {
        lab.id = id * 10;
        let syn = lab.packet(Kind::Syn, 1);
        lab.send(&syn, &[]);
    }
    assert_eq!(lab.sent().len(), 3);
    assert_eq!(lab.endpoint.connections(), 3);
    lab.pass(limits::HANDSHAKE_TIMEOUT);
    assert_eq!(lab.endpoint.connections(), 0);
    assert_eq!(lab.events(), []);
    // And there is room again.
    lab.accept();
}

#[test]
fn connections_are_bounded() {
    let mut lab = Lab::new(Config::new(1).max_connections(2).unwrap());
    let (now, peer) = (lab.now, lab.peer);
    lab.endpoint.connect(now, peer).unwrap();
    lab.endpoint.connect(now, peer).unwrap();
    let refused = lab.endpoint.connect(now, peer);
    assert_eq!(refused, Err(ConnectError::TooMany(2)));
}

#[test]
fn packets_of_unknown_connections_are_reset_at_a_bounded_rate() {
    let mut lab = lab();
    lab.id = 77;
    let header = lab.packet(Kind::Data, 4_242);
    for _ in 0..1_000 {
        lab.send(&header, b"payload");
    }
    let sent = lab.sent();
    assert_eq!(u32::try_from(sent.len()).unwrap(), limits::RESET_BURST);
    let reset = &sent[0].header;
    assert_eq!(
        (reset.kind, reset.connection_id, reset.ack_nr),
        (Kind::Reset, 77, 4_242)
    );
    // A reset is not answered.
    lab.now += Duration::from_secs(10);
    let header = lab.packet(Kind::Reset, 1);
    lab.send(&header, &[]);
    assert!(lab.sent().is_empty());
}

#[test]
fn a_reset_ends_a_connection_by_either_id_but_not_by_a_guess() {
    for by_send_id in [false, true] {
        let mut lab = lab();
        let key = lab.accept();
        lab.endpoint.write(key, b"x").unwrap();
        let data = lab.sent()[0].header;
        let mut reset = lab.packet(Kind::Reset, 9);
        if by_send_id {
            reset.connection_id = THEIR_ID;
        }
        reset.ack_nr = data.seq_nr.wrapping_add(1_000);
        lab.send(&reset, &[]);
        assert_eq!(lab.events(), []);
        reset.ack_nr = data.seq_nr;
        lab.send(&reset, &[]);
        let reason = CloseReason::Reset;
        assert!(lab.events().contains(&Event::Closed { key, reason }));
        assert_eq!(lab.read(key), Err(StreamError::Closed(reason)));
    }
}

#[test]
fn a_refused_connection_says_so() {
    let mut lab = lab();
    let key = lab.endpoint.connect(lab.now, lab.peer).unwrap();
    let syn = lab.sent()[0].header;
    lab.id = syn.connection_id;
    lab.ack = syn.seq_nr;
    let reset = lab.packet(Kind::Reset, 1);
    lab.send(&reset, &[]);
    let reason = CloseReason::Refused;
    assert!(lab.events().contains(&Event::Closed { key, reason }));
}

#[test]
fn a_syn_without_an_answer_is_repeated_and_given_up() {
    let mut lab = lab();
    let key = lab.endpoint.connect(lab.now, lab.peer).unwrap();
    let sent = lab.pass(Duration::from_secs(60));
    assert_eq!(u32::try_from(sent.len()).unwrap(), limits::MAX_SYNS);
    let first = sent[0].header;
    let is_alike = |packet: &Sent| {
        let header = packet.header;
        (header.kind, header.seq_nr, header.connection_id)
            == (Kind::Syn, first.seq_nr, first.connection_id)
    };
    assert!(sent.iter().all(is_alike));
    let reason = CloseReason::TimedOut;
    assert!(lab.events().contains(&Event::Closed { key, reason }));
}

#[test]
fn the_bitmask_begins_two_behind_the_acknowledged_packet() {
    let mut lab = lab();
    let key = lab.accept();
    let first = lab.seq;
    for ahead in [1, 3, 40] {
        let header = lab.packet(Kind::Data, first.wrapping_add(ahead));
        lab.send(&header, b"abc");
    }
    let sent = lab.sent();
    let last = sent.last().unwrap();
    assert_eq!(last.header.kind, Kind::State);
    assert_eq!(last.header.ack_nr, first.wrapping_sub(1));
    assert_eq!(last.arrived, [2, 4, 41]);
    assert_eq!((last.len - 22) % 4, 0);
    assert_eq!(lab.read(key), Err(StreamError::WouldBlock));
    lab.send_data(b"first");
    assert_eq!(lab.read(key).unwrap(), b"firstabc");
}

#[test]
fn what_is_too_far_ahead_is_not_kept() {
    let mut lab = lab();
    lab.accept();
    let first = lab.seq;
    let header = lab.packet(Kind::Data, first.wrapping_add(limits::MAX_REORDER));
    lab.send(&header, b"abc");
    let sent = lab.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].arrived, []);
}

#[test]
fn acknowledgements_for_packets_that_were_not_sent_are_ignored_with_their_payload() {
    let mut lab = lab();
    let key = lab.accept();
    let right = lab.ack;
    lab.ack = right.wrapping_add(1);
    let header = lab.packet(Kind::Data, lab.seq);
    lab.send(&header, b"forged");
    lab.ack = right.wrapping_sub(1_000);
    let header = lab.packet(Kind::Data, lab.seq);
    lab.send(&header, b"forged");
    assert_eq!(lab.read(key), Err(StreamError::WouldBlock));
    lab.ack = right;
    lab.send_data(b"right");
    assert_eq!(lab.read(key).unwrap(), b"right");
}

#[test]
fn three_packets_that_overtake_one_make_it_lost() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, &[7; 9_000]).unwrap();
    let sent = lab.sent();
    let lost = sent[0].header.seq_nr;
    // A bitmask: the second, third and fourth have arrived.
    let header = lab.packet(Kind::State, lab.seq);
    let mut bytes = header.encode(1).to_vec();
    bytes.extend([0, 4, 0b0000_0011, 0, 0, 0]);
    lab.endpoint.handle_datagram(lab.now, lab.peer, &bytes);
    assert!(lab.sent().iter().all(|packet| packet.header.seq_nr != lost));
    bytes[22] = 0b0000_0111;
    lab.endpoint.handle_datagram(lab.now, lab.peer, &bytes);
    let again = lab.sent();
    assert_eq!(again[0].header.seq_nr, lost);
    assert_eq!(again[0].payload, sent[0].payload);
}

#[test]
fn a_huge_bitmask_again_and_again_repeats_one_packet_once() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, &[7; 9_000]).unwrap();
    let lost = lab.sent()[0].header.seq_nr;
    // All that was sent has arrived but the first packet, and 2 000 that were not sent.
    let header = lab.packet(Kind::State, lab.seq);
    let mut bytes = header.encode(1).to_vec();
    bytes.extend([0, 252]);
    bytes.extend([0xff; 252]);
    let mut repeated = Vec::new();
    for _ in 0..1_000 {
        lab.endpoint.handle_datagram(lab.now, lab.peer, &bytes);
        lab.endpoint.check_invariants();
        repeated.extend(lab.sent().iter().map(|packet| packet.header.seq_nr));
    }
    assert_eq!(repeated, [lost]);
}

#[test]
fn duplicate_acknowledgements_without_a_bitmask_make_the_first_packet_lost() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, &[7; 9_000]).unwrap();
    let lost = lab.sent()[0].header.seq_nr;
    lab.send_ack();
    lab.send_ack();
    assert!(lab.sent().is_empty());
    lab.send_ack();
    assert_eq!(lab.sent()[0].header.seq_nr, lost);
}

#[test]
fn silence_repeats_with_back_off_and_ends_the_connection() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, b"anyone there?").unwrap();
    let sent = lab.pass(Duration::from_secs(200));
    let data = sent
        .iter()
        .filter(|packet| packet.header.kind == Kind::Data);
    let count = u32::try_from(data.count()).unwrap();
    assert!(
        count > limits::MAX_TIMEOUTS && count < limits::MAX_TIMEOUTS + 4,
        "{count}"
    );
    let reason = CloseReason::TimedOut;
    assert!(lab.events().contains(&Event::Closed { key, reason }));
}

#[test]
fn a_closed_window_is_probed_and_opens() {
    let mut lab = lab();
    lab.window = 0;
    let key = lab.accept();
    lab.endpoint.write(key, &[7; 5_000]).unwrap();
    assert!(lab.sent().is_empty());
    // Many probes that the peer refuses, and the connection lives.
    for _ in 0..20 {
        let sent = lab.pass(Duration::from_secs(31));
        assert!(!sent.is_empty());
        assert!(sent.len() < 20, "{}", sent.len());
        lab.send_ack();
    }
    assert_eq!(lab.events(), []);
    lab.window = 100_000;
    lab.send_ack();
    let sent = lab.sent();
    assert_eq!(
        sent.iter()
            .map(|packet| packet.payload.len())
            .sum::<usize>(),
        5_000
    );
}

#[test]
fn the_window_is_advertised_in_bytes_and_updated_when_it_has_been_small() {
    let mut lab = Lab::new(Config::new(1).receive_buffer(20_000).unwrap());
    let key = lab.accept();
    for _ in 0..20 {
        lab.send_data(&[1; 1_000]);
    }
    let sent = lab.sent();
    assert_eq!(sent.last().unwrap().header.window, 0);
    // No room: it is not kept.
    lab.send_data(&[1; 1_000]);
    lab.seq = lab.seq.wrapping_sub(1);
    let sent = lab.sent();
    assert_eq!(sent.last().unwrap().header.ack_nr, lab.seq.wrapping_sub(1));
    assert_eq!(lab.read(key).unwrap().len(), 20_000);
    let sent = lab.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].header.window, 20_000);
}

#[test]
fn one_acknowledgement_answers_all_that_arrived_together() {
    let mut lab = lab();
    lab.accept();
    for _ in 0..30 {
        lab.send_data(&[1; 1_000]);
    }
    let sent = lab.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].header.ack_nr, lab.seq.wrapping_sub(1));
    // A single packet waits for more.
    lab.send_data(b"x");
    assert!(lab.sent().is_empty());
    assert_eq!(lab.pass(limits::ACK_DELAY).len(), 1);
}

#[test]
fn a_fin_with_payload_ends_the_stream_behind_it() {
    let mut lab = lab();
    let key = lab.accept();
    // It comes before what it follows.
    let fin = lab.packet(Kind::Fin, lab.seq.wrapping_add(1));
    lab.send(&fin, b"end");
    assert_eq!(lab.read(key), Err(StreamError::WouldBlock));
    lab.send_data(b"the ");
    assert_eq!(lab.read(key).unwrap(), b"the end");
    assert_eq!(lab.read(key).unwrap(), b"");
    let sent = lab.sent();
    assert_eq!(sent.last().unwrap().header.ack_nr, fin.seq_nr);
    // What comes behind the end is nothing.
    let header = lab.packet(Kind::Data, fin.seq_nr.wrapping_add(1));
    lab.send(&header, b"more");
    assert_eq!(lab.read(key).unwrap(), b"");
    // And we may still write.
    lab.endpoint.write(key, b"answer").unwrap();
    assert_eq!(lab.sent().last().unwrap().payload, b"answer");
}

#[test]
fn our_fin_has_the_number_behind_the_last_packet() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, b"all").unwrap();
    lab.endpoint.shutdown(key).unwrap();
    let sent = lab.sent();
    let kinds: Vec<Kind> = sent.iter().map(|packet| packet.header.kind).collect();
    assert_eq!(kinds, [Kind::Data, Kind::Fin]);
    assert_eq!(sent[1].header.seq_nr, sent[0].header.seq_nr.wrapping_add(1));
    assert_eq!(sent[1].payload, b"");
}

#[test]
fn numbers_wrap_around() {
    let mut lab = lab();
    lab.seq = 65_000;
    let key = lab.accept();
    let mut expected = 0;
    for number in 0..70_000u32 {
        lab.send_data(&number.to_be_bytes());
        if number % 500 == 0 {
            expected += lab.read(key).unwrap().len();
            lab.endpoint.write(key, b"back").unwrap();
            for packet in lab.sent() {
                if packet.header.kind == Kind::Data {
                    lab.ack = packet.header.seq_nr;
                }
            }
        }
    }
    expected += lab.read(key).unwrap().len();
    assert_eq!(expected, 280_000);
}

#[test]
fn timestamps_of_zero_and_unknown_delays_are_no_samples() {
    let mut lab = lab();
    let key = lab.accept();
    for (timestamp, difference) in [(0, 0), (0, 0x7fff_ffff), (5, 0), (u32::MAX, u32::MAX)] {
        let header = Header {
            timestamp,
            timestamp_difference: difference,
            ..lab.packet(Kind::Data, lab.seq)
        };
        lab.seq += 1;
        lab.send(&header, b"x");
    }
    assert_eq!(lab.read(key).unwrap(), b"xxxx");
}

#[test]
fn an_idle_connection_is_kept_alive() {
    let mut lab = lab();
    lab.accept();
    lab.sent();
    let sent = lab.pass(limits::KEEP_ALIVE * 3 + Duration::from_secs(1));
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|packet| packet.header.kind == Kind::State));
}

#[test]
fn a_probe_of_the_mtu_costs_a_packet_no_more_than_its_padding() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, &[7; 200_000]).unwrap();
    let sent = lab.sent();
    let probes: Vec<&Sent> = sent
        .iter()
        .filter(|packet| packet.len > limits::BASE_DATAGRAM)
        .collect();
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0].len, limits::DEFAULT_MAX_DATAGRAM);
    assert_eq!(probes[0].payload.len(), limits::BASE_DATAGRAM - 20);
    // It arrives, and packets that are written from now on are longer.
    lab.now += Duration::from_millis(30);
    lab.ack = sent.last().unwrap().header.seq_nr;
    lab.send_ack();
    let stats = lab.endpoint.stats(key).unwrap();
    assert_eq!(stats.datagram_len, limits::DEFAULT_MAX_DATAGRAM);
}

#[test]
fn keys_of_ended_connections_mean_nothing() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.close(lab.now, key);
    assert_eq!(lab.endpoint.write(key, b"x"), Err(StreamError::Unknown));
    lab.pass(limits::LINGER * 2);
    assert_eq!(lab.endpoint.connections(), 0);
    let other = lab.endpoint.connect(lab.now, lab.peer).unwrap();
    assert_ne!(key, other);
    assert_eq!(lab.endpoint.write(key, b"x"), Err(StreamError::Unknown));
}

#[test]
fn after_silence_the_first_and_the_last_packet_are_repeated_before_the_timeout() {
    let mut lab = lab();
    let key = lab.accept();
    lab.endpoint.write(key, b"a round trip to measure").unwrap();
    lab.ack = lab.sent()[0].header.seq_nr;
    lab.now += Duration::from_millis(30);
    lab.send_ack();
    lab.endpoint.write(key, &[7; 6_000]).unwrap();
    let numbers = |sent: &[Sent]| -> Vec<u16> {
        let data = sent.iter().filter(|packet| !packet.payload.is_empty());
        data.map(|packet| packet.header.seq_nr).collect()
    };
    let all = numbers(&lab.sent());
    assert_eq!(all.len(), 5);
    let repeated = numbers(&lab.pass(limits::MIN_RTO - Duration::from_millis(100)));
    assert_eq!(repeated, [all[0], all[4]]);
    // Only the first one arrives: what was sent before it and is still missing is lost.
    lab.ack = all[0];
    lab.send_ack();
    assert_eq!(numbers(&lab.sent()), all[1..4]);
    assert_eq!(lab.endpoint.stats(key).unwrap().timeouts, 0);
}
