//! The listener of `tailwater daemon --transmission`.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tailwater_serve::control::Control;
use tailwater_serve::transmission::{self, Blocklist, TransmissionOptions};

use super::fixed::fixed;
use super::listeners::Api;
use crate::args::Network;
use crate::input::ip_filter;

pub(super) const API: Api = Api {
    option: "--transmission",
    key: "transmission",
    name: "Transmission's RPC",
    path: "/transmission/rpc",
    addr: |args| args.transmission,
    start: |listener, with| {
        let mut options = TransmissionOptions::default();
        options.web.clone_from(&with.args.compat.transmission_web);
        options.blocklist = Some(Arc::new(Lists {
            network: with.args.network.clone(),
            control: with.control.clone(),
        }));
        let fixed = fixed(with.args, with.state);
        transmission::start(listener, with.control, &with.config, fixed, options)
    },
};

/// The lists of `--ip-filter`.
struct Lists {
    network: Network,
    control: Control,
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lists")
            .field(&self.network.ip_filter)
            .finish()
    }
}

impl Blocklist for Lists {
    fn is_enabled(&self) -> bool {
        !self.network.ip_filter.is_empty()
    }

    fn size(&self) -> usize {
        self.control.ip_filter_len()
    }

    fn url(&self) -> Option<String> {
        let is_url = |list: &&String| list.starts_with("http");
        self.network.ip_filter.iter().find(is_url).cloned()
    }

    fn update(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async {
            let filter = ip_filter::read(&self.network).await;
            let filter = filter.map_err(|error| error.to_string())?;
            let filtered = self.control.set_ip_filter(filter).await;
            filtered.map_err(|error| error.to_string())
        })
    }
}
