//! The program on real media that lies beside the repository (`../shared/media`); skips aloud where it is absent.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they skip and measure"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

fn shared(folder: &str) -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/media")
        .join(folder);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    Some(files)
}

/// One home with the demo's music indexed, for all tests of this file.
fn home() -> &'static Path {
    static HOME: OnceLock<tempfile::TempDir> = OnceLock::new();
    HOME.get_or_init(|| {
        let home = tempfile::tempdir().expect("temporary folder");
        let music = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/music");
        let done = undertone(home.path(), &["index".as_ref(), music.as_os_str()]);
        assert_eq!(
            done.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        home
    })
    .path()
}

fn undertone(home: &Path, args: &[&std::ffi::OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_undertone"))
        .env("UNDERTONE_HOME", home)
        .args(["--device", "cpu"])
        .args(args)
        .output()
        .expect("the program runs")
}

fn check(args: &[&std::ffi::OsStr]) -> Output {
    let output = undertone(home(), args);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn media() -> Option<Vec<PathBuf>> {
    let mut files = shared("video")?;
    files.extend(
        shared("separation")?
            .into_iter()
            .filter(|file| file.extension().is_some_and(|e| e != "index")),
    );
    Some(files)
}

#[test]
fn every_file_gets_suggestions() {
    for file in media().unwrap_or_default() {
        let output = check(&["suggest".as_ref(), file.as_os_str(), "--json".as_ref()]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        let suggestions = report["suggestions"].as_array().expect("a list");
        assert_eq!(suggestions.len(), 10, "{}", file.display());
        for (at, suggestion) in suggestions.iter().enumerate() {
            assert_eq!(suggestion["rank"], at + 1);
            assert!(suggestion["score"].as_f64().expect("a score").is_finite());
        }
    }
}

#[test]
fn every_sound_is_separated_to_its_length() {
    for file in media().unwrap_or_default() {
        let info = undertone::media::probe(&file).expect("probed");
        let out = tempfile::tempdir().expect("temporary folder");
        let args = [
            "separate".as_ref(),
            file.as_os_str(),
            "--out".as_ref(),
            out.path().as_os_str(),
        ];
        if info.audio.is_empty() {
            let output = undertone(home(), &args);
            assert_eq!(output.status.code(), Some(2), "{} has no sound", file.display());
            assert_eq!(std::fs::read_dir(out.path()).expect("a folder").count(), 0);
            continue;
        }
        check(&args);
        for stem in ["voice.wav", "bgm.wav"] {
            let stem = undertone::media::probe(&out.path().join(stem)).expect("a stem");
            assert_eq!((stem.audio[0].sample_rate, stem.audio[0].channels), (44_100, 2));
            assert!(
                (stem.duration_s - info.duration_s).abs() < 0.1,
                "{}: {stem:?}",
                file.display()
            );
        }
    }
}

#[test]
fn every_picture_is_exported_at_the_asked_loudness() {
    let track = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/music");
    let track = std::fs::read_dir(track)
        .expect("the demo")
        .next()
        .expect("a track")
        .expect("an entry")
        .path();
    for file in media().unwrap_or_default() {
        let source = undertone::media::probe(&file).expect("probed");
        let Some(picture) = source.video.first() else {
            continue;
        };
        let folder = tempfile::tempdir().expect("temporary folder");
        let extension = file
            .extension()
            .expect("an extension")
            .to_string_lossy()
            .into_owned();
        let out = folder.path().join(format!("mixed.{extension}"));
        let output = check(&[
            "export".as_ref(),
            file.as_os_str(),
            "--track".as_ref(),
            track.as_os_str(),
            "--loudness".as_ref(),
            "-16".as_ref(),
            "--out".as_ref(),
            out.as_os_str(),
        ]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let written = undertone::media::probe(&out).expect("an exported file");
        let frame_s = if picture.frame_rate > 0.0 {
            1.0 / picture.frame_rate
        } else {
            0.04
        };
        assert!(
            (written.duration_s - source.duration_s).abs() <= frame_s,
            "{}: {} s became {} s",
            file.display(),
            source.duration_s,
            written.duration_s
        );
        assert_eq!((written.video.len(), written.audio.len()), (1, 1), "{said}");
        assert!(said.contains("picture copied"), "{said}");
        if let Some((before, after)) = ffmpeg_packets(&file).zip(ffmpeg_packets(&out)) {
            assert!(
                !before.is_empty() && before == after,
                "{} changed",
                file.display()
            );
        }
        let Some(lufs) = ffmpeg_loudness(&out) else {
            continue;
        };
        assert!((lufs + 16.0).abs() <= 1.0, "{}: {lufs} LUFS", file.display());
    }
}

/// What ffmpeg makes of `file`; `None` where there is no ffmpeg.
fn ffmpeg(file: &Path, arguments: &[&str]) -> Option<Output> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostats", "-i"])
        .arg(file)
        .args(arguments)
        .output();
    if output.is_err() {
        eprintln!("skipped: no ffmpeg to look at {} independently", file.display());
    }
    output.ok()
}

/// Size and hash of every packet of the first picture, by a demuxer that is not ours.
fn ffmpeg_packets(file: &Path) -> Option<Vec<String>> {
    let arguments = ["-map", "0:v:0", "-c", "copy", "-f", "framehash", "-"];
    let text = String::from_utf8(ffmpeg(file, &arguments)?.stdout).expect("text");
    let packet = |line: &str| {
        line.split(',')
            .skip(4)
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
    };
    Some(
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(packet)
            .collect(),
    )
}

/// Integrated loudness by a meter that is not ours.
fn ffmpeg_loudness(file: &Path) -> Option<f64> {
    let output = ffmpeg(file, &["-filter_complex", "ebur128", "-f", "null", "-"])?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = text.rsplit("Integrated loudness").next()?;
    let value = summary.split("I:").nth(1)?.split_whitespace().next()?;
    value.parse().ok()
}
