//! `tailwater ctl`

mod add;
mod change;
mod events;
mod labels;
mod show;
mod table;

use serde_json::Value;

use super::Context;
use super::daemon_client::{Api, Method};
use crate::args::{Ctl, CtlCommand};
use crate::error::{CliError, DaemonFailure};
use crate::out;

pub(super) async fn run(context: &Context, args: Ctl) -> Result<(), CliError> {
    let api = Api::new(&args.daemon, args.token.as_deref(), args.ca_cert.as_deref())?;
    let ctl = Remote { context, api };
    let work = ctl.perform(args.command);
    context.interrupt.guard(work).await
}

/// A daemon that is driven.
struct Remote<'a> {
    context: &'a Context,
    api: Api,
}

impl Remote<'_> {
    async fn perform(&self, command: CtlCommand) -> Result<(), CliError> {
        match command {
            CtlCommand::Add(args) => self.add(args).await,
            CtlCommand::Inspect(args) => self.inspect(args).await,
            CtlCommand::List(args) => self.list(&args).await,
            CtlCommand::Show(args) => self.show(&args.torrent).await,
            CtlCommand::Pause(args) => self.each(&args, "pause").await,
            CtlCommand::Resume(args) => self.each(&args, "resume").await,
            CtlCommand::Recheck(args) => self.each(&args, "recheck").await,
            CtlCommand::Reannounce(args) => self.each(&args, "reannounce").await,
            CtlCommand::Remove(args) => self.remove(&args).await,
            CtlCommand::Limit(args) => self.limit(&args).await,
            CtlCommand::Label(args) => self.label(&args).await,
            CtlCommand::Labels(args) => self.labels(&args).await,
            CtlCommand::Move(args) => self.move_to(&args).await,
            CtlCommand::Files(args) => self.files(&args).await,
            CtlCommand::Peers(args) => self.peers(&args).await,
            CtlCommand::Trackers(args) => self.trackers(&args.torrent).await,
            CtlCommand::Stats => self.stats().await,
            CtlCommand::Events(args) => self.events(&args).await,
        }
    }

    const fn is_json(&self) -> bool {
        self.context.common.json()
    }

    /// Prints an answer for programs: what the daemon said, on one line.
    fn print(answer: &Value) -> Result<(), CliError> {
        out::json(answer)
    }

    /// The info-hash of what the user calls a torrent.
    async fn resolve(&self, named: &str) -> Result<String, CliError> {
        Ok(pick(&self.all().await?, named)?)
    }

    /// All torrents, with what names them.
    async fn all(&self) -> Result<Vec<Value>, CliError> {
        /// As many as one answer has.
        const AT_ONCE: usize = 5_000;
        let mut torrents = Vec::new();
        loop {
            let offset = torrents.len();
            let path =
                format!("/api/v1/torrents?fields=id,number,name&limit={AT_ONCE}&offset={offset}");
            let page = self.api.call(Method::GET, &path, None).await?;
            let found = page["torrents"].as_array().cloned().unwrap_or_default();
            let is_last = found.len() < AT_ONCE;
            torrents.extend(found);
            if is_last {
                return Ok(torrents);
            }
        }
    }
}

/// The torrent that is meant: by its number, its info-hash, the beginning of that, or its name.
fn pick(torrents: &[Value], named: &str) -> Result<String, DaemonFailure> {
    /// Fewer digits are taken for a number.
    const MIN_PREFIX: usize = 4;
    let id = |torrent: &Value| torrent["id"].as_str().unwrap_or_default().to_owned();
    let named_lower = named.to_ascii_lowercase();
    let only = |found: Vec<&Value>| match found.as_slice() {
        [] => None,
        [one] => Some(Ok(id(one))),
        several => {
            let names = several.iter().map(|torrent| {
                let name = torrent["name"].as_str().unwrap_or_default();
                out::Harmless(name).to_string()
            });
            let names: Vec<_> = names.take(3).collect();
            Some(Err(DaemonFailure::Several(
                named.to_owned(),
                names.join(", "),
            )))
        }
    };
    let with = |is_meant: &dyn Fn(&Value) -> bool| {
        only(
            torrents
                .iter()
                .filter(|torrent| is_meant(torrent))
                .collect(),
        )
    };
    let number: Option<i64> = named.parse().ok();
    let by_number = || with(&|torrent| number.is_some() && torrent["number"].as_i64() == number);
    let by_name = || with(&|torrent| torrent["name"] == named);
    // The daemon knows a v2 torrent by the beginning of its hash, as peers do.
    let digits = match named.len() {
        64 => named_lower.get(..40).unwrap_or(&named_lower),
        _ => &named_lower,
    };
    let by_hash = || match named.len() >= MIN_PREFIX {
        true => with(&|torrent| id(torrent).starts_with(digits)),
        false => None,
    };
    let found = by_number().or_else(by_name).or_else(by_hash);
    found.unwrap_or_else(|| Err(DaemonFailure::NoTorrent(named.to_owned())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_torrent_is_named_in_four_ways() {
        let torrents = [
            json!({"id": "abcd01", "number": 1, "name": "one"}),
            json!({"id": "abcd02", "number": 12, "name": "two"}),
            json!({"id": "12ef03", "number": 3, "name": "one"}),
        ];
        let picked = |named| pick(&torrents, named);
        assert_eq!(picked("1").unwrap(), "abcd01");
        assert_eq!(picked("12").unwrap(), "abcd02");
        assert_eq!(picked("two").unwrap(), "abcd02");
        assert_eq!(picked("12EF").unwrap(), "12ef03");
        let v2 = format!("{:0<64}", "0123");
        let torrents = [json!({"id": &v2[..40], "number": 1, "name": "v2"})];
        assert_eq!(pick(&torrents, &v2).unwrap(), v2[..40]);
        assert!(matches!(picked("abcd"), Err(DaemonFailure::Several(..))));
        assert!(matches!(picked("one"), Err(DaemonFailure::Several(..))));
        for named in ["", "ab", "4", "three", "abcd03"] {
            assert!(
                matches!(picked(named), Err(DaemonFailure::NoTorrent(_))),
                "{named}"
            );
        }
    }
}
