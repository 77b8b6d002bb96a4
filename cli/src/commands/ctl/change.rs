//! Changes torrents of a daemon, and the daemon's limits.

use serde_json::{Map, Value, json};
use tailwater_serve::size::Size;

use super::{Remote, pick};
use crate::args::{CtlFiles, CtlLabel, CtlLimit, CtlMany, CtlMove, CtlPriority, CtlRemove};
use crate::commands::daemon_client::{self, Method};
use crate::error::CliError;
use crate::out;

impl Remote<'_> {
    /// Does the same with several torrents.
    pub(super) async fn each(&self, args: &CtlMany, action: &str) -> Result<(), CliError> {
        for id in self.named(&args.torrents, args.all).await? {
            let path = format!("/api/v1/torrents/{id}/{action}");
            let answer = self.api.call(Method::POST, &path, None).await?;
            if self.is_json() && !answer.is_null() {
                Self::print(&answer)?;
            }
        }
        Ok(())
    }

    /// The info-hashes of some torrents, or of all. They are found before anything is changed: numbers and names do not
    /// change their meaning.
    async fn named(&self, named: &[String], is_all: bool) -> Result<Vec<String>, CliError> {
        let all = self.all().await?;
        if is_all {
            let ids = all.iter().filter_map(|torrent| torrent["id"].as_str());
            return Ok(ids.map(str::to_owned).collect());
        }
        let ids = named.iter().map(|named| pick(&all, named));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    pub(super) async fn remove(&self, args: &CtlRemove) -> Result<(), CliError> {
        if args.all && args.delete_files && !args.yes {
            let usage = "this deletes the files of all torrents of the daemon: say --yes too";
            return Err(CliError::Usage(usage.to_owned()));
        }
        for id in self.named(&args.torrents, args.all).await? {
            let path = format!("/api/v1/torrents/{id}?delete_files={}", args.delete_files);
            let answer = self.api.call(Method::DELETE, &path, None).await?;
            let left = answer["left"].as_array().cloned().unwrap_or_default();
            if self.is_json() {
                Self::print(&json!({ "removed": id, "left": left }))?;
                continue;
            }
            for file in left.iter().filter_map(Value::as_str) {
                let file = out::Harmless(file);
                out::line(format_args!(
                    "{file} is not deleted: nothing says that it belongs to the torrent"
                ))?;
            }
        }
        Ok(())
    }

    pub(super) async fn limit(&self, args: &CtlLimit) -> Result<(), CliError> {
        let lifted = |size: Size| (size.0 > 0).then_some(size.0);
        let mut patch = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                patch.insert(name.to_owned(), value);
            }
        };
        set("download_limit", args.down.map(|size| json!(lifted(size))));
        set("upload_limit", args.up.map(|size| json!(lifted(size))));
        set("max_peers", args.peers.map(|peers| json!(peers)));
        for (name, limit) in args.seeding.json(args.torrents.is_empty()) {
            set(name, limit);
        }
        let at_once = |number: usize| (number > 0).then_some(number);
        set("max_downloads", args.downloads.map(|it| json!(at_once(it))));
        set("max_seeds", args.seeds.map(|it| json!(at_once(it))));
        set("queue_position", args.place.map(|place| json!(place)));
        let alternative = &args.alternative;
        let rate = |size: Option<Size>| size.map(|size| json!(lifted(size)));
        set("alternative_download_limit", rate(alternative.alt_down));
        set("alternative_upload_limit", rate(alternative.alt_up));
        let mode = alternative.alt.map(|mode| json!(mode.name()));
        set("alternative_mode", mode);
        let rules = alternative.schedule.iter();
        let rules: Vec<_> = rules.filter_map(|hours| hours.0.as_ref()).collect();
        let is_named = !alternative.schedule.is_empty();
        set("schedule", is_named.then(|| json!(rules)));
        if patch.is_empty() {
            return self.show_limits(&args.torrents).await;
        }
        let patch = Value::Object(patch);
        let paths = match args.torrents.is_empty() {
            true => vec!["/api/v1/settings".to_owned()],
            false => {
                let ids = self.named(&args.torrents, false).await?.into_iter();
                ids.map(|id| format!("/api/v1/torrents/{id}")).collect()
            }
        };
        for path in paths {
            self.patch(&path, &patch).await?;
        }
        Ok(())
    }

    pub(super) async fn label(&self, args: &CtlLabel) -> Result<(), CliError> {
        let id = self.resolve(&args.of.torrent).await?;
        let path = format!("/api/v1/torrents/{id}");
        self.patch(&path, &json!({ "labels": args.labels })).await
    }

    async fn patch(&self, path: &str, patch: &Value) -> Result<(), CliError> {
        let body = daemon_client::json(patch);
        let answer = self.api.call(Method::PATCH, path, Some(body)).await?;
        match self.is_json() {
            true => Self::print(&answer),
            false => Ok(()),
        }
    }

    pub(super) async fn move_to(&self, args: &CtlMove) -> Result<(), CliError> {
        let id = self.resolve(&args.of.torrent).await?;
        if args.when_complete {
            let path = format!("/api/v1/torrents/{id}");
            let patch = json!({ "completed_folder": args.folder });
            return self.patch(&path, &patch).await;
        }
        let path = format!("/api/v1/torrents/{id}/move");
        let body = daemon_client::json(&json!({ "folder": args.folder }));
        self.api.call(Method::POST, &path, Some(body)).await?;
        match self.is_json() {
            true => Self::print(&json!({ "moving": id })),
            false => out::line("it is being moved; `tailwater ctl events` tells when it is done"),
        }
    }

    pub(super) async fn files(&self, args: &CtlFiles) -> Result<(), CliError> {
        let id = self.resolve(&args.of.torrent).await?;
        let path = format!("/api/v1/torrents/{id}/files");
        let files = match args.priority {
            None => self.api.call(Method::GET, &path, None).await?,
            Some(priority) => {
                let priority = match priority {
                    CtlPriority::Skip => "skip",
                    CtlPriority::Low => "low",
                    CtlPriority::Normal => "normal",
                    CtlPriority::High => "high",
                };
                let change = |index: &usize| json!({ "index": index, "priority": priority });
                let changes = Value::Array(args.set.iter().map(change).collect());
                let body = daemon_client::json(&changes);
                self.api.call(Method::PATCH, &path, Some(body)).await?
            }
        };
        self.show_files(&files)
    }
}
