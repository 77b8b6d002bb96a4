//! Runs a simulation: endpoints, the network between them, what it does to datagrams.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_netsim::{Event as NetEvent, HostId, Link, Network};

use super::config::{Flow, SimConfig};
use super::report::{Figures, FlowReport, FlowSample, Phase, Sample, SimReport, fairness, rounded};
use crate::{Config, Congestion, ConnectionKey, Endpoint, Event, Stats};

/// The timer of a host's endpoint.
const WAKE: u64 = 0;
/// The timer of a sender's beginning,
const START: u64 = 1;
/// and of its end.
const END: u64 = 2;
/// Timers from here on are datagrams that are held back.
const HELD: u64 = 3;
/// Samples of a simulation.
const SAMPLES: u32 = 600;
/// What a sender writes at once.
const PAYLOAD: [u8; 16 * 1024] = [0x77; 16 * 1024];
/// A flow has filled the link when it has delivered
const FULL: f64 = 0.9;
/// of its rate for so long.
const FULL_FOR: Duration = Duration::from_millis(500);

/// Runs a simulation.
#[must_use]
pub fn run(config: &SimConfig) -> SimReport {
    run_with(config, |_| ())
}

/// Runs a simulation, and says now and then how much time has passed in it.
#[must_use]
pub fn run_with(config: &SimConfig, mut on_progress: impl FnMut(Duration)) -> SimReport {
    let mut world = World::new(config);
    let step = (config.duration / SAMPLES).max(Duration::from_millis(1));
    while world.network.elapsed() < config.duration {
        let next = world.network.elapsed().saturating_add(step);
        world.live(next.min(config.duration));
        world.sample();
        on_progress(world.network.elapsed());
    }
    world.report()
}

/// A sender, or the receiver.
struct Peer {
    host: HostId,
    endpoint: Endpoint,
    /// Held back are datagrams until then, so that jitter does not reorder.
    in_order: Duration,
    drift_ppm: i32,
}

struct Sending {
    flow: Flow,
    key: Option<ConnectionKey>,
    /// The last ones that were seen.
    stats: Stats,
    /// Bytes that had been delivered at each sample, before it the time.
    delivered: Vec<(Duration, u64)>,
}

struct World<'a> {
    config: &'a SimConfig,
    start: Instant,
    network: Network,
    rng: fastrand::Rng,
    /// The senders, then the receiver.
    peers: Vec<Peer>,
    sending: Vec<Sending>,
    held: HashMap<u64, (SocketAddr, Vec<u8>)>,
    next_held: u64,
    samples: Vec<Sample>,
}

fn addr(number: usize) -> SocketAddr {
    let last = u8::try_from(number + 1).unwrap_or(u8::MAX);
    SocketAddr::from(([10, 0, 0, last], 6881))
}

impl<'a> World<'a> {
    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do as the beginning"
    )]
    fn new(config: &'a SimConfig) -> Self {
        let start = Instant::now();
        let mut world = Self {
            config,
            start,
            network: Network::new(config.seed, start),
            rng: fastrand::Rng::with_seed(config.seed.wrapping_add(1)),
            peers: Vec::new(),
            sending: Vec::new(),
            held: HashMap::new(),
            next_held: HELD,
            samples: Vec::new(),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped"
        )]
        let loss = (config.loss.clamp(0.0, 1.0) * 1e6) as u32;
        let near = Link::new(config.rtt / 4).with_loss_per_million(loss);
        for flow in config.flows.iter().take(SimConfig::MAX_FLOWS) {
            let peer = world.add(near, flow.congestion, 0);
            world.sending.push(Sending {
                flow: *flow,
                key: None,
                stats: Stats::default(),
                delivered: Vec::new(),
            });
            let host = world.peers[peer].host;
            world.network.set_timer(host, start + flow.start, START);
            if let Some(end) = flow.end {
                world.network.set_timer(host, start + end, END);
            }
        }
        let far = near.with_down(config.rate).with_queue(config.queue);
        world.add(far, Congestion::default(), config.drift_ppm);
        world
    }

    fn add(&mut self, link: Link, congestion: Congestion, drift_ppm: i32) -> usize {
        let number = self.peers.len();
        let host = self.network.add_host(addr(number), link);
        let config = Config::new(self.rng.u64(..)).congestion(congestion);
        let buffer = self.config.receive_buffer;
        let config = config.clone().receive_buffer(buffer).unwrap_or(config);
        self.peers.push(Peer {
            host,
            endpoint: Endpoint::new(config, self.start),
            in_order: Duration::ZERO,
            drift_ppm,
        });
        number
    }

    /// The time by a peer's own clock.
    fn local(&self, peer: usize, elapsed: Duration) -> Instant {
        let nanos = i128::try_from(elapsed.as_nanos()).unwrap_or_default();
        let local = nanos + nanos * i128::from(self.peers[peer].drift_ppm) / 1_000_000;
        self.start + Duration::from_nanos(u64::try_from(local).unwrap_or_default())
    }

    /// The time of the network when a peer's own clock shows `at`, or just after it.
    fn global(&self, peer: usize, at: Instant) -> Instant {
        let nanos = at.saturating_duration_since(self.start).as_nanos();
        let nanos = i128::try_from(nanos).unwrap_or_default();
        let rate = 1_000_000 + i128::from(self.peers[peer].drift_ppm);
        let global = nanos * 1_000_000 / rate.max(1) + 1_000;
        self.start + Duration::from_nanos(u64::try_from(global).unwrap_or_default())
    }

    fn now(&self, peer: usize) -> Instant {
        self.local(peer, self.network.elapsed())
    }

    fn live(&mut self, until: Duration) {
        while let Some((_, event)) = self.network.next_event_until(self.start + until) {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: NetEvent) {
        let peer = event.host().as_usize();
        match event {
            NetEvent::Datagram { from, bytes, .. } => {
                self.arrive(peer, from, bytes);
                return;
            }
            NetEvent::Timer { token: START, .. } => self.begin(peer),
            NetEvent::Timer { token: END, .. } => self.end(peer),
            NetEvent::Timer { token: WAKE, .. } => {
                let now = self.now(peer);
                self.peers[peer].endpoint.handle_timeout(now);
            }
            NetEvent::Timer { token, .. } => {
                if let Some((from, bytes)) = self.held.remove(&token) {
                    self.deliver(peer, from, &bytes);
                }
            }
            _ => return,
        }
        self.serve(peer);
    }

    fn begin(&mut self, peer: usize) {
        let receiver = addr(self.peers.len() - 1);
        let now = self.now(peer);
        if let Ok(key) = self.peers[peer].endpoint.connect(now, receiver) {
            self.sending[peer].key = Some(key);
        }
    }

    fn end(&mut self, peer: usize) {
        self.observe(peer);
        let now = self.now(peer);
        if let Some(key) = self.sending[peer].key.take() {
            self.peers[peer].endpoint.close(now, key);
        }
    }

    /// A datagram arrives, now or later, once or twice.
    fn arrive(&mut self, peer: usize, from: SocketAddr, bytes: Vec<u8>) {
        if self.rng.f64() < self.config.duplicate {
            self.hold(peer, from, bytes.clone());
        }
        self.hold(peer, from, bytes);
    }

    fn hold(&mut self, peer: usize, from: SocketAddr, bytes: Vec<u8>) {
        let now = self.network.elapsed();
        let jitter = self.random(self.config.jitter);
        let mut at = now + jitter;
        if self.rng.f64() < self.config.reorder {
            at += self.random(self.config.rtt / 4);
        } else {
            at = at.max(self.peers[peer].in_order);
            self.peers[peer].in_order = at;
        }
        if at <= now {
            self.deliver(peer, from, &bytes);
            self.serve(peer);
            return;
        }
        self.held.insert(self.next_held, (from, bytes));
        let host = self.peers[peer].host;
        let at = self.start + at;
        self.network.set_timer(host, at, self.next_held);
        self.next_held += 1;
    }

    fn random(&mut self, below: Duration) -> Duration {
        let nanos = u64::try_from(below.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.u64(0..=nanos))
    }

    fn deliver(&mut self, peer: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now(peer);
        let endpoint = &mut self.peers[peer].endpoint;
        endpoint.handle_datagram(now, from, bytes);
    }

    /// Events of a peer, then its datagrams and its timer.
    fn serve(&mut self, peer: usize) {
        let now = self.now(peer);
        let Peer { endpoint, host, .. } = &mut self.peers[peer];
        while let Some(event) = endpoint.poll_event() {
            match event {
                Event::Accepted { key, .. } | Event::Readable { key } => read(endpoint, key),
                Event::Connected { key } | Event::Writable { key } => {
                    while endpoint.write(key, &PAYLOAD).is_ok() {}
                }
                Event::Closed { key, .. } => endpoint.close(now, key),
            }
        }
        while let Some(transmit) = endpoint.poll_transmit(now) {
            for datagram in transmit.datagrams() {
                let to = transmit.destination;
                self.network.send_datagram(*host, to, datagram.to_vec());
            }
        }
        let host = *host;
        match self.peers[peer].endpoint.poll_timeout() {
            Some(at) => {
                let at = self.global(peer, at);
                self.network.set_timer(host, at, WAKE);
            }
            None => self.network.cancel_timer(host, WAKE),
        }
    }

    /// Takes over the counters of a flow.
    fn observe(&mut self, peer: usize) -> FlowSample {
        let sending = &mut self.sending[peer];
        let endpoint = &self.peers[peer].endpoint;
        let stats = sending.key.and_then(|key| endpoint.stats(key));
        let Some(stats) = stats else {
            return FlowSample::default();
        };
        let before = sending.stats.bytes_acknowledged;
        sending.stats = stats;
        let now = self.network.elapsed();
        let last = sending
            .delivered
            .last()
            .map_or(Duration::ZERO, |last| last.0);
        let delivered = stats.bytes_acknowledged;
        sending.delivered.push((now, delivered));
        FlowSample {
            window: stats.congestion_window,
            delay_ms: rounded(millis(stats.queuing_delay)),
            mbit: rounded(mbit(delivered - before, now.saturating_sub(last))),
        }
    }

    fn sample(&mut self) {
        let flows = (0..self.sending.len())
            .map(|peer| self.observe(peer))
            .collect();
        let receiver = self.peers.last().map(|peer| peer.host);
        let queue = receiver.map(|host| self.network.wait_down(host));
        self.samples.push(Sample {
            ms: u64::try_from(self.network.elapsed().as_millis()).unwrap_or(u64::MAX),
            queue_ms: rounded(millis(queue.unwrap_or_default())),
            flows,
        });
    }

    fn report(self) -> SimReport {
        SimReport {
            seed: self.config.seed,
            seconds: self.config.duration.as_secs_f64(),
            rate_mbit: self.rate_mbit(),
            rtt_ms: millis(self.config.rtt),
            flows: self
                .sending
                .iter()
                .enumerate()
                .map(|flow| self.flow(flow))
                .collect(),
            phases: self.phases(),
            digest: format!("{:016x}", self.network.digest()),
            samples: self.samples,
        }
    }

    fn rate_mbit(&self) -> f64 {
        self.config.rate as f64 * 8.0 / 1e6
    }

    fn end_of(&self, flow: &Flow) -> Duration {
        flow.end.unwrap_or(Duration::MAX).min(self.config.duration)
    }

    fn flow(&self, (peer, sending): (usize, &Sending)) -> FlowReport {
        let Sending { flow, stats, .. } = sending;
        let end = self.end_of(flow);
        let of_flow = self
            .samples
            .iter()
            .filter_map(|sample| sample.flows.get(peer));
        let delays = of_flow.filter(|sample| sample.window > 0);
        let lasted = end.saturating_sub(flow.start);
        let full = sending.full_after(self.rate_mbit() * FULL);
        FlowReport {
            congestion: name(flow.congestion).to_owned(),
            start_s: flow.start.as_secs_f64(),
            end_s: end.as_secs_f64(),
            mbit: rounded(mbit(stats.bytes_acknowledged, lasted)),
            full_after_ms: full.and_then(|after| u64::try_from(after.as_millis()).ok()),
            delay_ms: Figures::of(delays.map(|sample| sample.delay_ms).collect()),
            packets_sent: stats.packets_sent,
            packets_resent: stats.packets_resent,
            timeouts: stats.timeouts,
        }
    }

    fn phases(&self) -> Vec<Phase> {
        let flows = || self.sending.iter().map(|sending| sending.flow);
        let ends = flows().map(|flow| self.end_of(&flow));
        let moments = flows().map(|flow| flow.start).chain(ends);
        let moments = moments.chain([self.config.duration]);
        let mut moments: Vec<Duration> = moments.collect();
        moments.retain(|moment| *moment <= self.config.duration);
        moments.sort_unstable();
        moments.dedup();
        let phases = moments.windows(2).map(|pair| self.phase(pair[0], pair[1]));
        phases.collect()
    }

    fn phase(&self, start: Duration, end: Duration) -> Phase {
        let rates = self.sending.iter();
        let rates = rates.map(|sending| (sending.flow, sending.rate(start, end)));
        let rates: Vec<(Flow, f64)> = rates.collect();
        let there = rates
            .iter()
            .filter(|(flow, _)| flow.start <= start && self.end_of(flow) >= end);
        let shares: Vec<f64> = there.map(|(_, rate)| *rate).collect();
        let all = rates.iter().map(|(_, rate)| rate).sum::<f64>();
        let during = self.samples.iter().filter(|sample| {
            let at = Duration::from_millis(sample.ms);
            at > start && at <= end
        });
        Phase {
            start_s: start.as_secs_f64(),
            end_s: end.as_secs_f64(),
            mbit: rates.iter().map(|(_, rate)| rounded(*rate)).collect(),
            used_percent: match self.config.rate {
                0 => 0.0,
                _ => rounded(all / self.rate_mbit() * 100.0),
            },
            fairness: fairness(&shares),
            queue_ms: Figures::of(during.map(|sample| sample.queue_ms).collect()),
        }
    }
}

impl Sending {
    /// Bytes that were delivered by then.
    fn delivered_by(&self, at: Duration) -> u64 {
        let count = self.delivered.partition_point(|(when, _)| *when <= at);
        let last = count
            .checked_sub(1)
            .and_then(|last| self.delivered.get(last));
        last.map_or(0, |(_, bytes)| *bytes)
    }

    /// Mbit/s from `start` to `end`.
    fn rate(&self, start: Duration, end: Duration) -> f64 {
        let bytes = self.delivered_by(end) - self.delivered_by(start);
        mbit(bytes, end.saturating_sub(start))
    }

    fn full_after(&self, rate: f64) -> Option<Duration> {
        let mut times = self.delivered.iter().map(|(at, _)| *at);
        let is_full = |at: &Duration| {
            let from = at
                .checked_sub(FULL_FOR)
                .filter(|from| *from >= self.flow.start);
            rate > 0.0 && from.is_some_and(|from| self.rate(from, *at) >= rate)
        };
        let at = times.find(is_full)?;
        Some(at.saturating_sub(self.flow.start))
    }
}

/// Reads all that has arrived, and forgets it.
fn read(endpoint: &mut Endpoint, key: ConnectionKey) {
    let mut buf = [0; 16 * 1024];
    while endpoint.read(key, &mut buf).is_ok_and(|len| len > 0) {}
}

/// The name of a controller, as the command line takes it.
const fn name(congestion: Congestion) -> &'static str {
    match congestion {
        Congestion::Ledbat => "ledbat",
        Congestion::Cubic => "cubic",
        Congestion::LedbatPlusPlus => "ledbat++",
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mbit(bytes: u64, during: Duration) -> f64 {
    if during.is_zero() {
        return 0.0;
    }
    bytes as f64 * 8.0 / 1e6 / during.as_secs_f64()
}
