//! `tailwater dht put`

use std::fs::File;
use std::io::Read;

use serde::Serialize;
use tailwater_dht::{
    DhtError, Item, ItemKey, ItemValue, ItemValueError, MAX_ITEM_VALUE_LEN, MutableItem,
    MutableTorrent, Report, Salt, SecretKey,
};

use super::Cost;
use super::client::Client;
use super::key_file::{self, IsNew};
use crate::args::{DhtPut, TorrentId};
use crate::commands::Context;
use crate::error::CliError;
use crate::error::{DhtFailure, asked};
use crate::out;
use crate::words::count;

#[derive(Serialize)]
struct Said {
    target: String,
    key: Option<String>,
    salt: Option<String>,
    seq: Option<i64>,
    stored: u32,
    /// The link of BEP 46.
    magnet: Option<String>,
    #[serde(flatten)]
    cost: Cost,
}

/// The value to store.
pub(super) struct Given {
    value: ItemValue,
    secret: Option<SecretKey>,
}

impl Given {
    /// Reads what the flags name.
    pub(super) fn read(args: &DhtPut) -> Result<Self, CliError> {
        let value = match (&args.text, &args.file, args.torrent) {
            (Some(text), ..) => value(text.as_bytes(), args.bencode)?,
            (_, Some(path), _) => {
                let mut bytes = Vec::new();
                let file = File::open(path).map_err(CliError::io("read", path))?;
                let limit = u64::try_from(MAX_ITEM_VALUE_LEN).unwrap_or(u64::MAX);
                file.take(limit + 1)
                    .read_to_end(&mut bytes)
                    .map_err(CliError::io("read", path))?;
                value(&bytes, args.bencode)?
            }
            (_, _, Some(TorrentId(info_hash))) => MutableTorrent::value(&info_hash),
            // Unreachable: the command line requires one of them.
            _ => return Err(CliError::Usage("there is nothing to store".to_owned())),
        };
        let secret = args
            .key
            .as_deref()
            .map(key_file::open_or_make)
            .transpose()?;
        if let (Some((secret, IsNew(true))), Some(path)) = (&secret, &args.key) {
            tracing::info!(file = %path.display(), key = %secret.public_key(), "a new key");
        }
        let secret = secret.map(|(secret, _)| secret);
        Ok(Self { value, secret })
    }
}

fn value(bytes: &[u8], is_bencode: bool) -> Result<ItemValue, CliError> {
    let value = match is_bencode {
        true => ItemValue::new(bytes),
        false => ItemValue::from_text(bytes),
    };
    value.map_err(|error| {
        CliError::Usage(match error {
            ItemValueError::TooLong { .. } => format!(
                "that is too long for an item, which may have {MAX_ITEM_VALUE_LEN} bytes, bencoded"
            ),
            error => format!("that is not canonical bencode: {error}"),
        })
    })
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    args: &DhtPut,
    given: &Given,
) -> Result<(), CliError> {
    let value = given.value.clone();
    let item = match &given.secret {
        None => Item::Immutable(value),
        Some(secret) => {
            let salt = args.salt.unwrap_or_default();
            let seq = match args.seq {
                Some(seq) => seq,
                None => next_seq(client, secret, salt).await?,
            };
            Item::Mutable(MutableItem::sign(secret, salt, seq, value))
        }
    };
    let put = client.ask(async |dht| {
        let report = match dht.put(item.clone(), args.cas).await {
            Err(DhtError::NotStored { report }) => *report,
            Err(DhtError::Closed(error)) => return Err(error.into()),
            Ok(report) => report,
            Err(error) => return Err(CliError::Usage(error.to_string())),
        };
        Ok(((), report))
    });
    let ((), report) = put.await?;
    if report.stored == 0 {
        let report = Box::new(report);
        return Err(DhtFailure::NotStored { report }.into());
    }
    show(context, args, &item, &report)
}

/// One more than the number of the version that is there.
async fn next_seq(client: &Client, secret: &SecretKey, salt: Salt) -> Result<i64, CliError> {
    let key = secret.public_key();
    let key = ItemKey::Mutable { key, salt };
    let get = client.ask(async |dht| Ok(dht.get_with_report(key).await?));
    let last = get.await?.0.and_then(|item| item.seq());
    match last {
        None => Ok(1),
        Some(last) => Ok(last.checked_add(1).ok_or(DhtFailure::LastVersion(last))?),
    }
}

fn show(context: &Context, args: &DhtPut, item: &Item, report: &Report) -> Result<(), CliError> {
    let owner = match item {
        Item::Immutable(_) => None,
        Item::Mutable(item) => Some((item.key(), item.salt(), item.seq())),
    };
    let magnet = owner.filter(|_| args.torrent.is_some());
    let magnet = magnet.map(|(key, salt, _)| MutableTorrent { key, salt }.to_string());
    if context.common.json() {
        let salt = owner
            .map(|(_, salt, _)| salt)
            .filter(|_| args.salt.is_some());
        return out::json(&Said {
            target: item.target().to_string(),
            key: owner.map(|(key, ..)| key.to_string()),
            salt: salt.map(|salt| String::from_utf8_lossy(salt.as_bytes()).into_owned()),
            seq: owner.map(|(.., seq)| seq),
            stored: report.stored,
            magnet,
            cost: report.into(),
        });
    }
    let say = |name: &str, text: &dyn std::fmt::Display| {
        context.progress.say(format_args!("{name:<8}{text}"))
    };
    say("target", &item.target())?;
    if let Some((key, _, seq)) = owner {
        say("key", &key)?;
        say("version", &seq)?;
    }
    if let Some(magnet) = &magnet {
        say("magnet", magnet)?;
    }
    context.progress.note(format_args!(
        "stored by {}; {}",
        count(usize::try_from(report.stored).unwrap_or(usize::MAX), "node"),
        asked(report)
    ));
    Ok(())
}
