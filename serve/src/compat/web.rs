//! The files of a web page that drives an API, from a folder that the user names. None comes with this program.

use std::path::Path;

use tower_http::services::ServeDir;

/// Serves a folder, and `index.html` for each folder in it. Never what lies above; links in it are its owner's.
pub(crate) fn page(folder: &Path) -> ServeDir {
    ServeDir::new(folder).append_index_html_on_directories(true)
}
