//! The mapping of our ports at the gateway: the crate `nat`.

pub(crate) use tailwater_nat::{PortMapStatus, Wanted, run};
