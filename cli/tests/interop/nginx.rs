//! nginx, which serves a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, free_port};
use crate::process::{self, Process};

/// An nginx that runs.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    /// The URL of the folder that it serves.
    pub(crate) url: String,
    log: PathBuf,
    /// The certificate of the authority of its own certificate.
    authority: Option<PathBuf>,
}

/// A request that nginx has answered.
#[derive(Debug)]
pub(crate) struct Served {
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub(crate) protocol: String,
    pub(crate) connection: u64,
    pub(crate) status: u16,
    /// Bytes of the body.
    pub(crate) sent: u64,
    pub(crate) path: String,
}

impl Nginx {
    /// Serves the payload over HTTP/1.1.
    pub(crate) fn new(place: &Place) -> Self {
        Self::with(place, "")
    }

    /// The same, with more directives.
    pub(crate) fn with(place: &Place, directives: &str) -> Self {
        Self::start(place, "", directives, None)
    }

    /// Serves it over TLS, with a certificate of an authority that is made for this test; with `http2`, also over HTTP/2.
    pub(crate) fn over_tls(place: &Place, http2: bool) -> Self {
        let home = place.folder("nginx-tls");
        let authority = certify(&home);
        let home = home.display();
        let directives =
            format!("ssl_certificate {home}/leaf.pem; ssl_certificate_key {home}/leaf.key;");
        let options = if http2 { "ssl http2" } else { "ssl" };
        Self::start(place, options, &directives, Some(authority))
    }

    /// Everything that it writes goes below a folder of its own.
    fn start(place: &Place, options: &str, directives: &str, authority: Option<PathBuf>) -> Self {
        let port = free_port();
        let folder = place.folder(&format!("nginx-{port}"));
        let (home, root) = (folder.display(), place.data());
        let root = root.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {home}/{kind};\n"))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {home}/nginx.pid;\nerror_log stderr info;\nevents {{}}\n\
             http {{\n\
             log_format served '$server_protocol $connection $status $body_bytes_sent $request_uri';\n\
             access_log {home}/access.log served;\n{temporary}\
             server {{ listen 127.0.0.1:{port} {options}; root {root}; {directives} }}\n}}\n"
        );
        let config = folder.join("nginx.conf");
        fs::write(&config, text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&config).args(["-e", "stderr"]);
        let process = Process::start("nginx", &mut command);
        // It says so when it listens.
        process.line("OS: ");
        let scheme = if authority.is_some() { "https" } else { "http" };
        Self {
            process,
            url: format!("{scheme}://127.0.0.1:{port}/"),
            log: folder.join("access.log"),
            authority,
        }
    }

    /// The requests that it has answered.
    pub(crate) fn served(&self) -> Vec<Served> {
        let log = fs::read_to_string(&self.log).unwrap();
        let served = log.lines().map(|line| {
            let fields: Vec<_> = line.splitn(5, ' ').collect();
            Served {
                protocol: fields[0].to_owned(),
                connection: fields[1].parse().unwrap(),
                status: fields[2].parse().unwrap(),
                sent: fields[3].parse().unwrap(),
                path: fields[4].to_owned(),
            }
        });
        served.collect()
    }

    /// A torrent of the payload that names it as a web seed.
    pub(crate) fn torrent(&self, place: &Place) -> PathBuf {
        self.torrent_with(place, &[])
    }

    /// The same, made with more options.
    pub(crate) fn torrent_with(&self, place: &Place, more: &[&str]) -> PathBuf {
        let path = self.log.with_file_name("web-seed.torrent");
        let piece_kib = place.shape().piece_kib;
        let more = [&["--web-seed", &self.url], more].concat();
        crate::ours::create_with(&place.payload(), &path, piece_kib, &more);
        path
    }

    /// The file for `SSL_CERT_FILE`, if it serves over TLS.
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }
}

/// Makes an authority and a certificate for 127.0.0.1; the authority's own certificate.
fn certify(home: &Path) -> PathBuf {
    let openssl = |more: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(home).args(["req", "-x509", "-nodes"]);
        command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-days", "2"]).args(more);
        process::run("openssl", &mut command);
    };
    let authority = [
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    openssl(&authority);
    openssl(&[
        "-subj",
        "/CN=leaf",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-keyout",
        "leaf.key",
        "-out",
        "leaf.pem",
    ]);
    home.join("ca.pem")
}
