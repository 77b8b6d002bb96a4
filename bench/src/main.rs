//! Runs one hot path once: `instructions` for valgrind to count (`scripts/check-instructions.py`).
//!
//! Time is noisy and machines differ; the number of instructions that a fixed input takes does not. Without an argument
//! it lists the cases.

use std::any::Any;
use std::process::ExitCode;

use tailwater_bench::{Run, cases};

/// The function whose instructions are counted. It must keep its name and must not be inlined.
#[inline(never)]
fn measured(run: Run) -> Box<dyn Any> {
    run()
}

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        for case in cases() {
            println!("{}", case.name());
        }
        return ExitCode::SUCCESS;
    };
    let Some(case) = cases().into_iter().find(|case| case.name() == name) else {
        eprintln!("error: there is no case {name:?}");
        return ExitCode::FAILURE;
    };
    drop(measured(case.prepare()));
    ExitCode::SUCCESS
}
