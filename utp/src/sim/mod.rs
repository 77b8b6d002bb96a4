//! Flows that share a bottleneck, in simulated time: what each gets, how long the queue is, what is sent again, under
//! loss, reordering, duplication, jitter and clocks that drift.
//!
//! ```
//! use std::time::Duration;
//! use tailwater_utp::Congestion;
//! use tailwater_utp::sim::{Flow, SimConfig, run};
//!
//! let mut config = SimConfig::default();
//! config.rate = 1_250_000;
//! config.duration = Duration::from_secs(20);
//! config.flows = vec![
//!     Flow::new(Congestion::Cubic),
//!     Flow::new(Congestion::Ledbat).start(Duration::from_secs(8)),
//! ];
//! let report = run(&config);
//! // Cubic keeps what it had: Ledbat yields.
//! assert_eq!(report.phases.len(), 2);
//! assert!(report.phases[1].mbit[0] > 0.8 * report.phases[0].mbit[0]);
//! assert_eq!(report, run(&config), "the same seed gives the same report");
//! ```

mod config;
mod report;
mod world;

pub use config::{Flow, SimConfig};
pub use report::{Figures, FlowReport, FlowSample, Phase, Sample, SimReport};
pub use world::{run, run_with};
