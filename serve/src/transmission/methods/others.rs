//! The room on a disk, the blocklist, the end.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Outcome, of};
use crate::transmission::failure::{Failure, Kind};
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

pub(super) async fn free_space(shared: &Shared, params: Params<'_>) -> Outcome {
    let path = params
        .text("path")
        .ok_or_else(|| Failure::params("directory path argument is missing"))?;
    if !Path::new(path).is_absolute() {
        let detail = "directory path is not absolute";
        return Err(Failure::new(Kind::RelativePath, detail));
    }
    let answer = |free: Value, total: Value| {
        Map::from_iter([
            ("path".to_owned(), path.into()),
            ("size_bytes".to_owned(), free),
            ("total_size".to_owned(), total),
        ])
    };
    let unknown = || answer((-1).into(), (-1).into());
    match shared.control.space(PathBuf::from(path)).await {
        Ok(Some(space)) => Ok(answer(space.free.into(), space.total.into())),
        Ok(None) => {
            let detail = "No such file or directory";
            Err(Failure::new(Kind::System, detail).with(unknown()))
        }
        Err(error) => Err(Failure::from(error).with(unknown())),
    }
}

/// Reads the lists again that the command line names.
pub(super) async fn blocklist_update(shared: &Shared) -> Outcome {
    let refused = |why: &str| {
        let detail = format!("Couldn't fetch blocklist: {why}");
        Err(Failure::new(Kind::Http, detail))
    };
    let lists = shared
        .options
        .blocklist
        .as_ref()
        .filter(|it| it.is_enabled());
    let Some(lists) = lists else {
        return refused("no list is named; name one with --ip-filter");
    };
    match lists.update().await {
        Ok(()) => Ok(of("blocklist_size", lists.size())),
        Err(why) => refused(&why),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what methods answer")]
pub(super) fn session_close(shared: &Shared) -> Outcome {
    shared.door.request_close();
    Ok(Map::new())
}
