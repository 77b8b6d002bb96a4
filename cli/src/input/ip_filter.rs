//! The lists of addresses that are not connected with: files or URLs.

use std::path::Path;

use tailwater_session::{IpFilter, IpFilterError};

use super::source::{self, Via};
use crate::args::Network;
use crate::error::CliError;
use crate::words::count;

/// Reads lists, and makes one filter of them. URLs are fetched through the proxy.
///
/// # Errors
///
/// When a list cannot be had, or is none.
///
/// # Cancel safety
///
/// Nothing is left behind when the future is dropped.
pub(crate) async fn read(network: &Network) -> Result<IpFilter, CliError> {
    let mut all = IpFilter::default();
    for list in &network.ip_filter {
        let bytes = match list.starts_with("http://") || list.starts_with("https://") {
            true => source::get(list, IpFilter::MAX_LEN, Via::of(network)).await?,
            false => source::read(Path::new(list), IpFilter::MAX_LEN)?,
        };
        let refused = |error: IpFilterError| CliError::IpFilter {
            list: list.clone(),
            error,
        };
        let filter = IpFilter::parse(&bytes).map_err(refused)?;
        let ranges = count(filter.len(), "range");
        tracing::info!("{list}: {ranges} of addresses filtered");
        if let (skipped, Some(first)) = filter.skipped() {
            let lines = count(skipped, "line");
            tracing::warn!(
                "{list}: {lines} passed over as no range of addresses, first line {first}"
            );
        }
        all = all.with(&filter).map_err(refused)?;
    }
    Ok(all)
}
