//! The piece layers of a v2 torrent, checked against the roots of its files (BEP 52).

use super::context::{Context, Node, error_at};
use super::paths::excerpt;
use crate::merkle::{Layer, PieceLayers};
use crate::{FieldProblem, Info, MerkleHash, MetainfoError, Warning};
use std::collections::HashMap;
use tailwater_bencode::{Dict, Value};

/// The hashes of the pieces of the files that are longer than a piece, by the file's root. A file without a layer is
/// treated as one of a magnet link: peers have its layer too.
pub(super) fn read(
    outer: &Node<'_, '_, '_>,
    info: &Info,
    context: &mut Context<'_>,
) -> Result<PieceLayers, MetainfoError> {
    let mut layers: HashMap<MerkleHash, Layer> = HashMap::new();
    let piece_length = info.geometry().piece_length();
    let dict = context.optional(outer, "piece layers", "a dictionary", Value::as_dict);
    // One table instead of a search for each file: an untrusted torrent can make both lists long.
    let found = dict.map(first_of_each).unwrap_or_default();
    for (file, layered) in info.layered_files() {
        let root = layered.root;
        let Some(&value) = found.get(&root.as_bytes()[..]) else {
            context.warn(Warning::LayerMissing(excerpt(file.path().as_str())));
            continue;
        };
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
        let hashes = bytes.as_chunks::<32>().0.iter().copied();
        let hashes: Vec<_> = hashes.map(MerkleHash::new).collect();
        let layer = Layer::whole(root, file.length(), piece_length, &hashes);
        let layer = layer.ok_or_else(|| fail(FieldProblem::LayerMismatch))?;
        layers.insert(root, layer);
    }
    let is_used = |key: &[u8]| {
        let root = <[u8; 32]>::try_from(key).map(MerkleHash::new);
        root.is_ok_and(|root| layers.contains_key(&root))
    };
    let strays = found.iter().filter(|(key, _)| !is_used(key));
    let first = strays
        .map(|(_, value)| *value)
        .min_by_key(|value| value.span().start);
    match first {
        Some(stray) => Err(error_at(
            "piece layers".to_owned(),
            stray,
            FieldProblem::StrayLayer,
        )),
        None => {
            let files = info.tree_files().map(|(_, file)| file);
            Ok(PieceLayers::new(files, piece_length, |file| {
                let known = layers.remove(&file.root);
                known.unwrap_or_else(|| Layer::unknown(file.root, file.len, piece_length))
            }))
        }
    }
}

fn first_of_each<'d, 'a>(dict: Dict<'d, 'a>) -> HashMap<&'a [u8], Value<'d, 'a>> {
    let mut values = HashMap::new();
    for (key, value) in dict {
        values.entry(key).or_insert(value);
    }
    values
}
