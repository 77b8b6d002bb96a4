//! The pages: files that are part of the program, and a policy that lets them load nothing else.
//!
//! They are plain ES modules: what a browser runs is what lies in `pages/`, and there is no build step. Their addresses
//! have a number made of what they hold, so that browsers keep them for good and a new version is fetched at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::problem::Problem;
use super::server::Shared;

/// The pages load from this server alone, run no script but their own, and are in no other page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A file whose address changes with what it holds is never asked for again.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const INDEX: &str = include_str!("pages/index.html");
const ICON: &str = include_str!("pages/icon.svg");
/// What stands in the index for the number of the version.
const VERSION_MARK: &str = "{version}";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// The files that the index names, and those that they import.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("pages/", $name)))),*];
    };
}

files!(
    "add.js",
    "api.js",
    "app.css",
    "app.js",
    "details.js",
    "dialogs.js",
    "fields.js",
    "files.js",
    "format.js",
    "graph.js",
    "icons.js",
    "labels.js",
    "lib.js",
    "list.js",
    "login.js",
    "manifest.webmanifest",
    "options.js",
    "peers.js",
    "pieces.js",
    "router.js",
    "rows.js",
    "schedule.js",
    "selection.js",
    "session.js",
    "settings.js",
    "shell.js",
    "sse.js",
    "state.js",
    "store.js",
    "stream.js",
    "sync.js",
    "table.js",
    "theme.js",
    "trackers.js",
    "tree.js",
    "ui.js",
    "vendor/htm.js",
    "vendor/preact-hooks.js",
    "vendor/preact.js",
    "vendor/uplot.css",
    "vendor/uplot.js",
);

/// The number of the version, and the index that names it.
static PAGES: LazyLock<Pages> = LazyLock::new(Pages::new);

struct Pages {
    version: String,
    index: String,
    etag: String,
}

impl Pages {
    fn new() -> Self {
        let mut hasher = DefaultHasher::new();
        (INDEX, FILES).hash(&mut hasher);
        let version = format!("{:016x}", hasher.finish());
        Self {
            index: INDEX.replace(VERSION_MARK, &version),
            etag: format!("\"{version}\""),
            version,
        }
    }
}

/// The files of the pages, which need no token: they are the same for all, and have nothing of the daemon's.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(index))
        .route("/icon.svg", get(icon))
        .route("/app/{version}/{*name}", get(file))
}

async fn index(headers: HeaderMap) -> Response {
    let known = headers.get_all(IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (ETAG, PAGES.etag.as_str()),
    ];
    if known.any(|known| super::list::is_listed(known, &PAGES.etag)) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, PAGES.index.as_str()).into_response()
}

async fn icon() -> Response {
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CONTENT_TYPE, "image/svg+xml"),
    ];
    (fixed, ICON).into_response()
}

async fn file(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    // Files of another version would not fit to those that are there already.
    let (name, text) = match found {
        Some(found) if version == PAGES.version => found,
        _ => return Err(Problem::no_route()),
    };
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CONTENT_TYPE, content_type(name)),
        (CACHE_CONTROL, FOR_GOOD),
    ];
    Ok((fixed, *text).into_response())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "webmanifest")) => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// All files below the folder of the pages, but for licences and notes.
    fn on_disk(folder: &Path, before: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{before}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true if name == "vendor/licences" || name == "tests" => {}
                true => on_disk(&entry.path(), &format!("{name}/"), found),
                false if name.ends_with(".md") => {}
                false => {
                    found.insert(name);
                }
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/pages");
        let mut found = BTreeSet::new();
        on_disk(&folder, "", &mut found);
        let mut served: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        served.extend(["index.html".to_owned(), "icon.svg".to_owned()]);
        assert_eq!(found, served);
    }

    #[test]
    fn what_a_module_imports_is_served() {
        for (name, text) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            let folder = name
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _)| format!("{folder}/"));
            for import in text
                .split("from\"./")
                .chain(text.split("from \"./"))
                .skip(1)
            {
                let import = import.split('"').next().unwrap();
                if import.contains(char::is_whitespace) {
                    continue;
                }
                let path = format!("{folder}{import}");
                assert!(
                    FILES.iter().any(|(known, _)| *known == path),
                    "{name}: {path}"
                );
            }
        }
    }

    #[test]
    fn the_pages_have_nothing_that_the_policy_forbids() {
        for forbidden in ["<style", "style=", " onclick", "<script>", "//"] {
            assert!(!INDEX.contains(forbidden), "{forbidden}");
        }
        assert!(!POLICY.contains("unsafe"));
        for (name, text) in FILES {
            let is_ours = !name.starts_with("vendor/");
            for forbidden in ["eval(", "new Function", "importScripts"] {
                assert!(!text.contains(forbidden), "{name}: {forbidden}");
            }
            for forbidden in [
                "innerHTML",
                "dangerouslySetInnerHTML",
                "http://",
                "https://",
            ] {
                assert!(!is_ours || !text.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }

    #[test]
    fn the_index_names_the_version_of_what_it_loads() {
        assert!(!PAGES.index.contains(VERSION_MARK));
        let name = format!("/app/{}/app.js", PAGES.version);
        assert!(PAGES.index.contains(&name), "{}", PAGES.index);
    }
}
