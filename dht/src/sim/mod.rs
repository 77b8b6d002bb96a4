//! Whole networks of nodes in simulated time: how well lookups find what was announced, at what cost, under churn, loss and
//! attack.
//!
//! ```
//! use tailwater_dht::sim::{SimConfig, run};
//!
//! let mut config = SimConfig::default();
//! config.nodes = 50;
//! config.minutes = 3;
//! config.lookups = 20;
//! let report = run(&config);
//! assert_eq!(report.lookups, 20);
//! assert!(report.found_percent > 95.0);
//! assert_eq!(report, run(&config), "the same seed gives the same report");
//! ```

mod config;
mod hostile;
mod measure;
mod plans;
mod report;
mod world;

pub use config::SimConfig;
pub use report::{Figures, Histogram, MAX_BINS, SimReport};
pub use world::{run, run_with};
