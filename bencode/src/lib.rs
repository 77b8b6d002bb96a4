#![doc = include_str!("../README.md")]

mod cursor;
mod decode;
mod encode;
mod error;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod integer;
mod options;
#[cfg(feature = "serde")]
mod typed;

pub use cursor::{Dict, DictIter, Document, Kind, List, ListIter, Value};
pub use decode::{decode, decode_prefix, decode_with};
pub use encode::{DuplicateKeyError, Encoded, Item, encode};
pub use error::{DecodeError, DecodeErrorKind};
pub use options::{Limits, Options};
#[cfg(feature = "serde")]
pub use typed::{TypedError, from_bytes, from_bytes_with, to_bytes};
