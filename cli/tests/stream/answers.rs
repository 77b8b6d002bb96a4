//! Compares the answers of servers, requested by curl.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha1::{Digest, Sha1};

use crate::process;

const BOUNDARY: &str = "BOUNDARY";

/// Something that serves one file.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where it listens, if not where the URL says.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) url: String,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    /// By lower-case name.
    headers: BTreeMap<String, String>,
    /// Empty for `HEAD`.
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Asks with these headers. `scratch` is a folder for what curl writes.
    pub(crate) fn ask(&self, scratch: &Path, head: bool, headers: &[String]) -> Answer {
        let (head_path, body_path) = (scratch.join("head"), scratch.join("body"));
        // Left over from the answer before.
        let _ = fs::remove_file(&body_path);
        let mut command = Command::new("curl");
        command.args(["-sS", "--http1.1", "--max-time", "60", &self.url]);
        command.arg("-D").arg(&head_path).arg("-o").arg(&body_path);
        if let Some(socket) = &self.socket {
            command.arg("--unix-socket").arg(socket);
        }
        if head {
            command.arg("--head");
        }
        for header in headers {
            command.args(["-H", header]);
        }
        process::run("curl", &mut command);
        // curl writes the header as the body of `HEAD`, and no file for no body.
        let body = match head {
            true => Vec::new(),
            false => fs::read(&body_path).unwrap_or_default(),
        };
        let text = fs::read_to_string(&head_path).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Answer {
            status,
            headers,
            body,
        }
    }
}

impl Answer {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The boundary of a body of several parts.
    fn boundary(&self) -> Option<&str> {
        self.header("content-type")
            .strip_prefix("multipart/byteranges; boundary=")
    }

    /// The content type, with a fixed word for the boundary, which each server chooses for itself.
    pub(crate) fn content_type(&self) -> String {
        let content_type = self.header("content-type");
        self.boundary().map_or_else(
            || content_type.to_owned(),
            |boundary| content_type.replace(boundary, BOUNDARY),
        )
    }

    /// The body, in one line that can be compared and read: the bytes themselves if they are few, else their hash.
    pub(crate) fn body(&self) -> String {
        let text: String = self.body.iter().map(|&byte| char::from(byte)).collect();
        let text = match self.boundary() {
            Some(boundary) => text.replace(boundary, BOUNDARY),
            None => text,
        };
        if text.len() <= 1000 {
            return text.escape_default().to_string();
        }
        let bytes: Vec<u8> = text.bytes().collect();
        format!("{} bytes, {}", text.chars().count(), sha1(&bytes))
    }
}

fn sha1(bytes: &[u8]) -> String {
    let hash = Sha1::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
