//! `tailwater completions`

use clap::CommandFactory;
use clap_complete::generate;
use std::io::{self, Write};

use crate::args::{Args, Completions};
use crate::error::CliError;

pub(super) fn run(args: &Completions) -> Result<(), CliError> {
    // The generator panics on a writer that fails, as a closed pipe does.
    let mut script = Vec::new();
    generate(args.shell, &mut Args::command(), "tailwater", &mut script);
    let mut out = io::stdout().lock();
    CliError::output(out.write_all(&script).and_then(|()| out.flush()))
}
