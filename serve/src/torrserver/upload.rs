//! `/torrent/upload`: .torrent files in a form.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;

use super::answer::json_of;
use super::refused::Refused;
use super::server::Shared;
use super::status::Status;
use super::texts::Texts;
use super::torrents::keeping;
use crate::control::AddSource;

/// The most parts of a form.
const MAX_PARTS: usize = 64;

/// What a form says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) files: Vec<Bytes>,
    texts: Texts,
    saved: bool,
}

/// Adds the files of a form. One alone is answered as an object, several as an array.
pub(super) async fn run(shared: &Shared, form: Form) -> Result<Response<Body>, Refused> {
    let is_one = form.files.len() == 1;
    let mut added = Vec::new();
    for file in form.files {
        let source = AddSource::TorrentFile(file.to_vec());
        let title = form.texts.kept_title();
        let attributes = form.texts.new_attributes();
        let keeping = keeping(form.saved);
        let adding = shared.on_demand.add(source, title, attributes, keeping);
        match adding.await {
            Ok(id) => added.push(Status::of(shared, &shared.control().torrent(id)?)),
            Err(error) if is_one => return Err(error.into()),
            // The others may be all right; a client sees what is missing.
            Err(error) => tracing::debug!("an uploaded torrent was not added: {error}"),
        }
    }
    Ok(match &added[..] {
        [one] => json_of(one),
        all => json_of(&all),
    })
}

/// Reads a form.
pub(super) async fn read(headers: &HeaderMap, bytes: Bytes) -> Result<Form, Refused> {
    let wrong = |error: multer::Error| Refused::bad(format!("the body: {error}"));
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(wrong)?;
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut parts = Multipart::new(whole, boundary);
    let mut form = Form::default();
    for _ in 0..MAX_PARTS {
        let Some(part) = parts.next_field().await.map_err(wrong)? else {
            return Ok(form);
        };
        let is_file = part.file_name().is_some();
        let name = part.name().unwrap_or_default().to_owned();
        if is_file {
            form.files.push(part.bytes().await.map_err(wrong)?);
            continue;
        }
        let text = part.text().await.map_err(wrong)?;
        match name.as_str() {
            "save" => form.saved = true,
            "title" => form.texts.title = text,
            "category" => form.texts.category = text,
            "poster" => form.texts.poster = text,
            "data" => form.texts.data = text,
            _ => {}
        }
    }
    Err(Refused::bad(format!(
        "the form has more than {MAX_PARTS} parts"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(form: &str) -> Result<Form, Refused> {
        let mut headers = HeaderMap::new();
        let form_type = "multipart/form-data; boundary=XX";
        headers.insert(CONTENT_TYPE, form_type.parse().unwrap());
        read(&headers, Bytes::from(form.to_owned())).await
    }

    fn part(head: &str, text: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n")
    }

    #[tokio::test]
    async fn a_form_has_files_and_texts() {
        let form = [
            part("name=\"save\"", "True"),
            part("name=\"title\"", "A film"),
            part("name=\"file\"; filename=\"a.torrent\"", "abc"),
            part("name=\"other\"; filename=\"b.torrent\"", "de"),
            part("name=\"what\"", "x"),
            "--XX--\r\n".to_owned(),
        ];
        let form = of(&form.concat()).await.unwrap();
        assert_eq!(form.files, ["abc", "de"]);
        assert!(form.saved);
        assert_eq!(form.texts.title, "A film");
        let many = part("name=\"x\"", "").repeat(MAX_PARTS + 1) + "--XX--\r\n";
        for wrong in ["", "--XX\r\n\r\n", "--YY\r\nX", &many] {
            assert!(of(wrong).await.is_err(), "{wrong:?}");
        }
        let none = HeaderMap::new();
        assert!(read(&none, Bytes::new()).await.is_err());
    }
}
