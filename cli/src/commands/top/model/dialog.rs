//! What lies over the screen and takes the keys: questions and forms.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::field::Field;
use super::parts::Cursor;
use super::torrent::{Id, harmless};

/// The one that is open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dialog {
    Remove(Remove),
    Add(Box<Add>),
    Form(Form),
}

/// Asks whether torrents are to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remove {
    pub(crate) ids: Vec<Id>,
    /// The name of the only one, or how many there are.
    pub(crate) what: String,
    /// The files go too, once that is confirmed.
    pub(crate) with_files: bool,
}

/// What a form is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The limits of torrents.
    Limits(Vec<Id>),
    /// The limits of the daemon.
    DaemonLimits,
    /// The labels of torrents.
    Labels(Vec<Id>),
    /// The folder to which the files of torrents are moved.
    Move(Vec<Id>),
    /// What a torrent is called.
    Title(Id),
    /// The name of a file, which has this path.
    File(Id, String),
    /// A tracker that is added to those that a torrent has, which are here by tier.
    Tracker(Id, Vec<Vec<String>>),
}

/// Some lines to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) purpose: Purpose,
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
    /// The line that takes the keys.
    pub(crate) at: usize,
    /// What is wrong with what was typed.
    pub(crate) error: Option<String>,
}

/// A line of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    /// As it was, to send what has changed alone.
    pub(crate) before: String,
    pub(crate) field: Field,
}

impl Line {
    pub(crate) fn new(label: &'static str, hint: &'static str, before: impl Into<String>) -> Self {
        let before = before.into();
        Self {
            label,
            hint,
            field: Field::new(before.clone()),
            before,
        }
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.field.text() != self.before
    }
}

impl Form {
    pub(crate) fn field_mut(&mut self) -> Option<&mut Field> {
        self.lines.get_mut(self.at).map(|line| &mut line.field)
    }
}

/// A torrent that is added.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Add {
    /// A path, a link or an address.
    pub(crate) source: Field,
    pub(crate) stage: Stage,
    pub(crate) error: Option<String>,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Stage {
    #[default]
    Typing,
    /// It is asked what is in the torrent. An answer to an earlier question has another number.
    Inspecting(u64),
    Choosing(Box<Choice>),
}

/// What of a torrent is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    pub(crate) found: Inspection,
    /// What names the torrent in the request that adds it.
    pub(crate) content: Map<String, Value>,
    /// By place in the files that were found.
    pub(crate) wanted: Vec<bool>,
    pub(crate) cursor: Cursor,
    pub(crate) folder: Field,
    pub(crate) labels: Field,
    pub(crate) is_paused: bool,
    pub(crate) focus: Focus,
}

/// What takes the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    Files,
    Folder,
    Labels,
}

impl Focus {
    pub(crate) const fn next(self, is_forward: bool) -> Self {
        match (self, is_forward) {
            (Self::Files, true) | (Self::Labels, false) => Self::Folder,
            (Self::Folder, true) | (Self::Files, false) => Self::Labels,
            (Self::Labels, true) | (Self::Folder, false) => Self::Files,
        }
    }
}

impl Choice {
    pub(crate) fn new(found: Inspection, content: Map<String, Value>) -> Self {
        Self {
            wanted: vec![true; found.files.len()],
            found,
            content,
            ..Self::default()
        }
    }

    /// How much is wanted, in bytes.
    pub(crate) fn size(&self) -> u64 {
        let files = self.found.files.iter().zip(&self.wanted);
        let wanted = files.filter(|(_, wanted)| **wanted);
        wanted.fold(0, |sum, (file, _)| sum.saturating_add(file.size))
    }

    /// The request that adds it.
    pub(crate) fn request(&self) -> Map<String, Value> {
        let mut request = self.content.clone();
        if self.wanted.contains(&false) {
            let files = self.found.files.iter().zip(&self.wanted);
            let wanted = files.filter(|(_, wanted)| **wanted);
            let indices: Vec<_> = wanted.map(|(file, _)| file.index).collect();
            request.insert("files".to_owned(), indices.into());
        }
        let folder = self.folder.text().trim();
        if !folder.is_empty() {
            request.insert("folder".to_owned(), folder.into());
        }
        request.insert("labels".to_owned(), labels(self.labels.text()).into());
        request.insert("paused".to_owned(), self.is_paused.into());
        request
    }
}

/// The labels of a line with commas.
pub(crate) fn labels(text: &str) -> Vec<String> {
    let labels = text.split(',').map(str::trim);
    let labels = labels.filter(|label| !label.is_empty());
    labels.map(str::to_owned).collect()
}

/// What is in a torrent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Inspection {
    #[serde(deserialize_with = "harmless")]
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) is_known: bool,
    pub(crate) is_private: bool,
    pub(crate) files: Vec<InspectedFile>,
    /// Its .torrent file in base64, if the daemon had to fetch it.
    pub(crate) torrent: Option<String>,
}

/// A file that may be wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct InspectedFile {
    pub(crate) index: usize,
    #[serde(deserialize_with = "harmless")]
    pub(crate) path: String,
    pub(crate) size: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_is_asked_for() {
        let file = |index, size| InspectedFile {
            index,
            path: "a".to_owned(),
            size,
        };
        let found = Inspection {
            files: vec![file(0, 5), file(2, 7)],
            ..Inspection::default()
        };
        let content = Map::from_iter([("link".to_owned(), json!("magnet:?x"))]);
        let mut choice = Choice::new(found, content);
        assert_eq!(choice.size(), 12);
        let request = json!({"link": "magnet:?x", "labels": [], "paused": false});
        assert_eq!(Value::Object(choice.request()), request);
        choice.wanted[0] = false;
        choice.labels = Field::new("a, b c,,");
        choice.folder = Field::new(" films ");
        choice.is_paused = true;
        assert_eq!(choice.size(), 7);
        let request = json!({
            "link": "magnet:?x", "files": [2], "labels": ["a", "b c"], "folder": "films", "paused": true,
        });
        assert_eq!(Value::Object(choice.request()), request);
    }
}
