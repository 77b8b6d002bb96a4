//! What `-v` shows: what the crates log, on standard error.

use tracing_subscriber::filter::EnvFilter;

use crate::progress::Progress;

/// Without `-v` only warnings; `RUST_LOG` overrules it.
pub(crate) fn install(verbose: u8, progress: &Progress) {
    let ours = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    // Other people's crates have less to say to a user.
    let default = match verbose {
        0..3 => format!(
            "warn,tailwater={ours},tailwater_session={ours},tailwater_tracker={ours},tailwater_storage_mem={ours}"
        ),
        _ => "trace".to_owned(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let progress = progress.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(verbose > 1)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(move || progress.clone())
        .init();
}
