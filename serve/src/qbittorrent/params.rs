//! What a request asks for: its query if it is a GET, else its body, which is a form.

use std::collections::BTreeMap;
use std::fmt;

use axum::body::Bytes;
use futures_util::stream;
use multer::Multipart;
use tailwater_metainfo::Limits;

use super::failure::Failure;

/// The most fields of a form.
const MAX_FIELDS: usize = 200;
/// The most .torrent files of a form.
const MAX_FILES: usize = 100;

/// A file of a form.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Upload {
    /// As its sender calls it.
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes.len())
    }
}

/// The parameters of a request. Of those that are named twice, the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    values: BTreeMap<String, String>,
    pub(super) files: Vec<Upload>,
}

impl Params {
    /// Those of a query, or of a body that is written like one.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub(super) fn of_query(query: &[u8]) -> Result<Self, Failure> {
        let mut params = Self::default();
        // It is never an error: what is no text is replaced. One at a time, as a body has room for millions.
        for (name, value) in form_urlencoded::parse(query) {
            params.insert(name.into_owned(), value.into_owned())?;
        }
        Ok(params)
    }

    /// Those of a body.
    ///
    /// # Errors
    ///
    /// When it is no form of its type, or has too much in it.
    pub(super) async fn of_body(content_type: Option<&str>, body: Bytes) -> Result<Self, Failure> {
        let media_type = content_type.unwrap_or_default().split(';').next();
        let is_form =
            media_type.is_some_and(|it| it.trim().eq_ignore_ascii_case("multipart/form-data"));
        match is_form {
            true => Self::of_form(content_type.unwrap_or_default(), body).await,
            // Other bodies have no parameters, as in the original.
            false if is_plain(media_type) => Self::of_query(&body),
            false => Ok(Self::default()),
        }
    }

    async fn of_form(content_type: &str, body: Bytes) -> Result<Self, Failure> {
        let wrong = |error: multer::Error| Failure::params(format!("the body: {error}"));
        let boundary = multer::parse_boundary(content_type).map_err(wrong)?;
        let whole = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
        let mut form = Multipart::new(whole, boundary);
        let mut params = Self::default();
        while let Some(field) = form.next_field().await.map_err(wrong)? {
            let name = field.name().unwrap_or_default().to_owned();
            match field.file_name().map(str::to_owned) {
                Some(file) => {
                    if params.files.len() >= MAX_FILES {
                        return Err(Failure::params(format!("more than {MAX_FILES} files")));
                    }
                    let bytes = field.bytes().await.map_err(wrong)?;
                    if bytes.len() > Limits::default().len {
                        return Err(Failure::media_type(refused_file(&file)));
                    }
                    params.files.push(Upload { name: file, bytes });
                }
                None => {
                    let bytes = field.bytes().await.map_err(wrong)?;
                    let value = String::from_utf8_lossy(&bytes).into_owned();
                    params.insert(name, value)?;
                }
            }
        }
        Ok(params)
    }

    fn insert(&mut self, name: String, value: String) -> Result<(), Failure> {
        self.values.insert(name, value);
        match self.values.len() > MAX_FIELDS {
            true => Err(Failure::params(format!(
                "more than {MAX_FIELDS} parameters"
            ))),
            false => Ok(()),
        }
    }

    /// A parameter, which may be empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A parameter without blanks around it, if something is left of it.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).map(str::trim).filter(|it| !it.is_empty())
    }

    /// Parameters that have to be there.
    ///
    /// # Errors
    ///
    /// When one is missing.
    pub(super) fn need<const N: usize>(&self, names: [&str; N]) -> Result<[&str; N], Failure> {
        let mut found = [""; N];
        for (place, name) in found.iter_mut().zip(names) {
            *place = self.text(name).ok_or_else(Failure::missing)?;
        }
        Ok(found)
    }

    /// A truth: `true` or `false`, in any case.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let text = self.filled(name)?;
        match text {
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.filled(name)?.parse().ok()
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        let number: f64 = self.filled(name)?.parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// The parts of a list, those that are empty left out.
    pub(super) fn list<'a>(&'a self, name: &str, separator: char) -> Vec<&'a str> {
        let text = self.text(name).unwrap_or_default();
        let parts = text.split(separator).map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }
}

/// What is said of a file that is no torrent.
pub(super) fn refused_file(name: &str) -> String {
    let name: String = name.chars().take(200).collect();
    format!("Error: '{name}' is not a valid torrent file.")
}

fn is_plain(media_type: Option<&str>) -> bool {
    let media_type = media_type.unwrap_or_default().trim();
    media_type.is_empty() || media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_texts_that_are_read_as_they_are_needed() {
        let params =
            Params::of_query(b"a=x+y&b=%7C&c=True&d=-5&e=1.5&f=&a=z&g=1%7C%202%7C%7C").unwrap();
        assert_eq!((params.text("a"), params.text("b")), (Some("z"), Some("|")));
        assert_eq!(
            (params.flag("c"), params.flag("d"), params.flag("f")),
            (Some(true), None, None)
        );
        assert_eq!(
            (params.int("d"), params.int("e"), params.int("z")),
            (Some(-5), None, None)
        );
        assert_eq!((params.float("e"), params.float("a")), (Some(1.5), None));
        assert_eq!((params.text("f"), params.filled("f")), (Some(""), None));
        assert_eq!(params.list("g", '|'), ["1", "2"]);
        assert_eq!(params.need(["a", "f"]), Ok(["z", ""]));
        assert_eq!(params.need(["a", "z"]), Err(Failure::missing()));
        for text in ["nan", "inf", "1e999"] {
            let params = Params::of_query(format!("x={text}").as_bytes()).unwrap();
            assert_eq!(params.float("x"), None, "{text}");
        }
    }

    #[test]
    fn there_are_only_so_many_parameters() {
        let many = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("p{n}=1")).collect();
            Params::of_query(all.join("&").as_bytes())
        };
        assert!(many(MAX_FIELDS).is_ok());
        assert!(many(MAX_FIELDS + 1).is_err());
    }

    async fn form(text: &str) -> Result<Params, Failure> {
        let body = Bytes::from(text.replace('\n', "\r\n"));
        Params::of_body(Some("multipart/form-data; boundary=XX"), body).await
    }

    #[tokio::test]
    async fn a_form_has_values_and_files() {
        let params = form(
            "--XX\nContent-Disposition: form-data; name=\"category\"\n\ntv\n\
            --XX\nContent-Disposition: form-data; name=\"torrents\"; filename=\"a.torrent\"\n\nd1:\n--XX--\n",
        );
        let params = params.await.unwrap();
        assert_eq!(params.text("category"), Some("tv"));
        let [file] = params.files.as_slice() else {
            panic!("{params:?}");
        };
        assert_eq!(
            (file.name.as_str(), &file.bytes[..]),
            ("a.torrent", &b"d1:"[..])
        );
        for wrong in [
            "",
            "--XX\n\n",
            "--YY\nX",
            "--XX\nContent-Disposition: form-data; name=\"a\"\n\nb",
        ] {
            assert!(form(wrong).await.is_err(), "{wrong:?}");
        }
        let many: String = (0..=MAX_FILES)
            .map(|n| {
                format!("--XX\nContent-Disposition: form-data; name=\"f\"; filename=\"{n}\"\n\nx\n")
            })
            .collect();
        assert!(form(&format!("{many}--XX--\n")).await.is_err());
    }

    #[tokio::test]
    async fn a_body_of_another_type_has_no_parameters() {
        let of = |kind: Option<&'static str>| Params::of_body(kind, Bytes::from_static(b"a=1"));
        assert_eq!(of(None).await.unwrap().text("a"), Some("1"));
        let plain = of(Some("application/x-www-form-urlencoded; charset=utf-8"));
        assert_eq!(plain.await.unwrap().text("a"), Some("1"));
        assert_eq!(of(Some("application/json")).await, Ok(Params::default()));
    }
}
