//! Chromium without a screen, driven through its driver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};

use crate::process::{DEADLINE, Process};

/// A Chromium with a page open.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    /// Ends it, and Chromium, when dropped.
    _process: Process,
}

impl Browser {
    pub(crate) async fn open(page: &str) -> Self {
        Self::open_with(page, &[]).await
    }

    /// The same with more arguments, of which the last counts.
    pub(crate) async fn open_with(page: &str, more: &[&str]) -> Self {
        Self::open_on(page, more, None).await
    }

    /// The same on a phone of this width and height, if any.
    pub(crate) async fn open_on(page: &str, more: &[&str], phone: Option<(u32, u32)>) -> Self {
        let (process, port) = start_driver();
        let mut wanted = DesiredCapabilities::chrome();
        let args = [
            "--headless=new",
            // It refuses to run as root otherwise.
            "--no-sandbox",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=1280,1000",
        ];
        for arg in args.iter().chain(more) {
            wanted.add_arg(arg).unwrap();
        }
        if let Some((width, height)) = phone {
            let screen =
                json!({ "width": width, "height": height, "pixelRatio": 2, "touch": true });
            let emulation = json!({ "deviceMetrics": screen });
            let set = wanted.add_experimental_option("mobileEmulation", emulation);
            set.unwrap();
        }
        // The client that drives it wants a provider of TLS, though it uses none. Another test may have set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await;
        let driver = driver.unwrap();
        driver.set_script_timeout(DEADLINE).await.unwrap();
        driver.goto(page).await.unwrap();
        let _process = process;
        Self { driver, _process }
    }

    pub(crate) async fn screenshot(&self, name: &str) {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&dir).unwrap();
        let path: PathBuf = dir.join(name);
        self.driver.screenshot(&path).await.unwrap();
        eprintln!("screenshot: {}", path.display());
    }
}

/// Chromium's driver, and its port. It takes a port that is free for IPv4 and ends if that is taken for IPv6, perhaps by
/// another test: then it is started again.
fn start_driver() -> (Process, String) {
    let said = "started successfully on port ";
    for _ in 0..5 {
        let mut command = Command::new("chromedriver");
        let process = Process::start("chromedriver", command.args(["--port=0"]));
        let port = process.find_unless_ended(said, |line| {
            let (_, port) = line.split_once(said)?;
            Some(port.trim_end_matches('.').to_owned())
        });
        if let Some(port) = port {
            return (process, port);
        }
    }
    panic!("chromedriver found no port five times");
}
