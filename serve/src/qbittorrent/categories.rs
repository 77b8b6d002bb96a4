//! Categories and tags. Both are labels of the daemon: a label that is marked as a category is one, all others are tags. Of
//! several categories, a torrent's is the first among its labels; so it comes first, and its folders and limits hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::control::{Control, LabelOptions, LabelView, MAX_LABEL_LEN};

/// What is known of all labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(BTreeMap<String, LabelView>);

impl Labels {
    pub(super) fn of(control: &Control) -> Self {
        let labels = control.labels().into_iter();
        Self(labels.map(|label| (label.name.clone(), label)).collect())
    }

    pub(super) fn options(&self, name: &str) -> Option<&LabelOptions> {
        self.0.get(name).map(|label| &label.options)
    }

    pub(super) fn is_category(&self, name: &str) -> bool {
        self.options(name)
            .is_some_and(|options| options.is_category)
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The category of a torrent, or an empty text.
    pub(super) fn category<'a>(&self, labels: &'a [String]) -> &'a str {
        let category = labels.iter().find(|label| self.is_category(label));
        category.map_or("", String::as_str)
    }

    /// The tags of a torrent.
    pub(super) fn tags<'a>(&self, labels: &'a [String]) -> Vec<&'a str> {
        let tags = labels.iter().filter(|label| !self.is_category(label));
        tags.map(String::as_str).collect()
    }

    /// The labels of a torrent with another category; none for an empty text.
    pub(super) fn with_category(&self, labels: &[String], category: &str) -> Vec<String> {
        let category = Some(category).filter(|it| !it.is_empty());
        let tags = self.tags(labels).into_iter();
        let tags = tags.filter(|tag| Some(*tag) != category);
        category
            .into_iter()
            .chain(tags)
            .map(str::to_owned)
            .collect()
    }

    /// All categories, as they are listed.
    pub(super) fn categories(&self) -> Map<String, Value> {
        let categories = self.0.values().filter(|label| label.options.is_category);
        categories
            .map(|label| (label.name.clone(), category(label)))
            .collect()
    }

    /// All tags.
    pub(super) fn all_tags(&self) -> impl Iterator<Item = &str> {
        let tags = self.0.values().filter(|label| !label.options.is_category);
        tags.map(|label| label.name.as_str())
    }
}

fn category(label: &LabelView) -> Value {
    json!({
        "name": label.name,
        "savePath": label.options.folder.as_deref().unwrap_or_default(),
    })
}

/// Whether a category or tag can be called so: slashes stand between a category and those below it.
pub(super) fn is_category_name(name: &str) -> bool {
    let has_holes = name.starts_with('/') || name.ends_with('/') || name.contains("//");
    is_label(name) && !has_holes && !name.contains('\\')
}

fn is_label(name: &str) -> bool {
    let is_wrong = |c: char| c.is_control() || c == ',';
    !name.trim().is_empty() && name.len() <= MAX_LABEL_LEN && !name.contains(is_wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let label = |name: &str, is_category: bool| {
            let options = LabelOptions {
                is_category,
                folder: is_category.then(|| name.to_owned()),
                ..LabelOptions::default()
            };
            let view = LabelView {
                name: name.to_owned(),
                torrents: 0,
                options,
            };
            (name.to_owned(), view)
        };
        let all = [("tv", true), ("films", true), ("hd", false), ("new", false)];
        Labels(all.into_iter().map(|(name, is)| label(name, is)).collect())
    }

    #[test]
    fn a_torrent_has_one_category_and_the_rest_are_tags() {
        let labels = labels();
        let of = ["hd", "films", "tv", "other"].map(str::to_owned);
        assert_eq!(labels.category(&of), "films");
        assert_eq!(labels.tags(&of), ["hd", "other"]);
        assert_eq!(labels.with_category(&of, "tv"), ["tv", "hd", "other"]);
        assert_eq!(labels.with_category(&of, ""), ["hd", "other"]);
        assert_eq!(labels.category(&[]), "");
        let names: Vec<_> = labels.categories().keys().cloned().collect();
        assert_eq!(names, ["films", "tv"]);
        assert_eq!(labels.all_tags().collect::<Vec<_>>(), ["hd", "new"]);
        assert_eq!(
            labels.categories()["tv"],
            json!({"name": "tv", "savePath": "tv"})
        );
    }

    #[test]
    fn names_of_categories_have_no_holes() {
        for name in ["tv", "tv/kids", "tv sonarr", "ä"] {
            assert!(is_category_name(name), "{name}");
        }
        for name in [
            "",
            " ",
            "/tv",
            "tv/",
            "a//b",
            "a\\b",
            "a,b",
            "a\nb",
            &"x".repeat(101),
        ] {
            assert!(!is_category_name(name), "{name}");
        }
    }
}
