#![doc = include_str!("../README.md")]

mod client;
mod config;
mod connect;
mod error;
mod http2;
mod policy;
mod proxy;
mod redirect;
mod request;
mod response;
mod reuse;
mod roots;
mod tasks;

pub use client::Client;
pub use config::ClientConfig;
pub use error::{ErrorKind, HttpError};
/// The status of an answer, from [`Response::status`].
pub use hyper::StatusCode;
/// Names and values of headers, for [`Request::header`].
pub use hyper::header;
pub use policy::{AddressPolicy, Hop, UrlTrust};
pub use proxy::{InvalidProxy, Proxy};
pub use request::Request;
pub use response::{ContentRange, Response};
pub use roots::{InvalidCertificate, RootCertificates};
/// The type of [`Response::url`].
pub use url::Url;
