//! Whole networks, small enough for a debug build.
#![cfg(feature = "sim")]

use tailwater_dht::sim::{SimConfig, SimReport, run};

fn small() -> SimConfig {
    let mut config = SimConfig::default();
    config.nodes = 300;
    config.minutes = 20;
    config.torrents = 20;
    config.lookups = 100;
    config
}

fn check(report: &SimReport) {
    println!("{report:?}");
    // Some of those who ask leave before they know.
    assert!(report.lookups >= 95 && report.announces >= 18);
    assert!(report.found_percent >= 99.0, "{}", report.found_percent);
    assert!(report.closest_percent >= 95.0, "{}", report.closest_percent);
    assert!(report.checked_nodes >= 250);
    assert!(report.memory_bytes.max < 128 * 1024);
}

#[test]
fn lookups_find_what_was_announced_under_churn_and_loss() {
    let report = run(&small());
    check(&report);
    assert!(report.hops.p99 <= 5 && report.messages.median <= 30);
}

#[test]
fn hostile_nodes_cannot_hide_a_torrent() {
    let mut config = small();
    (config.malicious, config.minutes) = (0.05, 10);
    let report = run(&config);
    check(&report);
    assert_eq!(report.malicious_nodes, 15);
}

#[test]
fn the_same_seed_gives_the_same_report_byte_for_byte_and_another_does_not() {
    let mut config = small();
    (config.nodes, config.minutes, config.malicious) = (50, 5, 0.1);
    let report = |config| serde_json::to_string(&run(config)).expect("numbers and a string");
    let one = report(&config);
    assert_eq!(report(&config), one);
    config.seed = 2;
    assert_ne!(run(&config).digest, run(&small_again(&config)).digest);
}

fn small_again(config: &SimConfig) -> SimConfig {
    let mut config = config.clone();
    config.seed = 1;
    config
}
