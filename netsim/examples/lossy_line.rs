//! Sends datagrams over a line that loses some, and shows that one seed gives one outcome.

use std::error::Error;
use std::time::{Duration, Instant};

use tailwater_netsim::{Event, Link, Network};

#[expect(clippy::disallowed_methods, reason = "any time will do to begin with")]
/// How many of a hundred datagrams arrive, and the fingerprint of the run.
fn run(seed: u64) -> Result<(usize, u64), Box<dyn Error>> {
    let mut net = Network::new(seed, Instant::now());
    let link = Link::new(Duration::from_millis(20)).with_loss_per_million(100_000);
    let sender = net.add_host("10.0.0.1:6881".parse()?, link);
    let receiver = net.add_host("10.0.0.2:6881".parse()?, link);
    for number in 0..100_u8 {
        net.send_datagram(sender, net.addr(receiver), vec![number]);
    }
    let mut arrived = 0;
    while let Some((_, event)) = net.next_event() {
        if matches!(event, Event::Datagram { .. }) {
            arrived += 1;
        }
    }
    Ok((arrived, net.digest()))
}

fn main() -> Result<(), Box<dyn Error>> {
    for seed in [1, 1, 2] {
        let (arrived, digest) = run(seed)?;
        println!("seed {seed}: {arrived} of 100 datagrams, digest {digest:016x}");
    }
    Ok(())
}
