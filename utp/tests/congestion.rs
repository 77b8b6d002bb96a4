//! How flows share a link, in simulated time.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod lab;

use std::time::Duration;

use lab::World;
use tailwater_netsim::Link;
use tailwater_utp::{Config, Congestion, ConnectionKey};

/// More than any flow sends here.
const ENDLESS: u64 = 1 << 40;

/// Several senders and one receiver, whose line is the bottleneck.
struct Bottleneck {
    world: World,
    flows: Vec<ConnectionKey>,
}

impl Bottleneck {
    fn new(mbit: u64, rtt: Duration, queue: usize, senders: &[Congestion]) -> Self {
        let mut world = World::new(5);
        let near = Link::new(rtt / 4);
        for (number, congestion) in senders.iter().enumerate() {
            let seed = u64::try_from(number).unwrap();
            world.add(Config::new(seed).congestion(*congestion), near);
        }
        let far = Link::new(rtt / 4)
            .with_down(mbit * 125_000)
            .with_queue(queue);
        world.add(Config::new(99), far);
        Self {
            world,
            flows: Vec::new(),
        }
    }

    fn start(&mut self, sender: usize) {
        assert_eq!(sender, self.flows.len());
        let receiver = self.world.peers.len() - 1;
        let key = self.world.connect(sender, receiver, ENDLESS);
        self.flows.push(key);
    }

    /// What each flow delivers in this time, in Mbit/s.
    fn run(&mut self, time: Duration) -> Vec<f64> {
        let bytes = |this: &Self| -> Vec<u64> {
            let flows = this.flows.iter().enumerate();
            let stats = flows.map(|(peer, key)| this.world.peers[peer].endpoint.stats(*key));
            stats
                .map(|stats| stats.unwrap().bytes_acknowledged)
                .collect()
        };
        let before = bytes(self);
        self.world.run_for(time);
        let after = bytes(self);
        let moved = before
            .iter()
            .zip(after)
            .map(|(before, after)| after - before);
        moved
            .map(|bytes| bytes as f64 * 8.0 / 1e6 / time.as_secs_f64())
            .collect()
    }

    fn queuing_delay(&self, sender: usize) -> Duration {
        let endpoint = &self.world.peers[sender].endpoint;
        endpoint.stats(self.flows[sender]).unwrap().queuing_delay
    }
}

const SECOND: Duration = Duration::from_secs(1);
const RTT: Duration = Duration::from_millis(40);

/// A queue of a quarter of a second at 10 Mbit/s: a home router's.
const DEEP: usize = 320 * 1024;

/// One of 40 ms.
const SHALLOW: usize = 50 * 1024;

#[test]
fn every_controller_fills_a_link_alone() {
    use Congestion::{Cubic, Ledbat, LedbatPlusPlus};
    for (congestion, least) in [(Ledbat, 9.2), (Cubic, 9.2), (LedbatPlusPlus, 7.5)] {
        for queue in [DEEP, SHALLOW] {
            let mut link = Bottleneck::new(10, RTT, queue, &[congestion]);
            link.start(0);
            link.run(SECOND * 3);
            let rates = link.run(SECOND * 10);
            assert!(rates[0] > least, "{congestion:?} {queue}: {rates:?}");
        }
    }
}

#[test]
fn ledbat_keeps_the_queue_below_its_target() {
    for queue in [DEEP, SHALLOW] {
        let mut link = Bottleneck::new(10, RTT, queue, &[Congestion::Ledbat]);
        link.start(0);
        link.run(SECOND * 10);
        for _ in 0..10 {
            link.run(SECOND);
            let delay = link.queuing_delay(0);
            assert!(delay <= Duration::from_millis(105), "{delay:?}");
        }
    }
}

#[test]
fn ledbat_yields_to_a_loss_based_flow() {
    for queue in [DEEP, SHALLOW] {
        let senders = [Congestion::Cubic, Congestion::Ledbat];
        let mut link = Bottleneck::new(10, RTT, queue, &senders);
        link.start(0);
        link.run(SECOND * 5);
        let alone = link.run(SECOND * 10)[0];
        link.start(1);
        link.run(SECOND * 10);
        let rates = link.run(SECOND * 20);
        assert!(rates[0] > alone * 0.85, "{queue}: {alone} {rates:?}");
    }
}

#[test]
fn two_ledbat_flows_that_begin_together_share() {
    let mut link = Bottleneck::new(10, RTT, DEEP, &[Congestion::Ledbat; 2]);
    link.start(0);
    link.start(1);
    link.run(SECOND * 10);
    let rates = link.run(SECOND * 10);
    assert!(rates.iter().sum::<f64>() > 9.2, "{rates:?}");
    assert!(rates.iter().all(|rate| *rate > 3.0), "{rates:?}");
}

#[test]
fn a_latecomer_of_ledbat_plus_plus_takes_no_more_than_its_share() {
    let mut link = Bottleneck::new(10, RTT, DEEP, &[Congestion::LedbatPlusPlus; 2]);
    link.start(0);
    link.run(SECOND * 20);
    link.start(1);
    link.run(SECOND * 30);
    let rates = link.run(SECOND * 40);
    assert!(rates.iter().all(|rate| *rate > 2.5), "{rates:?}");
}

#[test]
fn drift_of_the_clocks_does_not_stop_a_flow() {
    for drift in [-200, 200] {
        let mut link = Bottleneck::new(5, RTT, DEEP / 2, &[Congestion::Ledbat]);
        link.world.peers[0].drift_ppm = drift;
        link.start(0);
        link.run(SECOND * 40);
        let rates = link.run(SECOND * 40);
        assert!(rates[0] > 4.2, "{drift}: {rates:?}");
    }
}
