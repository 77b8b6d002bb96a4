//! The bodies of the fuzz targets: what callers send, through the types that the routes take it with.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::input::{object, parse, query};
use super::{access, daemon, events, graphs, list, login, parts, torrents, upload};
use crate::control::{
    AddParams, FileChange, LabelOptions, Settings, SettingsPatch, TorrentId, TorrentPatch,
};

/// A body, of each route that takes one.
pub fn body(data: &[u8]) {
    same::<torrents::Folder>(data);
    same::<parts::Peers>(data);
    same::<parts::Tiers>(data);
    same::<login::Credentials>(data);
    same::<daemon::TokenName>(data);
    if let Ok(changes) = parse::<Vec<FileChange>>(data) {
        let written = serde_json::to_vec(&changes).expect("it can be written");
        let again: Vec<FileChange> = parse(&written).expect("what we write, we read");
        assert_eq!(changes, again);
    }
    if let Some(mut patch) = same::<TorrentPatch>(data) {
        let _ = patch.check();
    }
    same::<LabelOptions>(data);
    if let Some(patch) = same::<SettingsPatch>(data)
        && let Ok(settings) = patch.on(&Settings::default())
    {
        // Settings that make sense do so once more.
        assert_eq!(patch.on(&settings).ok(), Some(settings));
    }
    if let Ok((_, mut params)) = upload::of_json(data) {
        check(&mut params);
    }
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("multipart/form-data; boundary=XX");
    headers.insert(CONTENT_TYPE, form);
    // All of it is there, so that nothing is waited for.
    let read = upload::of_form(&headers, data.to_vec().into()).now_or_never();
    if let Ok((_, mut params)) = read.expect("it does not wait") {
        check(&mut params);
    }
}

/// A query, of each route that takes one, and the headers that we read.
pub fn query_and_headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(asked) = query::<list::ListQuery>(Some(&text)) {
        list::check(&asked);
    }
    let _ = query::<torrents::Removal>(Some(&text));
    let _ = query::<graphs::Samples>(Some(&text));
    let _ = query::<events::Since>(Some(&text));
    if let Ok(mut params) = upload::of_query(Some(&text)) {
        check(&mut params);
    }
    if let Ok(id) = text.parse::<TorrentId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for name in ["last-event-id", AUTHORIZATION.as_str(), COOKIE.as_str()] {
        headers.insert(
            axum::http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            value.clone(),
        );
    }
    let _ = events::last_event(&headers);
    let _ = access::token(&value);
    let _ = access::cookie(&headers, "tailwater_1");
}

/// An object, which is the same when it has been written and read again.
fn same<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    let value: T = object(data).ok()?;
    let written = serde_json::to_value(&value).expect("it can be written");
    let again: T = object(written.to_string().as_bytes()).expect("what we write, we read");
    let again = serde_json::to_value(&again).expect("it can be written");
    assert!(is_same(&written, &again), "{written} {again}");
    Some(value)
}

/// Fractions may lose their last digit on the way: `serde_json` reads them fast, not exactly.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            (a - b).abs() <= a.abs() * 1e-12
        }
        (Value::Object(a), Value::Object(b)) => {
            let pairs = || a.iter().zip(b);
            a.len() == b.len() && pairs().all(|((k, a), (l, b))| k == l && is_same(a, b))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        _ => one == other,
    }
}

fn check(params: &mut AddParams) {
    if params.check().is_ok() {
        let checked = params.clone();
        assert!(params.check().is_ok() && *params == checked);
    }
}
