//! Web seeds of a torrent.

use serde_json::{Value, json};

use super::Row;

pub(super) fn value(name: &str, row: &Row<'_>) -> Option<Value> {
    let seeds = row.parts.web_seeds.as_slice();
    Some(match name {
        "webseeds" => seeds.iter().map(|seed| seed.url.as_str()).collect(),
        "webseeds_ex" => {
            let seeds = seeds.iter().map(|seed| {
                json!({
                    "url": seed.url,
                    "is_downloading": seed.down_rate > 0,
                    "download_bytes_per_second": seed.down_rate,
                })
            });
            seeds.collect()
        }
        "webseeds_sending_to_us" => {
            let sending = seeds.iter().filter(|seed| seed.down_rate > 0);
            sending.count().into()
        }
        _ => return None,
    })
}
