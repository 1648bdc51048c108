//! The program as a script sees it: exit codes, sentences and JSON, on media that GStreamer synthesises.

#![allow(clippy::print_stdout, reason = "golden checks say how near they come")]

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use undertone::library::Library;
use undertone::media::testing::{Synthetic, synthesise};

const PROGRAM: &str = env!("CARGO_BIN_EXE_undertone");

fn program(home: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("UNDERTONE_HOME", home).args(["--device", "cpu"]);
    command
}

/// Runs the program with `args` (any mix of text and paths).
macro_rules! run {
    ($home:expr, $($arg:expr),+ $(,)?) => {
        program($home).args([$(AsRef::<OsStr>::as_ref(&$arg)),+]).output().expect("the program runs")
    };
}

mod files;
mod library;
mod models;
mod refusals;
mod run;
mod suggest;
mod usage;

#[allow(dead_code, reason = "the tests of the networks use the rest of it")]
#[path = "../golden/mod.rs"]
mod golden;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit 0 or 1, as wanted, and one JSON document on stdout.
fn answer(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document and nothing else")
}

/// Exit 2, nothing on stdout, and a last line on stderr that is one sentence with all of `words`.
fn refused(output: &Output, words: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(text(&output.stdout), "");
    let sentence = stderr.lines().last().unwrap_or_default();
    assert!(sentence.starts_with("undertone: "), "{stderr}");
    for word in words {
        assert!(sentence.contains(word), "no \"{word}\" in: {stderr}");
    }
    for word in ["panicked", "backtrace", "RUST_", "Error {", "not built"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
}

/// A folder with a few media, made once.
struct Media {
    folder: tempfile::TempDir,
}

impl Media {
    fn get() -> &'static Self {
        static MEDIA: OnceLock<Media> = OnceLock::new();
        MEDIA.get_or_init(|| {
            let media = Self {
                folder: tempfile::tempdir().expect("temporary folder"),
            };
            let base = Synthetic {
                duration_s: 1.0,
                ..Synthetic::default()
            };
            let silent = Synthetic {
                tone_hz: None,
                ..base.clone()
            };
            let sound = Synthetic {
                picture: None,
                ..base.clone()
            };
            let make =
                |what: &Synthetic, name: &str| synthesise(what, &media.path(name)).expect("synthesised");
            make(&base, "clip.webm");
            make(&base, "clip.mp4");
            make(&silent, "picture.webm");
            make(&sound, "voice.wav");
            std::fs::create_dir(media.path("music")).expect("folder");
            for (name, tone_hz) in [("low.ogg", 110.0), ("middle.wav", 440.0), ("high.ogg", 1760.0)] {
                let track = Synthetic {
                    tone_hz: Some(tone_hz),
                    ..sound.clone()
                };
                make(&track, &format!("music/{name}"));
            }
            media
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn new_home() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// A home whose library holds the music of [`Media`].
fn home_with_music() -> &'static Path {
    static HOME: OnceLock<tempfile::TempDir> = OnceLock::new();
    HOME.get_or_init(|| {
        let home = new_home();
        let report = answer(
            &run!(
                home.path(),
                "index",
                Media::get().path("music"),
                "--songs",
                "no",
                "--json"
            ),
            0,
        );
        assert_eq!(
            (&report["indexed"], &report["failed"]),
            (&3.into(), &Value::Array(Vec::new())),
            "{report}"
        );
        home
    })
    .path()
}

fn shipped_pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/compact")
}

fn copy_of_pack(to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(shipped_pack()).expect("the shipped pack") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// Everything under a folder, with sizes.
fn listing(folder: &Path) -> Vec<(OsString, u64)> {
    let mut found: Vec<(OsString, u64)> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name(), entry.metadata().expect("metadata").len())
        })
        .collect();
    found.sort();
    found
}
