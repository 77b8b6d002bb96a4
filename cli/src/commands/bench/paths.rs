//! `tailwater bench bencode`, `picker`, `storage`, `dht` and `wire`: hot paths with a fixed input, in this process.
//!
//! They are those of the crate `tailwater-bench`, whose instructions CI counts. Beside some of them stands what is obvious to
//! write instead.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tailwater_bench::{Case, Topic};

use super::machine::About;
use super::report::{Measure, Report};
use super::{Output, Turns};
use crate::args::Measuring;
use crate::commands::Context;
use crate::error::CliError;

const TIME: Measure = Measure::new("time", "µs");

/// How long a case is measured in each round, at least, and how long it is prepared for that, at most.
const MEASURED: Duration = Duration::from_millis(200);
const PREPARED: Duration = Duration::from_secs(2);

pub(super) async fn run(context: &Context, topic: Topic, args: &Measuring) -> Result<(), CliError> {
    let output = Output::new(args)?;
    let mut report = Report::new(About::of(topic.name()));
    let all = tailwater_bench::cases().into_iter();
    let cases: Vec<Case> = all
        .chain(tailwater_bench::naive())
        .filter(|case| case.topic() == topic)
        .collect();
    let measuring = async {
        let names = cases.iter().map(Case::name).collect();
        let mut turns = Turns::new(context, args.rounds, names);
        while let Some(name) = turns.next() {
            let Some(&case) = cases.iter().find(|case| case.name() == name) else {
                continue;
            };
            let measuring = tokio::task::spawn_blocking(move || seconds(case));
            // A thread that panicked has printed its message.
            let seconds = measuring.await.map_err(|_| CliError::Reported)?;
            let each = seconds / f64::from(case.operations());
            report.add(&label(&case), TIME, each * 1e6);
        }
        for naive in tailwater_bench::naive() {
            let is_same = |case: &&Case| naive.name().strip_prefix("naive ") == Some(case.name());
            if let Some(case) = cases.iter().find(is_same) {
                report.compare_beside(&label(case), &label(&naive));
            }
        }
        Ok(())
    };
    context.interrupt.guard(measuring).await?;
    output.show(context, &report)
}

fn label(case: &Case) -> String {
    format!("{}, {}", case.name(), case.operation())
}

/// The median time of a case.
fn seconds(case: Case) -> f64 {
    let began = Instant::now();
    let (mut times, mut measured) = (Vec::new(), Duration::ZERO);
    while measured < MEASURED && (times.len() < 3 || began.elapsed() < PREPARED) {
        let run = case.prepare();
        let from = Instant::now();
        let left = black_box(run());
        let time = from.elapsed();
        // What it worked with goes outside of the measurement.
        drop(left);
        measured += time;
        times.push(time);
    }
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}
