//! Texts that clients keep with a torrent: a title, the address of a picture. The daemon does nothing with them.

use std::collections::BTreeMap;

use super::error::ControlError;
use super::id::TorrentId;
use super::service::Control;

/// Texts that clients keep with a torrent, by name.
pub type Attributes = BTreeMap<String, String>;

/// The most texts of a torrent.
pub const MAX_ATTRIBUTES: usize = 16;
/// The longest text, in bytes: clients keep descriptions of films as JSON.
pub const MAX_ATTRIBUTE_LEN: usize = 64 * 1_024;
/// The longest name of a text, in bytes.
const MAX_NAME_LEN: usize = 64;

impl Control {
    /// The texts that clients keep with a torrent.
    ///
    /// # Errors
    ///
    /// When there is no such torrent.
    pub fn attributes(&self, id: TorrentId) -> Result<Attributes, ControlError> {
        let entry = self.inner.entry(id)?;
        let attributes = entry.state().options.attributes.clone();
        Ok(attributes)
    }

    /// Changes texts that clients keep with a torrent: an empty one is deleted, those that are not named stay.
    ///
    /// # Errors
    ///
    /// When there is no such torrent or there is too much text, and then nothing is changed; when it cannot be saved, and
    /// then it holds until the process ends.
    pub async fn set_attributes(
        &self,
        id: TorrentId,
        changes: Attributes,
    ) -> Result<(), ControlError> {
        self.change(id, |inner, entry| async move {
            let changed = merged(&entry.state().options.attributes, changes);
            check(&changed)?;
            entry.state().options.attributes = changed;
            inner.changed(&entry).await
        })
        .await
    }
}

fn merged(before: &Attributes, changes: Attributes) -> Attributes {
    let mut merged = before.clone();
    for (name, text) in changes {
        match text.is_empty() {
            true => merged.remove(&name),
            false => merged.insert(name, text),
        };
    }
    merged
}

/// Refuses what is out of all proportion: it is read with the torrents at each start.
pub(super) fn check(attributes: &Attributes) -> Result<(), ControlError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(ControlError::Invalid(format!(
            "more than {MAX_ATTRIBUTES} texts are kept with a torrent"
        )));
    }
    let is_long = |(name, text): (&String, &String)| {
        name.len() > MAX_NAME_LEN || text.len() > MAX_ATTRIBUTE_LEN
    };
    match attributes.iter().find(|pair| is_long(*pair)) {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(MAX_NAME_LEN).collect();
            Err(ControlError::Invalid(format!(
                "{name}: a text that is kept with a torrent has at most {MAX_ATTRIBUTE_LEN} bytes"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Attributes {
        let pairs = pairs.iter();
        pairs
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn an_empty_text_is_deleted_and_others_stay() {
        let before = texts(&[("a", "1"), ("b", "2")]);
        let after = merged(&before, texts(&[("a", ""), ("c", "3"), ("d", "")]));
        assert_eq!(after, texts(&[("b", "2"), ("c", "3")]));
    }

    #[test]
    fn texts_are_few_and_short() {
        let long = "x".repeat(MAX_ATTRIBUTE_LEN);
        assert!(check(&texts(&[("a", &long)])).is_ok());
        assert!(check(&texts(&[("a", &format!("{long}x"))])).is_err());
        assert!(check(&texts(&[(&"n".repeat(MAX_NAME_LEN + 1), "")])).is_err());
        let many = (0..=MAX_ATTRIBUTES).map(|n| (n.to_string(), "x".to_owned()));
        assert!(check(&many.collect()).is_err());
    }
}
