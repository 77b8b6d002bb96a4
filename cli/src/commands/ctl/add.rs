//! Adds torrents to a daemon.

use serde_json::{Map, Value, json};
use tailwater_serve::size::Size;

use super::Remote;
use super::table::Table;
use crate::args::{CtlAdd, CtlInspect, Source, StorageChoice};
use crate::commands::daemon_client::{Method, source_body};
use crate::error::CliError;
use crate::out::{self, Harmless};

impl Remote<'_> {
    pub(super) async fn add(&self, args: CtlAdd) -> Result<(), CliError> {
        let options = options(&args);
        let mut failed = false;
        for source in &args.what.sources {
            if let Err(error) = self.add_one(source, &options).await {
                failed = true;
                self.context.progress.failure(&CliError::Source {
                    source_name: source.name(),
                    error: Box::new(error),
                });
            }
        }
        match failed {
            true => Err(CliError::Reported),
            false => Ok(()),
        }
    }

    pub(super) async fn inspect(&self, args: CtlInspect) -> Result<(), CliError> {
        let peers = json!({ "peers": args.peer });
        for source in &args.what.sources {
            let options = peers.as_object().cloned().unwrap_or_default();
            let body = source_body(source, options)?;
            let path = "/api/v1/torrents/inspect";
            let found = self.api.call(Method::POST, path, Some(body)).await?;
            if self.is_json() {
                Self::print(&found)?;
                continue;
            }
            let name = found["name"].as_str().unwrap_or_default();
            let size = Size(found["size"].as_u64().unwrap_or(0));
            out::line(format_args!("{}: {size}", Harmless(name)))?;
            self.print_list(
                &found["files"],
                Table::new(&["#", "size", "path"], &[0, 1]),
                |file| {
                    let size = Size(file["size"].as_u64().unwrap_or(0));
                    let path = file["path"].as_str().unwrap_or_default();
                    vec![file["index"].to_string(), size.to_string(), path.to_owned()]
                },
            )?;
        }
        Ok(())
    }

    async fn add_one(&self, source: &Source, options: &Map<String, Value>) -> Result<(), CliError> {
        let body = source_body(source, options.clone())?;
        let path = "/api/v1/torrents";
        let torrent = self.api.call(Method::POST, path, Some(body)).await?;
        if self.is_json() {
            return Self::print(&torrent);
        }
        let name = torrent["name"].as_str().unwrap_or_default();
        let (number, id) = (&torrent["number"], torrent["id"].as_str());
        let id = id.unwrap_or_default();
        out::line(format_args!("added {number}: {} ({id})", Harmless(name)))
    }
}

fn options(args: &CtlAdd) -> Map<String, Value> {
    let storage = match args.storage {
        StorageChoice::Disk => "disk",
        StorageChoice::Memory => "memory",
    };
    let mut options = Map::new();
    let mut set = |name: &str, value: Value| options.insert(name.to_owned(), value);
    set("storage", json!(storage));
    set("paused", json!(args.paused));
    set("sequential", json!(args.sequential));
    set("labels", json!(args.label));
    set("peers", json!(args.peer));
    if let Some(folder) = &args.folder {
        set("folder", json!(folder));
    }
    if !args.files.is_empty() {
        set("files", json!(args.files));
    }
    options
}
