//! Texts that an API keeps for its clients with the daemon, such as what they have played.

use super::error::ControlError;
use super::service::Control;

/// The longest text, in bytes.
pub(crate) const MAX_KEPT_LEN: usize = 4 * 1_024 * 1_024;

impl Control {
    /// A text that an API has kept; `None` if it has kept none of this name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(crate) async fn kept(&self, name: &'static str) -> Result<Option<String>, ControlError> {
        Ok(self.inner.store.setting(name).await?)
    }

    /// Keeps a text in place of the one before. The name begins with that of the API.
    ///
    /// # Errors
    ///
    /// When it is too long, or the database fails; then the text before stays.
    pub(crate) async fn keep(&self, name: &'static str, text: String) -> Result<(), ControlError> {
        if text.len() > MAX_KEPT_LEN {
            return Err(ControlError::Invalid(format!(
                "more than {MAX_KEPT_LEN} bytes cannot be kept"
            )));
        }
        let inner = std::sync::Arc::clone(&self.inner);
        let saving = async move { Ok(inner.store.save_setting(name, text).await?) };
        self.inner.finish(saving).await
    }
}
