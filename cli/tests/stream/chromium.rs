//! Chromium without a screen, driven through its driver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        let process = Process::start(
            "chromedriver",
            Command::new("chromedriver").args(["--port=0"]),
        );
        let line = process.line("started successfully on port ");
        let port = line.rsplit(' ').next().unwrap().trim_end_matches('.');
        let mut wanted = DesiredCapabilities::chrome();
        let args = [
            "--headless=new",
            // It refuses to run as root otherwise.
            "--no-sandbox",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=1280,1000",
        ];
        for arg in args {
            wanted.add_arg(arg).unwrap();
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
