//! nginx, which serves a folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::answers::Server;
use crate::process::Process;

/// An nginx that runs.
pub(crate) struct Nginx {
    /// Ends it when dropped.
    _process: Process,
    pub(crate) server: Server,
}

impl Nginx {
    /// Serves `file` on a socket in `home`, where all else that it writes goes too.
    pub(crate) fn start(home: &Path, file: &Path) -> Self {
        let config = home.join("nginx.conf");
        fs::write(&config, text(home, file.parent().unwrap())).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(home).arg("-c").arg(&config);
        let process = Process::start("nginx", command.args(["-e", "stderr"]));
        // It says so when it listens.
        process.line("OS: ");
        let name = file.file_name().unwrap().to_str().unwrap();
        let server = Server {
            socket: Some(home.join("nginx.socket")),
            url: format!("http://localhost/{name}"),
        };
        let _process = process;
        Self { _process, server }
    }
}

/// The whole configuration: one process, which is all that has to be ended, and nothing outside of `home`.
fn text(home: &Path, root: &Path) -> String {
    let (home, root) = (home.display(), root.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {home}/{kind};\n"))
        .concat();
    format!(
        "daemon off;
master_process off;
pid {home}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
{temporary}    types {{ video/mp4 mp4; }}
    server {{
        listen unix:{home}/nginx.socket;
        root {root};
    }}
}}
"
    )
}
