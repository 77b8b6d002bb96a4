//! HTTP trackers (BEP 3, 7, 23, 24, 31, 48): queries and bencoded answers, without a connection.

mod answer;
mod encode;
mod percent;
mod query;
#[cfg(test)]
mod tests;
mod url;

pub use answer::{parse_announce, parse_scrape};
pub use encode::{PeerFormat, encode_announce, encode_failure, encode_scrape};
pub use query::{AnnounceQuery, parse_announce_query, parse_scrape_query};
pub use url::{announce_url, is_announce_path, is_scrape_path, scrape_url};
