//! What is shown: lists, and one torrent with its parts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tailwater_serve::size::Size;

use super::Remote;
use super::table::Table;
use crate::args::{CtlList, CtlPeers};
use crate::commands::daemon_client::{self, Method, encoded};
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::words::{duration, eta, rate};

/// How many torrents are listed with one request.
const AT_ONCE: usize = 1_000;

/// What a limit counts.
#[derive(Clone, Copy)]
enum Unit {
    Rate,
    Seconds,
    Number,
}

impl Unit {
    fn say(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Null) => "-".to_owned(),
            (_, Value::String(text)) => text.clone(),
            (Self::Rate, value) => value.as_u64().map_or_else(String::new, rate),
            (Self::Seconds, value) => {
                let seconds = value.as_u64().map(Duration::from_secs);
                seconds.map_or_else(String::new, duration)
            }
            (Self::Number, value) => value.to_string(),
        }
    }
}

/// The limits of a torrent or the daemon: as the API names them, and as they are shown.
const LIMITS: &[(&str, &str, Unit)] = &[
    ("download_limit", "down", Unit::Rate),
    ("upload_limit", "up", Unit::Rate),
    ("alternative_download_limit", "alternative down", Unit::Rate),
    ("alternative_upload_limit", "alternative up", Unit::Rate),
    ("alternative_mode", "alternative mode", Unit::Number),
    ("max_peers", "peers", Unit::Number),
    ("ratio_limit", "ratio", Unit::Number),
    ("idle_limit", "idle", Unit::Seconds),
    ("seeding_time_limit", "seeding time", Unit::Seconds),
    ("max_downloads", "downloads", Unit::Number),
    ("max_seeds", "seeds", Unit::Number),
];

impl Remote<'_> {
    pub(super) async fn list(&self, args: &CtlList) -> Result<(), CliError> {
        let mut query = String::new();
        let asked = [
            ("state", &args.state),
            ("label", &args.label),
            ("search", &args.search),
            ("sort", &args.sort),
        ];
        for (name, value) in asked {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        let mut table = Table::new(
            &[
                "#", "state", "done", "size", "down", "up", "ratio", "peers", "eta", "name",
            ],
            &[0, 2, 3, 4, 5, 6, 7, 8],
        );
        let mut offset = 0;
        loop {
            let path = format!("/api/v1/torrents?limit={AT_ONCE}&offset={offset}{query}");
            let page = self.api.call(Method::GET, &path, None).await?;
            let torrents = page["torrents"].as_array().cloned().unwrap_or_default();
            for torrent in &torrents {
                match self.is_json() {
                    true => Self::print(torrent)?,
                    false => table.row(row(torrent)),
                }
            }
            offset += torrents.len();
            if torrents.len() < AT_ONCE {
                break;
            }
        }
        match (self.is_json(), offset) {
            (true, _) => Ok(()),
            (false, 0) => out::line("no torrents"),
            (false, _) => table.print(),
        }
    }

    pub(super) async fn show(&self, named: &str) -> Result<(), CliError> {
        let id = self.resolve(named).await?;
        let path = format!("/api/v1/torrents/{id}");
        let torrent = self.api.call(Method::GET, &path, None).await?;
        if self.is_json() {
            return Self::print(&torrent);
        }
        let time = |name: &str| torrent[name].as_u64().map(ago);
        let size = |name: &str| Some(bytes(&torrent[name]));
        let limit = |name: &str| torrent[name].as_u64().map(rate);
        let lines = [
            ("name", text(&torrent["name"])),
            ("info-hash", text(&torrent["id"])),
            ("state", text(&torrent["state"])),
            ("error", text(&torrent["error"])),
            ("warning", text(&torrent["warning"])),
            (
                "labels",
                Some(labels(&torrent)).filter(|labels| !labels.is_empty()),
            ),
            ("folder", text(&torrent["folder"])),
            ("size", size("size")),
            ("done", Some(percent(&torrent["progress"]))),
            ("downloaded", size("downloaded")),
            ("uploaded", size("uploaded")),
            ("ratio", Some(ratio(&torrent["ratio"]))),
            ("download limit", limit("download_limit")),
            ("upload limit", limit("upload_limit")),
            ("when complete", text(&torrent["completed_folder"])),
            ("added", time("added")),
            ("completed", time("completed")),
            ("comment", text(&torrent["comment"])),
            ("magnet link", text(&torrent["magnet"])),
        ];
        for (name, value) in lines {
            if let Some(value) = value {
                out::line(format_args!("{name:<15} {}", Harmless(&value)))?;
            }
        }
        Ok(())
    }

    /// The limits of torrents, or of the daemon if none is named.
    pub(super) async fn show_limits(&self, named: &[String]) -> Result<(), CliError> {
        if named.is_empty() {
            let settings = self.api.call(Method::GET, "/api/v1/settings", None).await?;
            return self.print_limits(&settings);
        }
        for named in named {
            let path = format!("/api/v1/torrents/{}", self.resolve(named).await?);
            let torrent = self.api.call(Method::GET, &path, None).await?;
            if !self.is_json() {
                let name = text(&torrent["name"]).unwrap_or_default();
                out::line(format_args!("{}:", Harmless(&name)))?;
            }
            self.print_limits(&torrent)?;
        }
        Ok(())
    }

    fn print_limits(&self, of: &Value) -> Result<(), CliError> {
        let known = LIMITS.iter().filter(|(field, ..)| of.get(field).is_some());
        if self.is_json() {
            let limits = known.map(|(field, ..)| ((*field).to_owned(), of[field].clone()));
            return Self::print(&Value::Object(limits.collect()));
        }
        for (field, name, unit) in known {
            let value = unit.say(&of[field]);
            out::line(format_args!("{name:<18} {}", Harmless(&value)))?;
        }
        Ok(())
    }

    pub(super) async fn peers(&self, args: &CtlPeers) -> Result<(), CliError> {
        let named = &args.of.torrent;
        if !args.add.is_empty() {
            let id = self.resolve(named).await?;
            let path = format!("/api/v1/torrents/{id}/peers");
            let body = daemon_client::json(&json!({ "peers": args.add }));
            self.api.call(Method::POST, &path, Some(body)).await?;
            return Ok(());
        }
        let head = ["address", "client", "over", "done", "down", "up"];
        self.parts(named, "peers", Table::new(&head, &[3, 4, 5]), |peer| {
            vec![
                text(&peer["addr"]).unwrap_or_default(),
                text(&peer["client"]).unwrap_or_default(),
                match peer["encryption"].as_str() {
                    Some("none") | None => text(&peer["transport"]).unwrap_or_default(),
                    Some(_) => format!("{} *", text(&peer["transport"]).unwrap_or_default()),
                },
                percent(&peer["progress"]),
                rate_of(&peer["down_rate"]),
                rate_of(&peer["up_rate"]),
            ]
        })
        .await
    }

    pub(super) async fn trackers(&self, named: &str) -> Result<(), CliError> {
        let head = [
            "tier", "state", "seeders", "leechers", "next", "url", "says",
        ];
        self.parts(
            named,
            "trackers",
            Table::new(&head, &[0, 2, 3, 4]),
            |tracker| {
                let number = |name: &str| {
                    tracker[name]
                        .as_u64()
                        .map_or_else(String::new, |n| n.to_string())
                };
                let next = tracker["next_announce"].as_u64();
                vec![
                    number("tier"),
                    text(&tracker["state"]).unwrap_or_default(),
                    number("seeders"),
                    number("leechers"),
                    next.map_or_else(String::new, |s| duration(Duration::from_secs(s))),
                    text(&tracker["url"]).unwrap_or_default(),
                    text(&tracker["error"])
                        .or_else(|| text(&tracker["warning"]))
                        .unwrap_or_default(),
                ]
            },
        )
        .await
    }

    /// The files of a torrent as they are.
    pub(super) fn show_files(&self, files: &Value) -> Result<(), CliError> {
        let head = ["#", "done", "size", "priority", "path"];
        self.print_list(files, Table::new(&head, &[0, 1, 2]), |file| {
            let (have, size) = (file["have"].as_u64(), file["size"].as_u64());
            let done = crate::words::percent(have.unwrap_or(0), size.unwrap_or(0));
            vec![
                file["index"].to_string(),
                format!("{done} %"),
                bytes(&file["size"]),
                text(&file["priority"]).unwrap_or_default(),
                text(&file["path"]).unwrap_or_default(),
            ]
        })
    }

    async fn parts(
        &self,
        named: &str,
        part: &str,
        table: Table,
        row: impl Fn(&Value) -> Vec<String>,
    ) -> Result<(), CliError> {
        let id = self.resolve(named).await?;
        let path = format!("/api/v1/torrents/{id}/{part}");
        let answer = self.api.call(Method::GET, &path, None).await?;
        self.print_list(&answer, table, row)
    }

    pub(super) fn print_list(
        &self,
        list: &Value,
        mut table: Table,
        row: impl Fn(&Value) -> Vec<String>,
    ) -> Result<(), CliError> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        if self.is_json() {
            return list.iter().try_for_each(Self::print);
        }
        for item in list {
            table.row(row(item));
        }
        table.print()
    }

    pub(super) async fn stats(&self) -> Result<(), CliError> {
        let stats = self.api.call(Method::GET, "/api/v1/stats", None).await?;
        if self.is_json() {
            return Self::print(&stats);
        }
        let number = |name: &str| stats[name].to_string();
        let lines = [
            (
                "torrents",
                format!(
                    "{}: {} downloading, {} seeding, {} queued, {} paused, {} failed",
                    number("torrents"),
                    number("downloading"),
                    number("seeding"),
                    number("queued"),
                    number("paused"),
                    number("failed")
                ),
            ),
            ("receiving", rate(stats["down_rate"].as_u64().unwrap_or(0))),
            ("sending", rate(stats["up_rate"].as_u64().unwrap_or(0))),
            ("received", bytes(&stats["downloaded"])),
            ("sent", bytes(&stats["uploaded"])),
            ("peers", number("peers")),
            (
                "memory",
                format!(
                    "{} of {}",
                    bytes(&stats["memory_used"]),
                    bytes(&stats["memory_budget"])
                ),
            ),
            (
                "peers connect to",
                text(&stats["listen_addr"]).unwrap_or_default(),
            ),
            (
                "started",
                stats["started"].as_u64().map_or_else(String::new, ago),
            ),
        ];
        for (name, value) in lines {
            out::line(format_args!("{name:<17} {}", Harmless(&value)))?;
        }
        Ok(())
    }
}

/// A torrent of a list.
fn row(torrent: &Value) -> Vec<String> {
    let left = torrent["eta"].as_u64().map(Duration::from_secs);
    vec![
        torrent["number"].to_string(),
        text(&torrent["state"]).unwrap_or_default(),
        percent(&torrent["progress"]),
        bytes(&torrent["size"]),
        rate_of(&torrent["down_rate"]),
        rate_of(&torrent["up_rate"]),
        ratio(&torrent["ratio"]),
        torrent["peers"].to_string(),
        left.map_or_else(String::new, eta),
        text(&torrent["name"]).unwrap_or_default(),
    ]
}

pub(super) fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .map(str::to_owned)
        .filter(|text| !text.is_empty())
}

fn bytes(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(String::new, |bytes| Size(bytes).to_string())
}

/// Nothing for nothing: what moves is seen at once.
fn rate_of(value: &Value) -> String {
    let moving = value.as_u64().filter(|rate| *rate > 0);
    moving.map_or_else(String::new, rate)
}

fn percent(value: &Value) -> String {
    // Rounded down, so that 100 means all.
    value.as_f64().map_or_else(String::new, |share| {
        format!("{:.0} %", (share * 100.0).floor())
    })
}

fn ratio(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(String::new, |ratio| format!("{ratio:.2}"))
}

fn labels(torrent: &Value) -> String {
    let labels = torrent["labels"].as_array().into_iter().flatten();
    let labels: Vec<_> = labels.filter_map(Value::as_str).collect();
    labels.join(", ")
}

/// A Unix time.
fn ago(seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let since = now.saturating_sub(Duration::from_secs(seconds));
    format!("{} ago", duration(since))
}
