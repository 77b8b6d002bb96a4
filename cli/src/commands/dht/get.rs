//! `tailwater dht get`

use std::io::{self, Write};

use serde::Serialize;
use tailwater_dht::{Item, ItemKey, ItemValue, MutableTorrent, Report};
use tailwater_metainfo::{InfoHashes, Magnet};

use super::Cost;
use super::bencode::Shown;
use super::client::Client;
use crate::args::{DhtGet, ItemRef};
use crate::commands::Context;
use crate::error::CliError;
use crate::error::{DhtFailure, asked};
use crate::out::{self, Harmless};

#[derive(Serialize)]
struct Said {
    target: String,
    key: Option<String>,
    seq: Option<i64>,
    /// What a text says.
    text: Option<String>,
    /// Any value, as text.
    shown: String,
    /// Any value, as it is stored.
    bencode_hex: String,
    /// The torrent that the item names (BEP 46).
    info_hash: Option<String>,
    #[serde(flatten)]
    cost: Cost,
}

/// The key of the item to look up.
pub(super) fn item_key(args: &DhtGet) -> Result<ItemKey, CliError> {
    args.item.item_key(args.salt).ok_or_else(|| {
        CliError::Usage(
            "`--salt` is for a public key: a hash has none, and a link has its own".to_owned(),
        )
    })
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    args: &DhtGet,
    key: ItemKey,
) -> Result<(), CliError> {
    let get = client.ask(async |dht| Ok(dht.get_with_report(key).await?));
    let (item, report) = get.await?;
    let Some(item) = item else {
        let report = Box::new(report);
        return Err(DhtFailure::NotFound { report }.into());
    };
    if context.common.json() {
        return out::json(&said(&item, &report));
    }
    show(context, args, &item)?;
    let version = item.seq().map(|seq| format!("version {seq}; "));
    let words = (version.unwrap_or_default(), asked(&report));
    context
        .progress
        .note(format_args!("{}{}", words.0, words.1));
    Ok(())
}

fn show(context: &Context, args: &DhtGet, item: &Item) -> Result<(), CliError> {
    let value = item.value();
    if args.raw {
        let text = text_of(value);
        let bytes = text.as_deref().unwrap_or(value.as_bytes());
        let mut out = io::stdout().lock();
        return CliError::output(out.write_all(bytes).and_then(|()| out.flush()));
    }
    let torrent = MutableTorrent::info_hash(value);
    if let (ItemRef::Publication(_), Some(v1)) = (args.item, torrent) {
        let hashes = InfoHashes {
            v1: Some(v1),
            v2: None,
        };
        return context.progress.say(Magnet::new(hashes));
    }
    match text_of(value).map(String::from_utf8) {
        Some(Ok(text)) => {
            let lines: Vec<_> = text
                .lines()
                .map(|line| Harmless(line).to_string())
                .collect();
            context.progress.say(lines.join("\n"))
        }
        _ => context.progress.say(Shown(value)),
    }
}

fn text_of(value: &ItemValue) -> Option<Vec<u8>> {
    Some(value.decode().ok()?.root().as_bytes()?.to_vec())
}

fn said(item: &Item, report: &Report) -> Said {
    let value = item.value();
    let bytes = value.as_bytes().iter();
    let text = text_of(value).and_then(|text| String::from_utf8(text).ok());
    Said {
        target: item.target().to_string(),
        key: match item {
            Item::Immutable(_) => None,
            Item::Mutable(item) => Some(item.key().to_string()),
        },
        seq: item.seq(),
        text,
        shown: Shown(value).to_string(),
        bencode_hex: bytes.map(|byte| format!("{byte:02x}")).collect(),
        info_hash: MutableTorrent::info_hash(value).map(|hash| hash.to_string()),
        cost: report.into(),
    }
}
