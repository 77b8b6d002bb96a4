//! The body of a request that names a torrent.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value, json};
use tailwater_metainfo::Limits;

use super::Content;
use crate::args::Source;
use crate::error::CliError;

/// The body of a request that names a torrent, with these options.
pub(crate) fn source_body(
    source: &Source,
    mut options: Map<String, Value>,
) -> Result<Content, CliError> {
    options.extend(source_fields(source)?);
    Ok(super::json(&Value::Object(options)))
}

/// What names a torrent in the body of a request. A file is read, in as long as the disk takes.
pub(crate) fn source_fields(source: &Source) -> Result<Map<String, Value>, CliError> {
    let (name, value) = match source {
        Source::Url(link) | Source::Magnet(link) => ("link", json!(link)),
        Source::File(path) => ("torrent", json!(base64(&read(path)?))),
        Source::Stdin => {
            let mut bytes = Vec::new();
            let read = std::io::stdin()
                .lock()
                .take(longest())
                .read_to_end(&mut bytes);
            read.map_err(|source| CliError::System {
                operation: "read standard input",
                source,
            })?;
            ("torrent", json!(base64(&bytes)))
        }
        Source::Bytes(bytes) => ("torrent", json!(base64(bytes))),
    };
    Ok(Map::from_iter([(name.to_owned(), value)]))
}

/// One byte more than a .torrent file may have: the daemon says that it is too long.
fn longest() -> u64 {
    u64::try_from(Limits::default().len)
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = std::fs::File::open(path).map_err(CliError::io("read", path))?;
    let mut bytes = Vec::new();
    let read = file.take(longest()).read_to_end(&mut bytes);
    read.map_err(CliError::io("read", path))?;
    Ok(bytes)
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}
