//! The piece layers of a v2 torrent, checked against the roots of its files (BEP 52).

use super::context::{Node, error_at};
use super::paths::excerpt;
use crate::{FieldProblem, Info, MerkleHash, MetainfoError, merkle};
use std::collections::HashMap;
use tailwater_bencode::{Dict, Value};

/// The hashes of the pieces of every file that is longer than a piece, by the file's root.
pub(super) fn read(
    outer: &Node<'_, '_, '_>,
    info: &Info,
) -> Result<HashMap<MerkleHash, Box<[MerkleHash]>>, MetainfoError> {
    let mut layers = HashMap::new();
    let piece_length = info.geometry().piece_length();
    let mut found: Option<HashMap<&[u8], Value<'_, '_>>> = None;
    for file in info
        .files()
        .iter()
        .filter(|file| file.length() > u64::from(piece_length))
    {
        let Some(root) = file.pieces_root() else {
            continue;
        };
        let found = match &mut found {
            Some(found) => found,
            None => {
                let dict = outer.required("piece layers", "a dictionary", Value::as_dict)?;
                // One table instead of a search for each file: both are a stranger's to lengthen.
                found.insert(first_of_each(dict))
            }
        };
        let missing = || {
            outer.error(
                "piece layers",
                FieldProblem::LayerMissing(excerpt(file.path().as_str())),
            )
        };
        let value = *found.get(&root.as_bytes()[..]).ok_or_else(missing)?;
        let fail = |problem| error_at(format!("piece layers[{root}]"), value, problem);
        let bytes = value
            .as_bytes()
            .ok_or_else(|| fail(FieldProblem::NotA("a string")))?;
        let expected = file
            .length()
            .div_ceil(u64::from(piece_length))
            .saturating_mul(32);
        if u64::try_from(bytes.len()) != Ok(expected) {
            let found = bytes.len();
            return Err(fail(FieldProblem::LayerLength { expected, found }));
        }
        // Files with the same content share a root and a layer: hash it once.
        if layers.contains_key(&root) {
            continue;
        }
        let layer: Box<[_]> = bytes
            .as_chunks::<32>()
            .0
            .iter()
            .copied()
            .map(MerkleHash::new)
            .collect();
        if merkle::root(
            layer.iter().copied(),
            merkle::piece_layer_height(piece_length),
        ) != Some(root)
        {
            return Err(fail(FieldProblem::LayerMismatch));
        }
        layers.insert(root, layer);
    }
    Ok(layers)
}

fn first_of_each<'d, 'a>(dict: Dict<'d, 'a>) -> HashMap<&'a [u8], Value<'d, 'a>> {
    let mut values = HashMap::new();
    for (key, value) in dict {
        values.entry(key).or_insert(value);
    }
    values
}
