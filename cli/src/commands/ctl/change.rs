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
        let all = self.all().await?;
        let ids: Vec<String> = match args.all {
            true => {
                let ids = all.iter().filter_map(|torrent| torrent["id"].as_str());
                ids.map(str::to_owned).collect()
            }
            false => {
                let ids = args.torrents.iter().map(|named| pick(&all, named));
                ids.collect::<Result<_, _>>()?
            }
        };
        for id in ids {
            let path = format!("/api/v1/torrents/{id}/{action}");
            let answer = self.api.call(Method::POST, &path, None).await?;
            if self.is_json() && !answer.is_null() {
                Self::print(&answer)?;
            }
        }
        Ok(())
    }

    pub(super) async fn remove(&self, args: &CtlRemove) -> Result<(), CliError> {
        let all = self.all().await?;
        // All are found before any is removed: numbers and names do not change their meaning.
        let ids = args.torrents.iter().map(|named| pick(&all, named));
        for id in ids.collect::<Result<Vec<_>, _>>()? {
            let path = format!("/api/v1/torrents/{id}?delete_files={}", args.delete_files);
            self.api.call(Method::DELETE, &path, None).await?;
            if self.is_json() {
                Self::print(&json!({ "removed": id }))?;
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
            let usage = "which limit? --down, --up, --peers, --ratio, --idle, --downloads, --alt-down and so on";
            return Err(CliError::Usage(usage.to_owned()));
        }
        let patch = Value::Object(patch);
        let paths = match args.torrents.is_empty() {
            true => vec!["/api/v1/settings".to_owned()],
            false => {
                let all = self.all().await?;
                let ids = args.torrents.iter().map(|named| pick(&all, named));
                let paths = ids.map(|id| Ok(format!("/api/v1/torrents/{}", id?)));
                paths.collect::<Result<_, CliError>>()?
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
