//! The flags of `tailwater sim`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::sim_utp::SimUtp;

/// The longest delay of a datagram that is simulated, in milliseconds.
const MAX_DELAY_MS: u64 = 10_000;

/// Simulate whole networks, in time of their own.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  tailwater sim dht --nodes 1000 --seed 1
  tailwater sim utp --rtt 100 --loss 0.1% --chart link.svg"
)]
pub(crate) struct Sim {
    #[command(subcommand)]
    pub(crate) command: SimCommand,
}

/// What there is to simulate.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    Dht(SimDht),
    Utp(SimUtp),
}

/// Simulate a DHT with churn, loss, delay and hostile nodes, and report how well lookups do.
///
/// Every node is the one that `tailwater dht node` runs. The same flags give the same report, byte for byte. 10 000
/// nodes for half an hour take a minute and 400 MB.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater sim dht                                1000 nodes for 30 minutes
  tailwater sim dht --nodes 10000 --seed 7 --chart lookups.svg
  tailwater sim dht --malicious 0.05 --churn 0.5 --json | jq .found_percent
  tailwater sim dht --nodes 200 --minutes 10 --loss 0.1 --delay 5-500")]
pub(crate) struct SimDht {
    /// Nodes at a time.
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) nodes: u32,
    /// All that is random comes from it.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "NUMBER",
        default_value_t = 1
    )]
    pub(crate) seed: u64,
    /// Simulated minutes. All nodes join in the first tenth; lookups are made in the second half.
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_080))]
    pub(crate) minutes: u32,
    /// The share of the nodes that leave within an hour without a word, each replaced by a new one: from 0 to 100, where 1
    /// (or 100%) is all of them once and 2 all of them twice.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", default_value = "0.2", value_parser = churn)]
    pub(crate) churn: f64,
    /// The share of nodes that lie to hide what is announced: from 0 (none) to 1 (all but the ten with which
    /// the others begin), or in percent: 0.05 or 5%.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) malicious: f64,
    /// The share of the datagrams that get lost: from 0 (none) to 1 (all of them), or in percent: 0.01 or 1%.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    pub(crate) loss: f64,
    /// The shortest and the longest time that a datagram takes, in milliseconds.
    #[arg(long, value_name = "MIN-MAX", default_value = "20-200")]
    pub(crate) delay: Delay,
    /// Torrents, each announced by one node.
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) torrents: u32,
    /// Lookups of those.
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) lookups: u32,
    /// Draw how many hops and how much time the lookups took, as SVG; the file is written at the end.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) chart: Option<PathBuf>,
    /// Replace the file of `--chart` if there is one.
    #[arg(long, requires = "chart")]
    pub(crate) force: bool,
}

/// The shortest and the longest delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
}

/// A text that is not a range of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not two numbers of milliseconds up to {MAX_DELAY_MS}, such as 20-200")]
pub(crate) struct ParseDelayError;

impl FromStr for Delay {
    type Err = ParseDelayError;

    fn from_str(text: &str) -> Result<Self, ParseDelayError> {
        let (shortest, longest) = text.split_once('-').unwrap_or((text, text));
        let parse = |text: &str| text.parse::<u64>().map_err(|_| ParseDelayError);
        let (shortest, longest) = (parse(shortest)?, parse(longest)?);
        if shortest > longest || longest > MAX_DELAY_MS {
            return Err(ParseDelayError);
        }
        Ok(Self {
            shortest: Duration::from_millis(shortest),
            longest: Duration::from_millis(longest),
        })
    }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    parse_share(text)
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| {
            "not a share from 0 (none) to 1 (all), such as 0.05, or from 0% to 100%".to_owned()
        })
}

/// A number, or percents of one.
fn parse_share(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        Some(percent) => Some(percent.trim().parse::<f64>().ok()? / 100.0),
        None => text.parse().ok(),
    }
}

/// Nodes may stay less than an hour.
fn churn(text: &str) -> Result<f64, String> {
    parse_share(text)
        .filter(|share| (0.0..=100.0).contains(share))
        .ok_or_else(|| {
            "not a share from 0 (none) to 100 (all, a hundred times), such as 0.2".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_one_number_or_two() {
        let delay = |text: &str| {
            let delay: Delay = text.parse()?;
            Ok((delay.shortest.as_millis(), delay.longest.as_millis()))
        };
        assert_eq!(delay("20-200"), Ok((20, 200)));
        assert_eq!(delay("0"), Ok((0, 0)));
        for text in ["", "-", "5-", "200-20", "20ms", "1-99999", "+1-2-3"] {
            assert_eq!(delay(text), Err(ParseDelayError), "{text}");
        }
    }

    #[test]
    fn shares_are_numbers_that_mean_something() {
        assert_eq!(share("0.05"), Ok(0.05));
        assert_eq!(churn("2.5"), Ok(2.5));
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!((share("1"), share("100%")), (Ok(1.0), Ok(1.0)));
        for text in ["", "-0.1", "1.1", "nan", "inf", "101%", "%", "-1%"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert!(churn("nan").is_err() && churn("1e9").is_err());
    }
}
