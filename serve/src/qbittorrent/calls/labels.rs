//! Categories and tags.

use serde_json::Value;

use super::actions::each;
use super::{Answer, Outcome, nothing, selected};
use crate::control::{ControlError, LabelOptions, TorrentPatch, TorrentView};
use crate::qbittorrent::categories::{Labels, is_category_name};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

pub(super) fn categories(shared: &Shared) -> Answer {
    Answer::Json(Value::Object(Labels::of(&shared.control).categories()))
}

pub(super) fn tags(shared: &Shared) -> Answer {
    Answer::Json(Labels::of(&shared.control).all_tags().collect())
}

pub(super) async fn run(shared: &Shared, name: &str, params: &Params) -> Outcome {
    match name {
        "torrents/setCategory" => set_category(shared, params).await,
        "torrents/createCategory" => create_category(shared, params).await,
        "torrents/editCategory" => edit_category(shared, params).await,
        "torrents/removeCategories" => {
            params.need(["categories"])?;
            remove(shared, params.list("categories", '\n'), true).await
        }
        "torrents/createTags" => {
            params.need(["tags"])?;
            make_tags(shared, &params.list("tags", ',')).await?;
            nothing()
        }
        "torrents/deleteTags" => {
            params.need(["tags"])?;
            remove(shared, params.list("tags", ','), false).await
        }
        _ => change_tags(shared, name, params).await,
    }
}

async fn set_category(shared: &Shared, params: &Params) -> Outcome {
    let [hashes, category] = params.need(["hashes", "category"])?;
    let labels = Labels::of(&shared.control);
    if !category.is_empty() && !labels.is_category(category) {
        return Err(Failure::conflict("Incorrect category name"));
    }
    each(selected(shared, hashes), |it| {
        relabel(shared, &it, labels.with_category(&it.labels, category))
    })
    .await
}

/// Gives a torrent other labels.
fn relabel<'a>(
    shared: &'a Shared,
    view: &TorrentView,
    labels: Vec<String>,
) -> impl Future<Output = Result<(), ControlError>> + use<'a> {
    let id = (labels != view.labels).then_some(view.id);
    async move {
        let Some(id) = id else {
            return Ok(());
        };
        let patch = TorrentPatch {
            labels: Some(labels),
            ..TorrentPatch::default()
        };
        shared.control.patch(id, patch).await
    }
}

async fn create_category(shared: &Shared, params: &Params) -> Outcome {
    let [category] = params.need(["category"])?;
    if category.is_empty() {
        return Err(Failure::params("Category cannot be empty"));
    }
    let labels = Labels::of(&shared.control);
    if !is_category_name(category) {
        return Err(Failure::conflict("Incorrect category name"));
    }
    if labels.is_category(category) {
        return Err(Failure::conflict("Unable to create category"));
    }
    make_category(shared, &labels, category, params.filled("savePath")).await?;
    nothing()
}

/// Makes a category; a tag of this name becomes one, and keeps its options.
pub(super) async fn make_category(
    shared: &Shared,
    labels: &Labels,
    name: &str,
    folder: Option<&str>,
) -> Result<(), ControlError> {
    let mut options = labels.options(name).cloned().unwrap_or_default();
    options.is_category = true;
    if let Some(folder) = folder {
        options.folder = Some(folder.to_owned());
    }
    shared.control.set_label(name.to_owned(), options).await
}

async fn edit_category(shared: &Shared, params: &Params) -> Outcome {
    let [category, folder] = params.need(["category", "savePath"])?;
    if category.is_empty() {
        return Err(Failure::params("Category cannot be empty"));
    }
    let labels = Labels::of(&shared.control);
    let known = labels.options(category).filter(|known| known.is_category);
    let known = known.ok_or_else(|| Failure::conflict("Unable to edit category"))?;
    let folder = Some(folder.trim()).filter(|it| !it.is_empty());
    let options = LabelOptions {
        folder: folder.map(str::to_owned),
        ..known.clone()
    };
    shared
        .control
        .set_label(category.to_owned(), options)
        .await?;
    nothing()
}

/// Deletes categories, or tags. A name of the other kind is passed over.
async fn remove(shared: &Shared, names: Vec<&str>, are_categories: bool) -> Outcome {
    for name in names {
        let labels = Labels::of(&shared.control);
        if labels.is_known(name) && labels.is_category(name) == are_categories {
            shared.control.remove_label(name.to_owned()).await?;
        }
    }
    nothing()
}

/// Makes tags that are not known. A category is no tag.
pub(super) async fn make_tags(shared: &Shared, names: &[&str]) -> Result<(), ControlError> {
    let labels = Labels::of(&shared.control);
    for name in names {
        if !labels.is_known(name) {
            shared
                .control
                .set_label((*name).to_owned(), LabelOptions::default())
                .await?;
        }
    }
    Ok(())
}

async fn change_tags(shared: &Shared, name: &str, params: &Params) -> Outcome {
    let [hashes] = params.need(["hashes"])?;
    if name != "torrents/removeTags" {
        params.need(["tags"])?;
    }
    let tags = params.list("tags", ',');
    let torrents = selected(shared, hashes);
    if name != "torrents/removeTags" && !torrents.is_empty() {
        make_tags(shared, &tags).await?;
    }
    let labels = Labels::of(&shared.control);
    each(torrents, |it| {
        relabel(shared, &it, tagged(&labels, name, &it.labels, &tags))
    })
    .await
}

/// The labels of a torrent with other tags. Its category stays, and no other category becomes one by a tag.
fn tagged(labels: &Labels, name: &str, before: &[String], tags: &[&str]) -> Vec<String> {
    let is_named = |label: &&str| tags.contains(label);
    let kept = before
        .iter()
        .map(String::as_str)
        .filter(|label| match name {
            _ if labels.is_category(label) => true,
            "torrents/setTags" => is_named(label),
            // Without a list, all of them go.
            "torrents/removeTags" => !tags.is_empty() && !is_named(label),
            _ => true,
        });
    let mut after: Vec<&str> = kept.collect();
    if name != "torrents/removeTags" {
        for tag in tags {
            if !labels.is_category(tag) && !after.contains(tag) {
                after.push(tag);
            }
        }
    }
    after.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_added_set_and_removed() {
        let labels = Labels::default();
        let before = ["a", "b"].map(str::to_owned);
        let after = |name: &str, tags: &[&str]| tagged(&labels, name, &before, tags).join(" ");
        assert_eq!(after("torrents/addTags", &["b", "c"]), "a b c");
        assert_eq!(after("torrents/setTags", &["b", "c"]), "b c");
        assert_eq!(after("torrents/setTags", &[]), "");
        assert_eq!(after("torrents/removeTags", &["b", "c"]), "a");
        assert_eq!(after("torrents/removeTags", &[]), "");
    }
}
