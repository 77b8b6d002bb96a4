//! Attacks on the release binary: measures resident memory, the wait for Ctrl-C, and honest transfers during each
//! attack.
//!
//! ```text
//! cargo bench -p tailwater --bench hostile -- [--json] [--list] [--only NAME]... [--binary PATH]
//! ```
//!
//! Everything runs on addresses of 127.0.0.0/8, bounded in time and count; the process under attack is killed when it has more
//! than 2 GiB. The exit code is 1 when a target is missed.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the measurement")]

mod bed;
mod cases;
mod connections;
mod downloads;
mod figures;
mod floods;
mod honest;
mod http;
mod player;
mod strangers;
mod streams;
#[expect(dead_code, reason = "the stream bench uses the rest of it")]
#[path = "../stream/figures.rs"]
mod targets;
mod uploads;
mod victim;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::bed::Bed;
use crate::figures::Figures;

/// Attacks the release binary and says what that cost.
#[derive(Parser)]
struct Args {
    /// Prints a line of JSON for each case.
    #[arg(long)]
    json: bool,
    /// Names the cases.
    #[arg(long)]
    list: bool,
    /// Runs the cases whose name holds this; may be given again.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The binary to attack. Default: the one that was just built.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_tailwater"))]
    binary: PathBuf,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let wanted =
        |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.contains(only));
    let cases: Vec<_> = cases::all()
        .into_iter()
        .filter(|case| wanted(&case.name))
        .collect();
    if args.list {
        for case in &cases {
            println!("{:<44} {}", case.name, case.about);
        }
        return ExitCode::SUCCESS;
    }
    if !args.bench {
        println!("nothing is measured: this runs by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let bed = Bed::new(args.binary);
    let mut missed = Vec::new();
    println!("{}", Figures::HEAD);
    for case in &cases {
        let mut figures = (case.run)(&bed);
        figures.case.clone_from(&case.name);
        println!("{figures}");
        if args.json {
            println!("{}", serde_json::to_string(&figures).unwrap());
        }
        if figures.is_missed() {
            missed.push(case.name.clone());
        }
    }
    match missed.is_empty() {
        true => ExitCode::SUCCESS,
        false => {
            println!(
                "missed {} of {}: {}",
                missed.len(),
                cases.len(),
                missed.join(" ")
            );
            ExitCode::FAILURE
        }
    }
}
