//! A large simulation: `cargo run --release --features sim --example sim -- NODES SEED CHURN MALICIOUS`.

use std::error::Error;

use tailwater_dht::sim::{SimConfig, run};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = SimConfig::default();
    let mut arguments = std::env::args().skip(1);
    if let Some(nodes) = arguments.next() {
        config.nodes = nodes.parse()?;
    }
    if let Some(seed) = arguments.next() {
        config.seed = seed.parse()?;
    }
    if let Some(churn) = arguments.next() {
        config.churn = churn.parse()?;
    }
    if let Some(malicious) = arguments.next() {
        config.malicious = malicious.parse()?;
    }
    println!("{}", serde_json::to_string_pretty(&run(&config))?);
    Ok(())
}
