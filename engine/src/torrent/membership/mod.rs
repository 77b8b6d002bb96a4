//! Who may be connected to, who is, and who lets whom know of whom: candidates, admission, peer exchange.

pub(crate) mod candidates;
pub(crate) mod connections;
pub(crate) mod exchange;
pub(crate) mod external;
pub(crate) mod hello;
pub(crate) mod holepunch;
pub(crate) mod host;
pub(crate) mod ranking;
pub(crate) mod source;
pub(crate) mod trackers;
pub(crate) mod turnover;
pub(crate) mod turns;
pub(crate) mod web_seeds;
