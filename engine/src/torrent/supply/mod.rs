//! What is held, what is missing, which block is requested from which supplier, and who sent what.

pub(crate) mod blame;
pub(crate) mod interest;
pub(crate) mod outcomes;
pub(crate) mod picker;
pub(crate) mod pieces;
pub(crate) mod pipeline;
pub(crate) mod requests;
pub(crate) mod stall;
pub(crate) mod verifying;
