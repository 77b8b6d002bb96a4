//! Labels of a daemon.

use serde_json::{Value, json};

use super::Remote;
use super::show::text;
use super::table::Table;
use crate::args::CtlLabels;
use crate::commands::daemon_client::{self, Method};
use crate::error::CliError;
use crate::out;

const LABELS: &str = "/api/v1/labels";

impl Remote<'_> {
    pub(super) async fn labels(&self, args: &CtlLabels) -> Result<(), CliError> {
        let labels = self.api.call(Method::GET, LABELS, None).await?;
        let Some(name) = &args.name else {
            return self.list_labels(&labels);
        };
        let path = format!("{LABELS}/{}", daemon_client::encoded_path(name));
        if args.delete {
            self.api.call(Method::DELETE, &path, None).await?;
            return match self.is_json() {
                true => Self::print(&json!({ "deleted": name })),
                false => Ok(()),
            };
        }
        // What is not named stays.
        let known = labels.as_array().into_iter().flatten();
        let known = known.into_iter().find(|label| label["name"] == **name);
        let mut options = known
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        for figure in ["name", "torrents"] {
            options.remove(figure);
        }
        let folder = |folder: &Option<String>| folder.as_ref().map(|folder| json!(folder));
        let named = [
            ("folder", folder(&args.folder)),
            ("completed_folder", folder(&args.completed_folder)),
        ];
        for (option, value) in named.into_iter().chain(args.seeding.json(false)) {
            if let Some(value) = value {
                options.insert(option.to_owned(), value);
            }
        }
        let options = Value::Object(options);
        let body = daemon_client::json(&options);
        self.api.call(Method::PUT, &path, Some(body)).await?;
        match self.is_json() {
            true => Self::print(&options),
            false => Ok(()),
        }
    }

    fn list_labels(&self, labels: &Value) -> Result<(), CliError> {
        if labels.as_array().is_some_and(Vec::is_empty) && !self.is_json() {
            return out::line("no labels");
        }
        let head = [
            "label",
            "torrents",
            "folder",
            "when complete",
            "ratio",
            "idle",
            "seeding",
        ];
        self.print_list(labels, Table::new(&head, &[1, 4, 5, 6]), |label| {
            let limit = |name: &str| match &label[name] {
                Value::Null => String::new(),
                value => text(value).unwrap_or_else(|| value.to_string()),
            };
            vec![
                text(&label["name"]).unwrap_or_default(),
                label["torrents"].to_string(),
                text(&label["folder"]).unwrap_or_default(),
                text(&label["completed_folder"]).unwrap_or_default(),
                limit("ratio_limit"),
                limit("idle_limit"),
                limit("seeding_time_limit"),
            ]
        })
    }
}
