//! `tailwater top`
//!
//! Keys and what the daemon says change the [`model::Model`] (`update`); what is seen is a function of it and of the size of the
//! terminal (`view`); the daemon is asked in tasks of their own (`client`). Nothing but this file and `terminal` touches the
//! terminal.

mod client;
mod model;
mod own;
mod show;
mod terminal;
mod update;
mod view;

use std::env;
use std::io::{self, IsTerminal};

use serde_json::Value;
use tokio::sync::mpsc;

use super::Context;
use super::daemon_client::Api;
use crate::args::Top;
use crate::error::{CliError, DaemonFailure};
use client::Client;
use model::{Daemon, Model};
use own::Own;
use show::Show;
use terminal::Screen;
use view::theme::Theme;

/// Where a daemon is looked for if none is named.
const DEFAULT_DAEMON: &str = "http://127.0.0.1:7870";
/// The token of `tailwater ctl`, which is for the same daemon.
const CTL_TOKEN: &str = "TAILWATER_CTL_TOKEN";
/// Lines for standard error that wait to be shown.
const LINES_WAITING: usize = 16;

pub(super) async fn run(context: &Context, args: Top) -> Result<(), CliError> {
    check_terminal()?;
    let (api, own) = context.interrupt.guard(find(context, &args)).await?;
    let url = api.url();
    let name = url.strip_prefix("http://").unwrap_or(url).to_owned();
    let daemon = Daemon {
        name,
        is_own: own.is_some(),
        ..Daemon::default()
    };
    let outcome = present(context, &api, daemon).await;
    drop(api);
    if let Some(own) = own {
        own.close(context).await;
    }
    outcome
}

/// Screens need a terminal.
fn check_terminal() -> Result<(), CliError> {
    if !io::stdout().is_terminal() {
        return Err(DaemonFailure::NoTerminal("standard output is not a terminal").into());
    }
    if env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(DaemonFailure::NoTerminal("this terminal (TERM=dumb) has no screen").into());
    }
    Ok(())
}

/// The daemon that is named; else one that runs here; else one of our own.
async fn find(context: &Context, args: &Top) -> Result<(Api, Option<Own>), CliError> {
    let ctl_token = || env::var(CTL_TOKEN).ok().filter(|token| !token.is_empty());
    let token = args.token.clone().or_else(ctl_token);
    let at = |url: &str| Api::new(url, token.as_deref(), args.ca_cert.as_deref());
    if !args.own {
        let api = at(args.daemon.as_deref().unwrap_or(DEFAULT_DAEMON))?;
        match api.get::<Value>("/api/v1/stats").await {
            Ok(_) => return Ok((api, None)),
            Err(DaemonFailure::Unreachable { .. }) if args.daemon.is_none() => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    let own = Own::start(context, args).await?;
    let api = Api::new(&own.url(), None, None)?;
    Ok((api, Some(own)))
}

/// Shows the screens until the user has enough.
async fn present(context: &Context, api: &Api, daemon: Daemon) -> Result<(), CliError> {
    let failed = |source| CliError::System {
        operation: "use the terminal",
        source,
    };
    let has_colours = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let theme = Theme::new(has_colours);
    context.interrupt.before_quit(terminal::give_back);
    let mut screen = Screen::take().map_err(failed)?;
    let size = screen.terminal().size().map_err(failed)?;
    let (lines, said) = mpsc::channel(LINES_WAITING);
    // Nothing else is written where the screens are.
    let _held = context.progress.hold(lines);
    let show = Show {
        model: Model {
            daemon,
            size: (size.width, size.height),
            now: show::now(),
            ..Model::default()
        },
        theme,
        client: Client::start(api),
        events: terminal::events().map_err(failed)?,
        said,
    };
    let broken = screen.broken();
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.requested() => Err(CliError::Interrupted),
        // It was said with the panic.
        () = broken.notified() => Err(CliError::Reported),
        outcome = show.run(screen.terminal()) => outcome.map_err(failed),
    };
    drop(screen);
    outcome
}
