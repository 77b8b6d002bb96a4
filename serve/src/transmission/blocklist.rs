//! The lists of addresses that are not connected with. Who starts the daemon has them.

use std::fmt;
use std::pin::Pin;

/// Lists of addresses that are not connected with, such as those of `--ip-filter`.
pub trait Blocklist: fmt::Debug + Send + Sync {
    /// Whether there are any.
    fn is_enabled(&self) -> bool;

    /// How many ranges of addresses they have now.
    fn size(&self) -> usize;

    /// The URL of the first one that has one.
    fn url(&self) -> Option<String>;

    /// Reads them again.
    ///
    /// # Errors
    ///
    /// When one cannot be had; the ones that were read before hold on then.
    fn update(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}
