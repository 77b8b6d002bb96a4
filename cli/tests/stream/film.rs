//! Films that ffmpeg makes: a test picture with a frame counter and a tone, with noise, so that they are large.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::process;

/// Which film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Film {
    /// H.264 and AAC; the index stands before the frames, as a web page wants it.
    IndexFirst,
    /// The same frames; the index stands after them, as recorders leave it.
    IndexLast,
    /// VP9 and Opus.
    Webm,
}

/// Play length of every film.
pub(crate) const SECONDS: u32 = 180;

/// Pictures a second. Fewer than in a film, so that a machine that is busy with other tests still decodes them in time.
pub(crate) const RATE: u32 = 10;

/// Tests run at once, and the first one makes the film.
static MAKING: Mutex<()> = Mutex::new(());

impl Film {
    const fn name(self) -> &'static str {
        match self {
            Self::IndexFirst => "index-first-10fps.mp4",
            Self::IndexLast => "index-last-10fps.mp4",
            Self::Webm => "film-10fps.webm",
        }
    }

    /// The film; made by the first to ask, and kept below the target folder for the next run.
    pub(crate) fn path(self) -> PathBuf {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("films")
            .join(self.name());
        let guard = MAKING.lock();
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            self.make(&path);
        }
        drop(guard);
        path
    }

    fn make(self, path: &Path) {
        // A run that is interrupted leaves no half film under the name.
        let unfinished = path.with_file_name(format!("unfinished-{}", self.name()));
        let mut command = ffmpeg();
        command.arg("-y");
        match self {
            Self::IndexFirst => {
                let last = path.with_file_name(Self::IndexLast.name());
                if !last.exists() {
                    Self::IndexLast.make(&last);
                }
                command
                    .arg("-i")
                    .arg(last)
                    .args(["-c", "copy", "-movflags", "+faststart"]);
            }
            Self::IndexLast => {
                picture_and_tone(&mut command, "1280x720", 12);
                command.args([
                    "-c:v",
                    "libx264",
                    "-preset",
                    "ultrafast",
                    "-pix_fmt",
                    "yuv420p",
                ]);
                command.args(["-b:v", "3M", "-maxrate", "3M", "-bufsize", "3M", "-g", "20"]);
                command.args(["-c:a", "aac", "-b:a", "128k"]);
            }
            Self::Webm => {
                picture_and_tone(&mut command, "640x360", 30);
                command.args([
                    "-c:v",
                    "libvpx-vp9",
                    "-deadline",
                    "realtime",
                    "-cpu-used",
                    "8",
                ]);
                command.args([
                    "-row-mt", "1", "-b:v", "2M", "-minrate", "2M", "-maxrate", "2M",
                ]);
                command.args(["-g", "20", "-c:a", "libopus", "-b:a", "128k"]);
            }
        }
        process::run("ffmpeg", command.arg(&unfinished));
        fs::rename(&unfinished, path).unwrap();
    }
}

/// ffmpeg that says nothing but errors.
pub(crate) fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    command
}

/// Two inputs: `testsrc2`, which writes the time and the frame's number into each picture, and beeps. The noise is what
/// makes the encoders use the bytes that they may.
fn picture_and_tone(command: &mut Command, size: &str, noise: u32) {
    let picture = format!("testsrc2=size={size}:rate={RATE}:duration={SECONDS}");
    let tone = format!("sine=frequency=440:beep_factor=4:sample_rate=48000:duration={SECONDS}");
    command.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone]);
    command.args(["-vf", &format!("noise=alls={noise}:allf=t")]);
}
