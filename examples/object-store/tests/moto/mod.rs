//! The S3 server of moto, a mock of AWS from PyPI: `pip install 'moto[server]'`.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bucket::Bucket;

/// Prints the port that it got once it answers, and runs until its input ends.
const SCRIPT: &str = "
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
import boto3
host, port = server.get_host_and_port()
client = boto3.client('s3', endpoint_url=f'http://{host}:{port}', region_name='us-east-1',
                      aws_access_key_id='key', aws_secret_access_key='secret')
client.create_bucket(Bucket='films')
print(port, flush=True)
sys.stdin.read()
server.stop()
";

/// The Python into which `scripts/install-clients.sh` puts moto, or the one that `TAILWATER_INTEROP_PYTHON` names.
fn python() -> PathBuf {
    let installed =
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../interop-venv/bin/python");
    std::env::var_os("TAILWATER_INTEROP_PYTHON").map_or_else(installed, PathBuf::from)
}

/// A server of its own, with one bucket; it ends with this.
pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// `None`, with a word on it, where moto is not installed; a failure where TAILWATER_INTEROP=1 says that it is.
    pub(crate) fn start() -> Option<Self> {
        let python = python();
        let process = Command::new(&python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let port = process.ok().and_then(|mut process| {
            let mut line = String::new();
            let output = process.stdout.as_mut()?;
            BufReader::new(output).read_line(&mut line).ok()?;
            Some((line.trim().parse().ok()?, process))
        });
        match port {
            Some((port, process)) => Some(Self { process, port }),
            None => {
                let is_due =
                    std::env::var_os("TAILWATER_INTEROP").as_deref() == Some(OsStr::new("1"));
                assert!(!is_due, "{python:?} has no moto");
                eprintln!("skipped: {python:?} has no moto (pip install 'moto[server]')");
                None
            }
        }
    }

    /// The bucket, below a prefix.
    pub(crate) fn bucket(&self) -> Bucket {
        // The HTTP client of the object store takes the process's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let variables = [
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Bucket::open_with(&"s3://films/tailwater".parse().unwrap(), variables).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
