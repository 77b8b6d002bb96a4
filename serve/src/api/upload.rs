//! Adds torrents: by link, or by the bytes of a .torrent file, in one of three ways.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use futures_util::stream;
use multer::Multipart;
use serde::{Deserialize, Serialize};
use tailwater_metainfo::Limits;
use utoipa::ToSchema;

use super::input::{self, Json, object};
use super::problem::Problem;
use super::server::Shared;
use crate::control::{AddParams, AddSource};

/// What a body has besides a .torrent file, in bytes.
const AROUND: usize = 1024 * 1024;
/// The most parts of a multipart body.
const MAX_PARTS: usize = 8;

/// A torrent to add, with its options: `link` or `torrent`, and the fields of `AddParams`.
#[derive(Debug, Deserialize)]
pub(super) struct NewTorrent {
    /// A magnet link, an info-hash, or the http(s) URL of a .torrent file.
    link: Option<String>,
    /// The bytes of a .torrent file, in base64.
    torrent: Option<String>,
    #[serde(flatten)]
    params: serde_json::Map<String, serde_json::Value>,
}

/// Adds a torrent.
///
/// The body is JSON; or a .torrent file (`application/x-bittorrent`), and then the options are in the query; or
/// `multipart/form-data` with a part `torrent`, the file, or `link`, and a part `options` of JSON.
#[utoipa::path(post, path = "/api/v1/torrents", tag = "torrents",
    request_body(content((AddBody = "application/json", example = json!({"link": "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=debian.iso", "labels": ["linux"], "paused": true})), (Vec<u8> = "application/x-bittorrent"))),
    responses(
        (status = 201, description = "It was added; Location is its address", body = crate::control::TorrentView),
        (status = 409, description = "It is there already", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The URL could not be fetched", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (source, params) = read(&shared, request).await?;
    let id = shared.control.add(source, params).await?;
    let view = shared.control.torrent(id)?;
    let location = format!("/api/v1/torrents/{id}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

/// The body of `POST /torrents` in JSON, for the description.
#[derive(Serialize, ToSchema)]
pub(super) struct AddBody {
    /// A magnet link, an info-hash, or the http(s) URL of a .torrent file.
    link: Option<String>,
    /// The bytes of a .torrent file, in base64, in place of a link.
    torrent: Option<String>,
    /// The options stand beside them.
    #[serde(flatten)]
    options: AddParams,
}

/// The torrent and the options of a body.
pub(super) async fn read(
    shared: &Shared,
    request: Request,
) -> Result<(AddSource, AddParams), Problem> {
    // Waiting here costs nothing: nothing of the body has been read. It is never closed.
    let permit = shared.uploads.acquire().await;
    let _permit = permit.map_err(|error| Problem::bad_request(error.to_string()))?;
    let (parts, body) = request.into_parts();
    let media_type = input::media_type(&parts.headers);
    let file_len = Limits::default().len;
    match media_type {
        Some("application/json") => {
            // Base64 takes four bytes for three.
            let limit = file_len / 3 * 4 + AROUND;
            let bytes = input::read(&parts.headers, body, limit).await?;
            of_json(&bytes)
        }
        Some("application/x-bittorrent") => {
            let params = of_query(parts.uri.query())?;
            let bytes = input::read(&parts.headers, body, file_len).await?;
            Ok((AddSource::TorrentFile(bytes.to_vec()), params))
        }
        Some("multipart/form-data") => {
            let bytes = input::read(&parts.headers, body, file_len + AROUND).await?;
            of_form(&parts.headers, bytes).await
        }
        _ => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let detail = "the body must be application/json, application/x-bittorrent or multipart/form-data";
            Err(Problem::new(status, "wrong-type", detail))
        }
    }
}

pub(super) fn of_json(bytes: &[u8]) -> Result<(AddSource, AddParams), Problem> {
    let new: NewTorrent = object(bytes)?;
    let params = of_value(serde_json::Value::Object(new.params))?;
    let source = match (new.link, new.torrent) {
        (Some(link), None) => AddSource::Link(link),
        (None, Some(base64)) => {
            let file = BASE64.decode(base64.as_bytes());
            AddSource::TorrentFile(
                file.map_err(|error| Problem::invalid(format!("torrent: {error}")))?,
            )
        }
        _ => {
            return Err(Problem::invalid(
                "the body needs either link or torrent".to_owned(),
            ));
        }
    };
    Ok((source, params))
}

fn of_value(value: serde_json::Value) -> Result<AddParams, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::invalid(error.to_string()))
}

/// Options of a query: those of JSON, with lists separated by commas.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    folder: Option<String>,
    storage: crate::control::StorageChoice,
    labels: Option<String>,
    paused: bool,
    sequential: bool,
    on_demand: Option<bool>,
}

pub(super) fn of_query(query: Option<&str>) -> Result<AddParams, Problem> {
    let options: Options = input::query(query)?;
    let labels = options.labels.unwrap_or_default();
    let labels = labels.split(',').filter(|label| !label.is_empty());
    Ok(AddParams {
        folder: options.folder,
        storage: options.storage,
        labels: labels.map(str::to_owned).collect(),
        paused: options.paused,
        sequential: options.sequential,
        on_demand: options.on_demand,
        ..AddParams::default()
    })
}

pub(super) async fn of_form(
    headers: &HeaderMap,
    bytes: Bytes,
) -> Result<(AddSource, AddParams), Problem> {
    let wrong = |error: multer::Error| Problem::bad_request(format!("the body: {error}"));
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(wrong)?;
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut form = Multipart::new(whole, boundary);
    let (mut source, mut params) = (None, AddParams::default());
    for _ in 0..MAX_PARTS {
        let Some(field) = form.next_field().await.map_err(wrong)? else {
            let source = source.ok_or_else(|| {
                Problem::invalid("the form needs a part named torrent or link".to_owned())
            })?;
            return Ok((source, params));
        };
        match field.name() {
            Some("torrent") => {
                let file = field.bytes().await.map_err(wrong)?;
                source = Some(AddSource::TorrentFile(file.to_vec()));
            }
            Some("link") => source = Some(AddSource::Link(field.text().await.map_err(wrong)?)),
            Some("options") => params = object(&field.bytes().await.map_err(wrong)?)?,
            name => {
                let name: String = name.unwrap_or_default().chars().take(100).collect();
                return Err(Problem::invalid(format!(
                    "the form has a part named {name:?}"
                )));
            }
        }
    }
    Err(Problem::invalid(format!(
        "the form has more than {MAX_PARTS} parts"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_one_source_and_known_options() {
        let (source, params) = of_json(br#"{"link":"magnet:?x","paused":true}"#).unwrap();
        assert!(matches!(source, AddSource::Link(link) if link == "magnet:?x"));
        assert!(params.paused);
        let (source, _) = of_json(br#"{"torrent":"ZDE6"}"#).unwrap();
        assert!(matches!(source, AddSource::TorrentFile(bytes) if bytes == b"d1:"));
        for body in [
            "{}",
            r#"{"link":"a","torrent":"ZDE6"}"#,
            r#"{"torrent":"?"}"#,
            r#"{"link":"a","pause":true}"#,
            r#"{"link":5}"#,
            r#"{"link":"a","labels":"x"}"#,
            "[]",
            "nothing",
        ] {
            assert!(of_json(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn options_of_a_query_are_the_same() {
        let params = of_query(Some("labels=a,b&paused=true&storage=memory")).unwrap();
        assert_eq!(params.labels, ["a", "b"]);
        assert!(params.paused);
        assert!(of_query(Some("pause=true")).is_err());
        assert_eq!(of_query(None).unwrap(), AddParams::default());
    }

    #[tokio::test]
    async fn a_form_has_a_file_and_options() {
        let mut headers = HeaderMap::new();
        let form_type = "multipart/form-data; boundary=XX";
        headers.insert(CONTENT_TYPE, form_type.parse().unwrap());
        let form = "--XX\r\nContent-Disposition: form-data; name=\"torrent\"; filename=\"a\"\r\n\r\nabc\r\n\
            --XX\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n{\"paused\":true}\r\n--XX--\r\n";
        let (source, params) = of_form(&headers, form.into()).await.unwrap();
        assert!(matches!(source, AddSource::TorrentFile(bytes) if bytes == b"abc"));
        assert!(params.paused);
        for form in ["", "--XX--\r\n", "--XX\r\n\r\n", "--YY\r\nX"] {
            assert!(of_form(&headers, form.into()).await.is_err(), "{form}");
        }
    }
}
