//! Tests of the page in Chromium: the state of the film, what comes next, subtitles, another torrent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::chromium::Browser;
use crate::enabled;
use crate::film::{Film, ffmpeg};
use crate::process::{self, Process};
use crate::streaming::create;

/// Everything here is over long before, unless it hangs.
const WITHIN: Duration = Duration::from_secs(120);
const LOCAL: [&str; 5] = [
    "--listen",
    "127.0.0.1:0",
    "--no-dht",
    "--no-lsd",
    "--no-port-map",
];

/// A folder for the files of a test and for what its commands keep.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tailwater(&self, name: &str, args: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tailwater"));
        command.args(args).args(LOCAL).current_dir(self.dir.path());
        command
            .env("XDG_STATE_HOME", self.path("state"))
            .env_remove("RUST_LOG");
        Process::start(name, &mut command)
    }

    /// Shares what is in `here`; with the address.
    fn seed(&self, torrent: &str, more: &[&str]) -> (Process, String) {
        let args = ["seed", torrent, "--data", "here", "--no-progress"];
        let seeder = self.tailwater("seed", &[&args, more].concat());
        let line = seeder.line("listening on ");
        (seeder, line.rsplit(' ').next().unwrap().to_owned())
    }

    /// Streams; with what it says of its addresses.
    fn stream(&self, args: &[&str]) -> (Process, Value) {
        let streaming = self.tailwater("stream", &[&["stream", "--json"], args].concat());
        let urls = streaming.find("the URLs", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["page"].is_string().then_some(line)
        });
        (streaming, urls)
    }
}

/// A short film with a tone.
fn clip(path: &Path, seconds: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = format!("testsrc2=size=320x180:rate=25:duration={seconds}");
    let tone = format!("sine=frequency=440:duration={seconds}");
    let mut command = ffmpeg();
    command.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone]);
    command.args([
        "-c:v",
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
    ]);
    command.args(["-b:v", "300k", "-c:a", "libopus"]).arg(path);
    process::run("ffmpeg", &mut command);
}

impl Browser {
    /// What a script returns.
    async fn eval(&self, script: &str) -> Value {
        let returned = self.driver.execute(script, vec![]).await.unwrap();
        returned.json().clone()
    }

    /// Waits until a script returns true.
    async fn until(&self, what: &str) {
        let deadline = Instant::now() + WITHIN;
        // A page that loads has no element yet.
        let script = format!("try {{ return {what}; }} catch {{ return false; }}");
        loop {
            let returned = self.driver.execute(&script, vec![]).await;
            if returned.is_ok_and(|returned| returned.json() == &Value::Bool(true)) {
                return;
            }
            if Instant::now() > deadline {
                let text = self.eval("return document.body.innerText").await;
                panic!("not {what}: {}", text.as_str().unwrap_or_default());
            }
        }
    }

    async fn text(&self, id: &str) -> String {
        let script = format!("return document.getElementById('{id}').textContent");
        self.eval(&script).await.as_str().unwrap().to_owned()
    }

    /// Starts the film without sound.
    async fn start(&self) {
        self.eval("player.muted = true; player.play()").await;
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

fn badge(words: &str) -> String {
    format!("document.getElementById('state').textContent === '{words}'")
}

#[test]
fn the_page_tells_the_state_of_the_film_and_not_of_the_connection() {
    if !enabled() {
        return;
    }
    let desk = Desk::new();
    fs::create_dir(desk.path("here")).unwrap();
    let film = desk.path("here/film.mp4");
    fs::copy(Film::IndexFirst.path(), &film).unwrap();
    create(&film, &desk.path("film.torrent"), "64KiB");
    // The film needs about 380 KiB/s.
    let (seeder, addr) = desk.seed("film.torrent", &["--max-up", "200KiB"]);
    let (_streaming, urls) = desk.stream(&["film.torrent", "--peer", &addr]);
    run(async {
        let page = Browser::open(urls["page"].as_str().unwrap()).await;
        page.until(&badge("ready to play")).await;
        page.start().await;
        page.until(&badge("playing")).await;
        page.until("player.currentTime > 1").await;
        // It runs out of bytes, and counts that; the connection is slow all the time.
        page.until(
            "document.getElementById('state').textContent === 'waiting for bytes' \
             && document.getElementById('ahead').textContent.startsWith('0 s ')",
        )
        .await;
        page.until(
            "film.stalls >= 1 \
             && document.getElementById('stalls').textContent === String(film.stalls)",
        )
        .await;
        // A jump of the user is no stall, however long its first bytes take.
        let once = "{ once: true }";
        let watch = format!(
            "player.addEventListener('seeking', () => {{ window.before = film.stalls; \
             player.addEventListener('playing', () => {{ window.after = film.stalls; }}, {once}); }}, {once}); \
             player.currentTime = 150;"
        );
        page.eval(&watch).await;
        page.until("window.after !== undefined").await;
        let (before, after) = (
            page.eval("return window.before").await,
            page.eval("return window.after").await,
        );
        assert_eq!(before, after);
        page.eval("player.pause()").await;
        page.until(&badge("paused")).await;
        page.start().await;
        page.until("!document.getElementById('slow').hidden").await;
        let slow = page
            .eval("return document.getElementById('slow').innerText")
            .await;
        let slow = slow.as_str().unwrap();
        assert!(slow.starts_with("Too slow for this film ("), "{slow}");
        assert!(slow.contains(" KiB/s)"), "{slow}");
        // Another player is told apart, by its name.
        page.eval("player.pause(); player.removeAttribute('src'); player.load()")
            .await;
        drop(seeder);
        let file = urls["file"].as_str().unwrap();
        let mut command = Command::new("curl");
        command.args(["-s", "-o", "/dev/null", "--range", "50000000-", file]);
        let _curl = Process::start("curl", &mut command);
        page.until("document.getElementById('state').textContent.includes('curl')")
            .await;
        page.driver.quit().await.unwrap();
    });
}

#[test]
fn the_next_episode_follows_with_its_subtitles_and_the_player_grows_wide() {
    if !enabled() {
        return;
    }
    let desk = Desk::new();
    for (name, seconds) in [("e10.webm", 2), ("e2.webm", 2), ("e1.webm", 3)] {
        clip(&desk.path("here/series").join(name), seconds);
    }
    // Only its name matters.
    fs::write(desk.path("here/series/e3.avi"), "film").unwrap();
    let words = "1\n00:00:00,000 --> 00:00:09,000\nHello from episode 2\n";
    fs::write(desk.path("here/series/e2.en.srt"), words).unwrap();
    fs::write(desk.path("here/series/e3.en.srt"), words).unwrap();
    fs::create_dir(desk.path("here/series/more")).unwrap();
    fs::write(desk.path("here/series/more/notes.txt"), "text").unwrap();
    create(&desk.path("here/series"), &desk.path("t.torrent"), "64KiB");
    let (_seeder, addr) = desk.seed("t.torrent", &[]);
    let args = ["t.torrent", "--peer", &addr, "--file", "e1.webm"];
    let (_streaming, urls) = desk.stream(&args);
    run(async {
        let page = Browser::open(urls["page"].as_str().unwrap()).await;
        page.start().await;
        page.until("!document.getElementById('next').hidden").await;
        assert_eq!(page.text("next-name").await, "e2.webm");
        page.eval("document.getElementById('next-cancel').click()")
            .await;
        page.until("document.getElementById('next').hidden").await;
        page.start().await;
        page.until("!document.getElementById('next').hidden").await;
        // Nothing is clicked: it goes on by itself.
        page.until("document.getElementById('now').textContent === 'e2.webm'")
            .await;
        page.until("player.currentTime > 0.2").await;
        page.eval("player.textTracks[0].mode = 'showing'").await;
        page.until("player.textTracks[0].cues.length === 1").await;
        let cue =
            page.eval("return [player.textTracks[0].language, player.textTracks[0].cues[0].text]");
        assert_eq!(cue.await, serde_json::json!(["en", "Hello from episode 2"]));
        page.eval("document.getElementById('skip').click()").await;
        page.until("document.getElementById('now').textContent === 'e10.webm'")
            .await;
        page.until("document.getElementById('skip').disabled").await;
        // Nothing stalled: to wait for the first bytes of a file is no stall.
        page.until("film.began && player.currentTime > 0.2").await;
        assert_eq!(page.eval("return film.stalls").await, 0);
        assert_eq!(page.eval("return player.offsetHeight > 0").await, true);
        // A film for other players: the page says how to start them.
        let button = "document.querySelector('tr[data-file=\"4\"] button').click()";
        page.eval(button).await;
        page.until("player.hidden && document.getElementById('mpv').offsetHeight > 0")
            .await;
        assert_eq!(page.eval("return player.offsetHeight").await, 0);
        let root = urls["page"].as_str().unwrap();
        let mpv = format!("mpv --sub-file={root}subtitles/5/e3.en.vtt {root}4/e3.avi");
        let vlc = format!("vlc '--input-slave={root}subtitles/5/e3.en.vtt' {root}4/e3.avi");
        assert_eq!((page.text("mpv").await, page.text("vlc").await), (mpv, vlc));
        page.eval("document.querySelector('tr[data-file=\"0\"] button').click()")
            .await;
        let width = "return player.clientWidth";
        let narrow = page.eval(width).await.as_u64().unwrap();
        let press = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 't' }))";
        page.eval(press).await;
        let wide = page.eval(width).await.as_u64().unwrap();
        assert!(wide > narrow * 3 / 2, "{narrow} {wide}");
        assert_eq!(
            page.eval("return document.getElementById('wide').ariaPressed")
                .await,
            "true"
        );
        page.eval("document.getElementById('wide').click()").await;
        assert_eq!(page.eval(width).await, narrow);
        // On a telephone the headings of the folders stay.
        page.driver.set_window_rect(0, 0, 400, 800).await.unwrap();
        page.until("innerWidth < 544").await;
        let heights = "return ['.folder th', '[data-file] th', 'thead th']\
            .map((it) => document.querySelector('#files ' + it).offsetHeight > 0)";
        let heights = page.eval(heights).await;
        assert_eq!(heights, serde_json::json!([true, true, false]));
        page.driver.quit().await.unwrap();
    });
}

#[test]
fn a_page_that_meets_another_torrent_becomes_its_page() {
    if !enabled() {
        return;
    }
    let desk = Desk::new();
    for name in ["first.webm", "second.webm"] {
        clip(
            &desk.path("here").join(name),
            2 + u32::from(name == "second.webm"),
        );
        let torrent = desk.path(name).with_extension("torrent");
        create(&desk.path("here").join(name), &torrent, "64KiB");
    }
    let (_seeder, addr) = desk.seed("first.torrent", &[]);
    let (mut streaming, urls) = desk.stream(&["first.torrent", "--peer", &addr]);
    let http = urls["http"].as_str().unwrap().to_owned();
    run(async {
        let page = Browser::open(urls["page"].as_str().unwrap()).await;
        page.until("document.title.startsWith('first.webm')").await;
        streaming.interrupt();
        streaming.exit_code_within(WITHIN);
        page.until(&badge("no connection")).await;
        // What was so before is not said any more.
        for id in ["rate", "peers"] {
            assert_eq!(page.text(id).await, "–", "{id}");
        }
        let shown =
            "return ['slow', 'reading'].filter((id) => !document.getElementById(id).hidden)";
        assert_eq!(page.eval(shown).await, serde_json::json!([]));
        // A link this time: the page waits with it for the metadata, and for its seeder.
        let mut inspect = Command::new(env!("CARGO_BIN_EXE_tailwater"));
        inspect
            .arg("inspect")
            .arg(desk.path("second.torrent"))
            .arg("--json");
        let said: Value = serde_json::from_str(&process::run("inspect", &mut inspect)).unwrap();
        let magnet = said["magnet"].as_str().unwrap();
        let streaming = desk.tailwater("stream", &["stream", magnet, "--json", "--http", &http]);
        let ours = streaming.find("where it listens", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["addr"].as_str().map(str::to_owned)
        });
        page.until(&badge("waiting for metadata")).await;
        assert_eq!(page.text("connected").await, "0");
        let (_seeder, _) = desk.seed("second.torrent", &["--peer", &ours]);
        page.until("document.title.startsWith('second.webm') && player.dataset.file === '0'")
            .await;
        page.start().await;
        page.until("player.currentTime > 0.2").await;
        page.driver.quit().await.unwrap();
    });
}

/// A film of slow waves with grain, of 3 Mbit/s.
fn sea(path: &Path, seconds: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = format!(
        "gradients=size=1280x720:rate=25:duration={seconds}:speed=0.01:nb_colors=4\
         :c0=0x0b3954:c1=0x087e8b:c2=0xbfd7ea:c3=0x0b5d55:seed=7"
    );
    let mut command = ffmpeg();
    command.args(["-f", "lavfi", "-i", &picture, "-vf", "noise=alls=9:allf=t"]);
    command.args([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
    ]);
    command.args(["-b:v", "3M", "-maxrate", "3M", "-bufsize", "3M", "-g", "50"]);
    command.args(["-movflags", "+faststart"]).arg(path);
    process::run("ffmpeg", &mut command);
}

#[test]
#[ignore = "makes the picture for docs/stream.png, and tests nothing"]
fn a_picture_of_the_page() {
    let desk = Desk::new();
    let films = [
        ("Season 1/Episode 1.mp4", 12),
        ("Season 1/Episode 2.mp4", 120),
        ("Season 1/Episode 10.mp4", 10),
        ("Season 2/Episode 1.mp4", 8),
    ];
    for (name, seconds) in films {
        sea(&desk.path("here/The Sea").join(name), seconds);
    }
    let words = "1\n00:00:00,000 --> 00:02:00,000\nNothing of it is on the disk.\n";
    for language in ["en", "fr"] {
        let name = format!("here/The Sea/Season 1/Episode 2.{language}.srt");
        fs::write(desk.path(&name), words).unwrap();
    }
    create(
        &desk.path("here/The Sea"),
        &desk.path("t.torrent"),
        "256KiB",
    );
    let (_seeder, addr) = desk.seed("t.torrent", &["--max-up", "2MiB"]);
    let args = ["t.torrent", "--peer", &addr, "--memory", "20MiB"];
    let (_streaming, urls) = desk.stream(&args);
    run(async {
        let page = Browser::open(urls["page"].as_str().unwrap()).await;
        page.eval("player.textTracks[0].mode = 'showing'").await;
        page.start().await;
        page.until("player.currentTime > 4").await;
        page.eval("player.currentTime = 55").await;
        page.until("player.currentTime > 76").await;
        page.screenshot("page.png").await;
        page.driver.quit().await.unwrap();
    });
}
