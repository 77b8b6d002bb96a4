//! The flags of `tailwater sim utp`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};
use tailwater_utp::Congestion;
use tailwater_utp::sim::Flow;

use super::sim::share;

/// The longest simulation, in seconds.
const MAX_SECONDS: u32 = 3_600;

/// Simulate uTP connections that share a link, and report what each gets, how long the queue is and what is sent again.
///
/// Every connection is one of those that sessions make, and sends as much as its congestion control lets it. The same
/// flags give the same report, byte for byte. A minute at 100 Mbit/s takes about a second.
#[derive(Debug, Args)]
#[command(after_help = "\
Congestion controls:
  ledbat     RFC 6817, what sessions use: keeps the queue below 100 ms, and yields to others
  cubic      RFC 9438, as TCP: fills the queue until packets get lost
  ledbat++   draft-irtf-iccrg-ledbat-plus-plus: slows down now and then, so that latecomers are fair

Examples:
  tailwater sim utp                                one connection, 100 Mbit/s, 40 ms
  tailwater sim utp --rtt 100 --loss 1% --chart link.svg
  tailwater sim utp --flow cubic --flow ledbat@20  what a TCP-like transfer keeps when uTP joins it
  tailwater sim utp --flow ledbat --flow ledbat@20 --flow cubic@30-60 --seconds 90
  tailwater sim utp --drift 200 --seconds 600 --json | jq '.flows[0].mbit'")]
pub(crate) struct SimUtp {
    /// A connection: its congestion control, and when it begins and ends, in seconds. Repeat it for more.
    #[arg(
        long,
        value_name = "CONTROL[@START[-END]]",
        default_value = "ledbat",
        value_parser = flow
    )]
    pub(crate) flow: Vec<Flow>,
    /// The rate of the link, in Mbit/s.
    #[arg(long, allow_negative_numbers = true, value_name = "MBIT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
    /// The round trip without a queue, in milliseconds.
    #[arg(long, allow_negative_numbers = true, value_name = "MS", default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) rtt: u32,
    /// The queue before the link, in KiB; what finds it full is dropped.
    #[arg(long, allow_negative_numbers = true, value_name = "KIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..=1_048_576))]
    pub(crate) queue: u32,
    /// The share of the datagrams that get lost besides, each way: from 0 (none) to 1 (all), or in percent: 0.01 or 1%.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) loss: f64,
    /// The share of the datagrams that are overtaken by others.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) reorder: f64,
    /// The share of the datagrams that arrive twice.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) duplicate: f64,
    /// How much longer a datagram may take, in milliseconds.
    #[arg(long, allow_negative_numbers = true, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) jitter: u32,
    /// How much faster the receiver's clock is, in millionths: from -10000 to 10000.
    #[arg(long, allow_negative_numbers = true, value_name = "PPM", default_value_t = 0, value_parser = clap::value_parser!(i32).range(-10_000..=10_000))]
    pub(crate) drift: i32,
    /// Simulated seconds.
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SECONDS)))]
    pub(crate) seconds: u32,
    /// All that is random comes from it.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "NUMBER",
        default_value_t = 1
    )]
    pub(crate) seed: u64,
    /// Draw windows, delays and rates over time, as SVG; the file is written at the end.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) chart: Option<PathBuf>,
    /// Replace the file of `--chart` if there is one.
    #[arg(long, requires = "chart")]
    pub(crate) force: bool,
}

/// A text that is not a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseFlowError {
    #[error("the congestion control is not ledbat, cubic or ledbat++")]
    Control,
    #[error(
        "the times are not seconds up to {MAX_SECONDS}, a later one behind an earlier one, such as ledbat@20 or cubic@20-40"
    )]
    Times,
}

fn flow(text: &str) -> Result<Flow, ParseFlowError> {
    let (control, times) = match text.split_once('@') {
        Some((control, times)) => (control, Some(times)),
        None => (text, None),
    };
    let flow = Flow::new(match control {
        "ledbat" => Congestion::Ledbat,
        "cubic" => Congestion::Cubic,
        "ledbat++" => Congestion::LedbatPlusPlus,
        _ => return Err(ParseFlowError::Control),
    });
    let Some(times) = times else {
        return Ok(flow);
    };
    let Some((start, end)) = times.split_once('-') else {
        return Ok(flow.start(seconds(times)?));
    };
    let (start, end) = (seconds(start)?, seconds(end)?);
    if start >= end {
        return Err(ParseFlowError::Times);
    }
    Ok(flow.start(start).end(end))
}

fn seconds(text: &str) -> Result<Duration, ParseFlowError> {
    let seconds = f64::from_str(text).map_err(|_| ParseFlowError::Times)?;
    if !(0.0..=f64::from(MAX_SECONDS)).contains(&seconds) {
        return Err(ParseFlowError::Times);
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_a_control_and_its_times() {
        let secs = Duration::from_secs_f64;
        assert_eq!(flow("ledbat"), Ok(Flow::new(Congestion::Ledbat)));
        let late = Flow::new(Congestion::LedbatPlusPlus).start(secs(2.5));
        assert_eq!(flow("ledbat++@2.5"), Ok(late));
        let between = Flow::new(Congestion::Cubic)
            .start(secs(20.0))
            .end(secs(40.0));
        assert_eq!(flow("cubic@20-40"), Ok(between));
        for text in ["", "reno", "@1", "LEDBAT"] {
            assert_eq!(flow(text), Err(ParseFlowError::Control), "{text}");
        }
        for text in [
            "", "x", "-1", "5-", "40-20", "20-20", "4000", "nan", "1-2-3",
        ] {
            let text = format!("cubic@{text}");
            assert_eq!(flow(&text), Err(ParseFlowError::Times), "{text}");
        }
    }
}
