//! Files of a torrent, by their places in the list: padding is not in it.

use serde_json::{Value, json};

use super::Row;
use crate::control::{FileChange, FilePriority, FileView};
use crate::stream::media_type;
use crate::transmission::dialects::Dialect;
use crate::transmission::failure::{Failure, Kind};
use crate::transmission::params::Params;

pub(super) fn value(name: &str, row: &Row<'_>) -> Option<Value> {
    let files = row.parts.files.as_slice();
    let each = |value: fn(&FileView) -> Value| files.iter().map(value).collect::<Value>();
    Some(match name {
        "bytes_completed" => each(|file| file.have.into()),
        "file_stats" => each(|file| {
            json!({
                "bytes_completed": file.have,
                "wanted": is_wanted(file),
                "priority": priority(file),
            })
        }),
        "files" => each(|file| {
            json!({
                "begin_piece": file.first_piece,
                "bytes_completed": file.have,
                "end_piece": file.first_piece.saturating_add(file.piece_count),
                "length": file.size,
                "name": file.path,
            })
        }),
        "primary_mime_type" => {
            let largest = files.iter().max_by_key(|file| file.size);
            media_type(largest.map_or("", |file| &file.path)).into()
        }
        "priorities" => each(|file| priority(file).into()),
        // The legacy form has numbers.
        "wanted" => match row.dialect {
            Dialect::Legacy => each(|file| u8::from(is_wanted(file)).into()),
            Dialect::JsonRpc => each(|file| is_wanted(file).into()),
        },
        _ => return None,
    })
}

fn is_wanted(file: &FileView) -> bool {
    file.priority != FilePriority::Skip
}

const fn priority(file: &FileView) -> i8 {
    match file.priority {
        FilePriority::Low => -1,
        FilePriority::Skip | FilePriority::Normal => 0,
        FilePriority::High => 1,
    }
}

/// The names of parameters that change files.
const PRIORITIES: [(&str, FilePriority); 3] = [
    ("priority_high", FilePriority::High),
    ("priority_low", FilePriority::Low),
    ("priority_normal", FilePriority::Normal),
];

/// What a request asks for of files; an empty list of files means all. A file that is not wanted has no priority here, so
/// that a priority alone does not make it wanted.
///
/// # Errors
///
/// When there is no file at a place that is named.
pub(in crate::transmission) fn changes(
    params: Params<'_>,
    files: &[FileView],
) -> Result<Vec<FileChange>, Failure> {
    let mut wished: Vec<FilePriority> = files.iter().map(|file| file.priority).collect();
    for (name, is_wanted) in [("files_unwanted", false), ("files_wanted", true)] {
        for at in places(params, name, files.len())? {
            let wish = &mut wished[at];
            *wish = match (is_wanted, *wish) {
                (false, _) => FilePriority::Skip,
                (true, FilePriority::Skip) => FilePriority::Normal,
                (true, wish) => wish,
            };
        }
    }
    for (name, priority) in PRIORITIES {
        for at in places(params, name, files.len())? {
            if wished[at] != FilePriority::Skip {
                wished[at] = priority;
            }
        }
    }
    let pairs = files.iter().zip(wished);
    let changed = pairs.filter(|(file, wish)| file.priority != *wish);
    let changes = changed.map(|(file, priority)| FileChange {
        index: file.index,
        priority,
    });
    Ok(changes.collect())
}

/// The places that a parameter names; all of them if it names none.
fn places(params: Params<'_>, name: &str, count: usize) -> Result<Vec<usize>, Failure> {
    let Some(list) = params.list(name) else {
        return Ok(Vec::new());
    };
    if list.is_empty() {
        return Ok((0..count).collect());
    }
    let numbers = list.iter().filter_map(Value::as_i64);
    let places = numbers.map(|number| {
        let place = usize::try_from(number).ok().filter(|place| *place < count);
        place.ok_or_else(|| Failure::new(Kind::FileIndex, ""))
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(index: usize, priority: FilePriority) -> FileView {
        FileView {
            index,
            path: String::new(),
            size: 0,
            have: 0,
            priority,
            first_piece: 0,
            piece_count: 1,
        }
    }

    fn changed(json: &Value) -> Result<Vec<(usize, FilePriority)>, Failure> {
        use FilePriority::{High, Normal, Skip};
        // The second has padding before it.
        let files = [file(0, Normal), file(2, Skip), file(3, High)];
        let changes = changes(Params(json.as_object().unwrap()), &files)?;
        Ok(changes
            .into_iter()
            .map(|change| (change.index, change.priority))
            .collect())
    }

    #[test]
    fn files_are_named_by_their_places() {
        use FilePriority::{High, Low, Normal, Skip};
        assert_eq!(
            changed(&json!({"files_wanted": [1]})).unwrap(),
            [(2, Normal)]
        );
        assert_eq!(
            changed(&json!({"files_unwanted": [2]})).unwrap(),
            [(3, Skip)]
        );
        assert_eq!(
            changed(&json!({"files_unwanted": []})).unwrap(),
            [(0, Skip), (3, Skip)]
        );
        assert_eq!(
            changed(&json!({"files_wanted": [1], "priority_high": [1, 0]})).unwrap(),
            [(0, High), (2, High)]
        );
        // A priority alone does not make a file wanted.
        assert_eq!(
            changed(&json!({"priority_low": []})).unwrap(),
            [(0, Low), (3, Low)]
        );
        assert_eq!(changed(&json!({"files_wanted": [0, "x"]})).unwrap(), []);
        for wrong in [json!({"files_wanted": [3]}), json!({"priority_low": [-1]})] {
            assert_eq!(changed(&wrong).unwrap_err().kind, Kind::FileIndex);
        }
    }
}
