//! Forms: what they show at first, and what follows from what was typed.

use serde_json::{Map, Value, json};
use tailwater_serve::size::Size;

use super::super::model::dialog::{Dialog, Form, Line, Purpose, labels};
use super::super::model::{Model, Screen};
use super::action::Action;
use super::order::Order;
use crate::words::count;

const RATE: &str = "bytes a second: 2MiB, 500kB; empty for none";
const PEERS: &str = "a number; empty for the daemon's";
const RATIO: &str = "as 1.5; none, inherit; empty for as it is";

pub(super) fn open_limits(model: &mut Model) {
    let ids = model.meant();
    let Some(first) = ids.first().and_then(|id| model.torrents.get(id)) else {
        return;
    };
    // Of several, only what is typed is changed.
    let is_one = ids.len() == 1;
    let shown = |limit: Option<u64>| match limit.filter(|_| is_one) {
        Some(rate) => Size(rate).as_argument(),
        None => String::new(),
    };
    let peers = first.max_peers.filter(|_| is_one);
    let lines = vec![
        Line::new("Download", RATE, shown(first.download_limit)),
        Line::new("Upload", RATE, shown(first.upload_limit)),
        Line::new(
            "Peers",
            PEERS,
            peers.map(|it| it.to_string()).unwrap_or_default(),
        ),
        Line::new("Ratio", RATIO, ""),
    ];
    open(model, Purpose::Limits(ids), "Limits", lines);
}

pub(super) fn open_daemon_limits(model: &mut Model) {
    let shown = |limit: Option<u64>| limit.map_or(String::new(), |it| Size(it).as_argument());
    let lines = vec![
        Line::new("Download", RATE, shown(model.stats.download_limit)),
        Line::new("Upload", RATE, shown(model.stats.upload_limit)),
    ];
    open(model, Purpose::DaemonLimits, "Limits of the daemon", lines);
}

pub(super) fn open_labels(model: &mut Model) {
    let ids = model.meant();
    let Some(first) = ids.first().and_then(|id| model.torrents.get(id)) else {
        return;
    };
    let lines = vec![Line::new(
        "Labels",
        "with commas between them; empty for none",
        first.labels.join(", "),
    )];
    open(model, Purpose::Labels(ids), "Labels", lines);
}

pub(super) fn open_move(model: &mut Model) {
    let ids = model.meant();
    if ids.is_empty() {
        return;
    }
    let folder = match &model.screen {
        Screen::Details(details) => match &details.info {
            Some(Ok(info)) => info.folder.clone(),
            _ => None,
        },
        _ => None,
    };
    let hint = "at the daemon's machine; relative to its data folder";
    let lines = vec![Line::new("Folder", hint, folder.unwrap_or_default())];
    open(model, Purpose::Move(ids), "Move the files", lines);
}

/// Of several torrents, the one at the cursor.
pub(super) fn open_title(model: &mut Model) {
    let id = match &model.screen {
        Screen::Details(details) => Some(details.id.clone()),
        _ => model.selected.clone(),
    };
    let Some(torrent) = id.as_ref().and_then(|id| model.torrents.get(id)) else {
        return;
    };
    let hint = "for you alone; empty for the name that it came with";
    let lines = vec![Line::new("Name", hint, torrent.shown())];
    let purpose = Purpose::Title(torrent.id.clone());
    open(model, purpose, "Rename", lines);
}

pub(super) fn open_file(model: &mut Model) {
    let Screen::Details(details) = &model.screen else {
        return;
    };
    let Some(file) = details.file() else {
        return;
    };
    let hint = "in the same folder; on the disk too";
    let lines = vec![Line::new("Name", hint, last_part(&file.path))];
    let purpose = Purpose::File(details.id.clone(), file.path.clone());
    open(model, purpose, "Rename the file", lines);
}

fn last_part(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

pub(super) fn open_tracker(model: &mut Model) {
    let Screen::Details(details) = &model.screen else {
        return;
    };
    // Until they are known, adding one would remove the others.
    if !matches!(details.trackers, Some(Ok(_))) {
        return;
    }
    let purpose = Purpose::Tracker(details.id.clone(), details.tiers());
    let hint = "http://…/announce or udp://…; it is asked after the others";
    let lines = vec![Line::new("URL", hint, "")];
    open(model, purpose, "Add a tracker", lines);
}

fn open(model: &mut Model, purpose: Purpose, title: &str, lines: Vec<Line>) {
    let ids = match &purpose {
        Purpose::Limits(ids) | Purpose::Labels(ids) | Purpose::Move(ids) => ids.as_slice(),
        Purpose::Tracker(id, _) | Purpose::Title(id) | Purpose::File(id, _) => {
            std::slice::from_ref(id)
        }
        Purpose::DaemonLimits => &[],
    };
    let of = match ids {
        [] => String::new(),
        [id] => model
            .torrents
            .get(id)
            .map(|torrent| format!(": {}", torrent.shown()))
            .unwrap_or_default(),
        several => format!(": {}", count(several.len(), "torrent")),
    };
    model.dialog = Some(Dialog::Form(Form {
        purpose,
        title: format!("{title}{of}"),
        lines,
        at: 0,
        error: None,
    }));
}

pub(super) fn handle(model: &mut Model, mut form: Form, action: Action) -> Vec<Order> {
    let last = form.lines.len().saturating_sub(1);
    match action {
        Action::Back => return Vec::new(),
        Action::NextLine => form.at = if form.at >= last { 0 } else { form.at + 1 },
        Action::PreviousLine => form.at = form.at.checked_sub(1).unwrap_or(last),
        Action::Accept => match orders(&form) {
            Ok(orders) => return orders,
            Err((at, reason)) => {
                form.at = at;
                form.error = Some(reason);
            }
        },
        _ => {}
    }
    model.dialog = Some(Dialog::Form(form));
    Vec::new()
}

/// What is asked of the daemon, or which line is wrong and why.
fn orders(form: &Form) -> Result<Vec<Order>, (usize, String)> {
    let text = |at: usize| {
        form.lines
            .get(at)
            .map_or("", |line| line.field.text().trim())
    };
    match &form.purpose {
        Purpose::Labels(ids) => {
            let patch = [("labels".to_owned(), json!(labels(text(0))))];
            Ok(vec![Order::Patch(ids.clone(), patch.into_iter().collect())])
        }
        Purpose::Move(_) if text(0).is_empty() => Err((0, "name a folder".to_owned())),
        Purpose::Move(ids) => Ok(vec![Order::Move(ids.clone(), text(0).to_owned())]),
        // Left as it was, the name that it came with does not become one of the user's.
        Purpose::Title(_) | Purpose::File(..) if form.lines.iter().all(|it| !it.is_changed()) => {
            Ok(Vec::new())
        }
        Purpose::Title(id) => {
            let title = Some(text(0)).filter(|title| !title.is_empty());
            let patch = [("title".to_owned(), json!(title))];
            let ids = vec![id.clone()];
            Ok(vec![Order::Patch(ids, patch.into_iter().collect())])
        }
        Purpose::File(..) if text(0).is_empty() => Err((0, "type a name".to_owned())),
        Purpose::File(..) if text(0).contains('/') => {
            Err((0, "the file stays in its folder: no /".to_owned()))
        }
        Purpose::File(id, path) => Ok(vec![Order::Rename {
            id: id.clone(),
            path: path.clone(),
            name: text(0).to_owned(),
        }]),
        Purpose::Tracker(..) if !text(0).contains("://") => {
            Err((0, "type the URL of a tracker".to_owned()))
        }
        Purpose::Tracker(_, tiers) if tiers.iter().flatten().any(|url| url == text(0)) => {
            Err((0, "the torrent has this tracker already".to_owned()))
        }
        Purpose::Tracker(id, tiers) => {
            let last = vec![text(0).to_owned()];
            let tiers = tiers.iter().cloned().chain([last]).collect();
            let id = id.clone();
            Ok(vec![Order::Trackers { id, tiers }])
        }
        Purpose::Limits(ids) => {
            let patch = limits(form)?;
            Ok(match patch.is_empty() {
                true => Vec::new(),
                false => vec![Order::Patch(ids.clone(), patch)],
            })
        }
        Purpose::DaemonLimits => {
            let patch = limits(form)?;
            Ok(match patch.is_empty() {
                true => Vec::new(),
                false => vec![Order::Settings(patch)],
            })
        }
    }
}

/// Reads what was typed, into what the API takes.
type Read = fn(&str) -> Result<Value, String>;

/// The limits that have changed, as the API has them.
fn limits(form: &Form) -> Result<Map<String, Value>, (usize, String)> {
    let read: [(&str, Read); 4] = [
        ("download_limit", rate),
        ("upload_limit", rate),
        ("max_peers", peers),
        ("ratio_limit", ratio),
    ];
    let mut patch = Map::new();
    for (at, (line, (name, read))) in form.lines.iter().zip(read).enumerate() {
        if line.is_changed() {
            let value = read(line.field.text().trim()).map_err(|reason| (at, reason))?;
            patch.insert(name.to_owned(), value);
        }
    }
    Ok(patch)
}

fn rate(text: &str) -> Result<Value, String> {
    if text.is_empty() || text == "none" {
        return Ok(Value::Null);
    }
    let size: Size = text.parse().map_err(|error| format!("{error}"))?;
    Ok(json!(Some(size.0).filter(|rate| *rate > 0)))
}

fn peers(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let peers: Result<u32, _> = text.parse();
    match peers {
        Ok(peers) if peers > 0 => Ok(json!(peers)),
        _ => Err("this is not a number of peers".to_owned()),
    }
}

fn ratio(text: &str) -> Result<Value, String> {
    match text {
        "none" | "0" => return Ok(json!("none")),
        "inherit" | "" => return Ok(Value::Null),
        _ => {}
    }
    let ratio: Result<f64, _> = text.parse();
    match ratio {
        Ok(ratio) if ratio.is_finite() && ratio > 0.0 => Ok(json!(ratio)),
        _ => Err("this is not a ratio, none or inherit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_typed() {
        assert_eq!(rate("2MiB"), Ok(json!(2_097_152)));
        assert_eq!(rate("0"), Ok(Value::Null));
        assert_eq!(rate(""), Ok(Value::Null));
        assert!(rate("fast").is_err());
        assert_eq!(peers("7"), Ok(json!(7)));
        assert!(peers("0").is_err() && peers("-1").is_err());
        assert_eq!(ratio("1.5"), Ok(json!(1.5)));
        assert_eq!(ratio("none"), Ok(json!("none")));
        assert!(ratio("-1").is_err() && ratio("nan").is_err());
    }

    fn typed(purpose: Purpose, before: &str, text: &str) -> Result<Vec<Order>, (usize, String)> {
        let mut line = Line::new("Name", "", before);
        line.field = super::super::super::model::field::Field::new(text);
        let title = String::new();
        orders(&Form {
            purpose,
            title,
            lines: vec![line],
            at: 0,
            error: None,
        })
    }

    #[test]
    fn a_torrent_gets_a_name_for_its_user_or_that_which_it_came_with() {
        let id: super::super::super::model::torrent::Id = "a".into();
        let patch = |title: Value| {
            let patch = [("title".to_owned(), title)].into_iter().collect();
            Ok(vec![Order::Patch(vec![id.clone()], patch)])
        };
        let typed = |text: &str| typed(Purpose::Title(id.clone()), "one", text);
        assert_eq!(typed("one"), Ok(Vec::new()), "nothing was changed");
        assert_eq!(typed(" two "), patch(json!("two")));
        assert_eq!(typed(" "), patch(Value::Null));
    }

    #[test]
    fn a_file_is_renamed_in_its_folder() {
        let id: super::super::super::model::torrent::Id = "a".into();
        let typed = |text: &str| typed(Purpose::File(id.clone(), "b/c".to_owned()), "c", text);
        assert_eq!(typed("c"), Ok(Vec::new()), "nothing was changed");
        let order = Order::Rename {
            id: id.clone(),
            path: "b/c".to_owned(),
            name: "d".to_owned(),
        };
        assert_eq!(typed(" d "), Ok(vec![order]));
        assert!(typed("").is_err() && typed("x/d").is_err());
        assert_eq!((last_part("b/c"), last_part("c")), ("c", "c"));
    }

    #[test]
    fn only_what_was_changed_is_sent() {
        let mut form = Form {
            purpose: Purpose::DaemonLimits,
            title: String::new(),
            lines: vec![Line::new("a", "", "1MiB"), Line::new("b", "", "2MiB")],
            at: 0,
            error: None,
        };
        assert_eq!(orders(&form), Ok(Vec::new()));
        form.lines[1].field = super::super::super::model::field::Field::new("");
        let patch = [("upload_limit".to_owned(), Value::Null)];
        let patch = patch.into_iter().collect();
        assert_eq!(orders(&form), Ok(vec![Order::Settings(patch)]));
        form.lines[1].field = super::super::super::model::field::Field::new("x");
        assert_eq!(orders(&form).unwrap_err().0, 1);
    }
}
