//! The v2 file tree (BEP 52).

use super::context::{Context, Node, error_at};
use super::paths::{MendedPath, RawFile, excerpt, symlink_target};
use super::v1::{attributes, length};
use crate::{FieldProblem, MerkleHash, MetainfoError};
use tailwater_bencode::{Dict, DictIter, Value};

/// The files of the tree, in its order. Iterative, with an explicit stack that is never deeper than the limit on
/// directories.
pub(super) fn files(
    info: &Node<'_, '_, '_>,
    context: &mut Context<'_>,
) -> Result<Vec<RawFile>, MetainfoError> {
    let tree = info.required("file tree", "a dictionary", Value::as_dict)?;
    let root = info.field("file tree");
    if tree.get("").is_some() {
        return Err(info.error("file tree", FieldProblem::FileAndDirectory));
    }
    let mut files = Vec::new();
    let mut names: Vec<&[u8]> = Vec::new();
    let mut open = vec![Directory::new(tree)];
    while let Some(directory) = open.last_mut() {
        let before = directory.last;
        let Some((name, value)) = directory.entries.next() else {
            open.pop();
            names.pop();
            continue;
        };
        directory.last = Some(name);
        names.push(name);
        let field = || tree_field(&root, &names);
        let fail = |problem| error_at(field(), value, problem);
        if names.len() > context.limits.directory_depth {
            return Err(fail(FieldProblem::TooDeep(context.limits.directory_depth)));
        }
        if before.is_some_and(|before| before >= name) {
            return Err(fail(FieldProblem::Unordered));
        }
        let node = value
            .as_dict()
            .ok_or_else(|| fail(FieldProblem::NotA("a dictionary")))?;
        let Some(properties) = file_node(node).map_err(fail)? else {
            open.push(Directory::new(node));
            continue;
        };
        let path = MendedPath::new(names.iter().copied(), context).map_err(fail)?;
        let path_of_file = field();
        let file = Node {
            dict: properties,
            path: &path_of_file,
        };
        files.push(entry(&file, path, context)?);
        names.pop();
    }
    if files.is_empty() {
        return Err(info.error("file tree", FieldProblem::Empty));
    }
    Ok(files)
}

/// A directory that is being walked.
struct Directory<'d, 'a> {
    entries: DictIter<'d, 'a>,
    last: Option<&'a [u8]>,
}

impl<'d, 'a> Directory<'d, 'a> {
    fn new(dict: Dict<'d, 'a>) -> Self {
        Self {
            entries: dict.iter(),
            last: None,
        }
    }
}

/// Whether the tree is one file of the torrent's own name, which needs no folder around it.
pub(super) fn is_single_file(info: &Node<'_, '_, '_>, name: &[u8]) -> bool {
    let Some(tree) = info.dict.get_dict("file tree") else {
        return false;
    };
    let mut entries = tree.iter();
    let first = entries.next();
    let is_named_file = first.is_some_and(|(key, node)| {
        key == name && node.as_dict().is_some_and(|node| node.get("").is_some())
    });
    is_named_file && entries.next().is_none()
}

/// The properties of a file, which stand alone under an empty key; `None` for a directory.
fn file_node<'d, 'a>(node: Dict<'d, 'a>) -> Result<Option<Dict<'d, 'a>>, FieldProblem> {
    let Some(properties) = node.get("") else {
        return Ok(None);
    };
    if node.iter().nth(1).is_some() {
        return Err(FieldProblem::FileAndDirectory);
    }
    let properties = properties
        .as_dict()
        .ok_or(FieldProblem::NotA("a dictionary"))?;
    Ok(Some(properties))
}

fn entry(
    file: &Node<'_, '_, '_>,
    path: MendedPath,
    context: &mut Context<'_>,
) -> Result<RawFile, MetainfoError> {
    let attributes = attributes(file, context);
    if attributes.pad {
        return Err(file.error("attr", FieldProblem::PadInTree));
    }
    let length = length(file, attributes, context)?;
    let symlink = if attributes.symlink {
        let target = file
            .dict
            .get("symlink path")
            .ok_or_else(|| file.missing("symlink path"))?;
        Some(symlink_target(
            target,
            &file.field("symlink path"),
            context,
        )?)
    } else {
        None
    };
    let pieces_root = if length > 0 {
        Some(pieces_root(file)?)
    } else {
        None
    };
    Ok(RawFile {
        path,
        length,
        attributes,
        symlink,
        pieces_root,
        at: file.dict.as_value().span().start,
    })
}

fn pieces_root(file: &Node<'_, '_, '_>) -> Result<MerkleHash, MetainfoError> {
    let root = file.required("pieces root", "a string", Value::as_bytes)?;
    let hash = <[u8; 32]>::try_from(root)
        .map_err(|_| file.error("pieces root", FieldProblem::HashLength(root.len())))?;
    if hash == [0; 32] {
        return Err(file.error("pieces root", FieldProblem::ZeroHash));
    }
    Ok(MerkleHash::new(hash))
}

/// The path of a file's node, for messages, with its names lossily as text.
fn tree_field(root: &str, names: &[&[u8]]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| String::from_utf8_lossy(name))
        .collect();
    format!("{root}[{:?}]", excerpt(&names.join("/")))
}
