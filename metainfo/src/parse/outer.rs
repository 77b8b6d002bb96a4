//! Parses the fields outside the info dictionary. The info-hash does not cover them, many programs write them wrongly,
//! and none of them makes a torrent invalid.

use super::context::{Context, Node};
use super::{info, layers};
use crate::merkle::PieceLayers;
use crate::{FieldProblem, HostPort, Info, Limits, MetainfoError, Warning};
use std::collections::HashSet;
use tailwater_bencode::{Document, List, Value};

/// The checked content of a .torrent file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outer {
    pub(crate) info: Info,
    pub(crate) trackers: Vec<Vec<String>>,
    pub(crate) web_seeds: Vec<String>,
    pub(crate) http_seeds: Vec<String>,
    pub(crate) nodes: Vec<HostPort>,
    pub(crate) comment: Option<String>,
    pub(crate) created_by: Option<String>,
    pub(crate) creation_date: Option<i64>,
    pub(crate) piece_layers: PieceLayers,
    pub(crate) warnings: Vec<Warning>,
}

/// The document itself, as leniently as [`parse_outer`] reads it.
pub(crate) fn decode_outer<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Document<'a>, MetainfoError> {
    Context::new(limits).decode(bytes)
}

pub(crate) fn parse_outer(bytes: &[u8], limits: &Limits) -> Result<Outer, MetainfoError> {
    let mut context = Context::new(limits);
    let document = context.decode(bytes)?;
    let dict = document.root().as_dict().ok_or(MetainfoError::Field {
        field: "the file".to_owned(),
        offset: 0,
        problem: FieldProblem::NotA("a dictionary"),
    })?;
    let outer = Node { dict, path: "" };
    let info_dict = outer.required("info", "a dictionary", Value::as_dict)?;
    let inner = info::read(info_dict, &mut context)?;
    let info = Info::new(inner);
    let piece_layers = layers::read(&outer, &info, &mut context)?;
    Ok(Outer {
        trackers: trackers(&outer, &mut context),
        web_seeds: web_seeds(&outer, &info, &mut context),
        http_seeds: urls(&outer, "httpseeds", &mut context),
        nodes: nodes(&outer, &mut context),
        comment: text(&outer, "comment", &mut context),
        created_by: text(&outer, "created by", &mut context),
        creation_date: creation_date(&outer, &mut context),
        info,
        piece_layers,
        warnings: context.into_warnings(),
    })
}

/// The tiers of `announce-list`, or else the one tracker of `announce` (BEP 12: the list takes precedence).
fn trackers(outer: &Node<'_, '_, '_>, context: &mut Context<'_>) -> Vec<Vec<String>> {
    let list = context.optional(
        outer,
        "announce-list",
        "a list of lists of URLs",
        Value::as_list,
    );
    let mut tiers: Vec<Vec<String>> = Vec::new();
    for (number, tier) in list.into_iter().flatten().enumerate() {
        let field = format!("announce-list[{number}]");
        let urls: Vec<_> = if let Some(tier) = tier.as_list() {
            list_of_urls(tier, &field, context)
        } else if let Some(url) = url(tier) {
            context.warn(odd(field, tier, "a list of URLs"));
            vec![url]
        } else {
            context.ignored(field, tier, "a list of URLs");
            continue;
        };
        if !urls.is_empty() {
            tiers.push(urls);
        }
    }
    if tiers.is_empty() {
        let announce = context.optional(outer, "announce", "a URL", url);
        tiers.extend(announce.map(|url| vec![url]));
    }
    tiers
}

/// A URL or a list of URLs (BEP 19, BEP 17); an empty string, which some software writes for none, is none.
fn urls(outer: &Node<'_, '_, '_>, key: &str, context: &mut Context<'_>) -> Vec<String> {
    let Some(value) = outer
        .dict
        .get(key)
        .filter(|value| value.as_bytes() != Some(b""))
    else {
        return Vec::new();
    };
    if let Some(list) = value.as_list() {
        return list_of_urls(list, &outer.field(key), context);
    }
    context
        .optional(outer, key, "a URL or a list of URLs", url)
        .into_iter()
        .collect()
}

/// The URLs of web seeds (BEP 19).
fn web_seeds(outer: &Node<'_, '_, '_>, info: &Info, context: &mut Context<'_>) -> Vec<String> {
    settled(urls(outer, "url-list", context), info)
}

/// URLs of web seeds, each once. The URL for several files is a folder and ends in a slash.
pub(crate) fn settled(mut seeds: Vec<String>, info: &Info) -> Vec<String> {
    let mut seen = HashSet::new();
    for seed in &mut seeds {
        if info.files().len() > 1 && !seed.ends_with('/') {
            seed.push('/');
        }
    }
    seeds.retain(|seed| seen.insert(seed.clone()));
    seeds
}

fn list_of_urls(list: List<'_, '_>, field: &str, context: &mut Context<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    for (number, value) in list.iter().enumerate() {
        match url(value) {
            Some(url) => urls.push(url),
            None => context.ignored(format!("{field}[{number}]"), value, "a URL"),
        }
    }
    urls
}

/// A URL, checked as far as possible without knowing its scheme. Spaces in it are a common mistake.
fn url(value: Value<'_, '_>) -> Option<String> {
    let text = value.as_str()?.trim().replace(' ', "%20");
    let usable =
        text.contains("://") && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    usable.then_some(text)
}

/// The DHT nodes of a torrent without tracker: pairs of host and port (BEP 5).
fn nodes(outer: &Node<'_, '_, '_>, context: &mut Context<'_>) -> Vec<HostPort> {
    let list = context.optional(outer, "nodes", "a list of hosts and ports", Value::as_list);
    let mut nodes = Vec::new();
    for (number, value) in list.into_iter().flatten().enumerate() {
        match node(value) {
            Some(node) => nodes.push(node),
            None => context.ignored(format!("nodes[{number}]"), value, "a host and a port"),
        }
    }
    nodes
}

fn node(value: Value<'_, '_>) -> Option<HostPort> {
    let mut pair = value.as_list()?.iter();
    let host = pair.next()?.as_str()?;
    let port = u16::try_from(pair.next()?.as_int()?).ok()?;
    HostPort::new(host, port).ok()
}

/// A text for display; `<key>.utf-8` is the better one where the other is in some other encoding.
fn text(outer: &Node<'_, '_, '_>, key: &str, context: &mut Context<'_>) -> Option<String> {
    let better = outer
        .dict
        .get_str(format!("{key}.utf-8"))
        .map(str::to_owned);
    let lossy = |value: Value<'_, '_>| {
        value
            .as_bytes()
            .map(|text| String::from_utf8_lossy(text).into_owned())
    };
    better.or_else(|| context.optional(outer, key, "a string", lossy))
}

/// Seconds since 1970; some software writes them as a string.
fn creation_date(outer: &Node<'_, '_, '_>, context: &mut Context<'_>) -> Option<i64> {
    let key = "creation date";
    let seconds = |value: Value<'_, '_>| {
        value
            .as_int()
            .or_else(|| value.as_str()?.trim().parse().ok())
    };
    let date = context.optional(outer, key, "a number", seconds)?;
    if let Some(value) = outer.dict.get(key).filter(|value| value.as_int().is_none()) {
        context.warn(odd(outer.field(key), value, "a number"));
    }
    Some(date)
}

fn odd(field: String, value: Value<'_, '_>, expected: &'static str) -> Warning {
    Warning::Odd {
        field,
        offset: value.span().start,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrent(files: &str, list: &str) -> String {
        format!(
            "d4:infod{files}4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae8:url-list{list}e"
        )
    }

    fn web_seeds(files: &str, list: &str) -> Vec<String> {
        let torrent = torrent(files, list);
        let outer = parse_outer(torrent.as_bytes(), &Limits::default()).unwrap();
        outer.web_seeds
    }

    const ONE: &str = "6:lengthi5e";
    const ONE_IN_A_FOLDER: &str = "5:filesld6:lengthi5e4:pathl1:aeee";
    const TWO: &str = "5:filesld6:lengthi5e4:pathl1:aeed6:lengthi5e4:pathl1:beee";

    #[test]
    fn a_web_seed_of_several_files_is_a_folder() {
        assert_eq!(web_seeds(ONE, "10:http://s/a"), ["http://s/a"]);
        assert_eq!(web_seeds(ONE_IN_A_FOLDER, "10:http://s/a"), ["http://s/a"]);
        assert_eq!(web_seeds(TWO, "10:http://s/a"), ["http://s/a/"]);
    }

    #[test]
    fn other_web_seeds_take_their_place() {
        let with = |files: &str| {
            let torrent = torrent(files, "10:http://s/a");
            let read = crate::Metainfo::from_bytes(torrent.as_bytes()).unwrap();
            let urls = ["http://b", "http://c/", "http://b"].map(str::to_owned);
            read.with_web_seeds(urls.to_vec()).web_seeds().to_vec()
        };
        assert_eq!(with(ONE), ["http://b", "http://c/"]);
        assert_eq!(with(TWO), ["http://b/", "http://c/"]);
    }

    #[test]
    fn web_seeds_are_named_once_and_with_their_spaces_encoded() {
        let list = "l12:http://s/a b13: http://s/a b10:http://s/c13:http://s/a b/10:s/no-schemee";
        let expected = ["http://s/a%20b/", "http://s/c/"];
        assert_eq!(web_seeds(TWO, list), expected);
    }
}
