#![doc = include_str!("../README.md")]

mod client;
mod config;
mod connect;
mod error;
mod policy;
mod proxy;
mod redirect;
mod request;
mod response;
mod tasks;

pub use client::Client;
pub use config::{ClientConfig, InvalidCertificate};
pub use error::{ErrorKind, HttpError};
/// The status of an answer, as [`Response::status`] gives it.
pub use hyper::StatusCode;
/// Names and values of headers, as [`Request::header`] takes them.
pub use hyper::header;
pub use policy::{AddressPolicy, Hop, UrlTrust};
pub use proxy::{InvalidProxy, Proxy};
pub use request::Request;
pub use response::{ContentRange, Response};
/// What [`Response::url`] gives.
pub use url::Url;
