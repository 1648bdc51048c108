//! Export end to end, on media that GStreamer synthesises: length, loudness, refusals, and nothing left behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use undertone::device::DeviceChoice;
use undertone::engine::export::{ExportReport, ExportRequest, export};
use undertone::engine::{Engine, EngineOptions};
use undertone::error::{ErrorKind, Result};
use undertone::jobs::Monitor;
use undertone::jobs::testing::cancelling_at;
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{AudioFormat, decode_audio, probe};
use undertone::mix::MixSettings;
use undertone::settings::Folders;
use undertone::signal::loudness::Meter;

/// A folder with media, an engine over it, and what was asked of it.
struct Desk {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let engine = Engine::open(EngineOptions {
            device: DeviceChoice::Cpu,
            pack: "compact".to_owned(),
            library: None,
            folders: Folders::under(&folder.path().join("home")),
        })
        .expect("the shipped pack");
        let desk = Self { folder, engine };
        // The track is as long as the clips are, with room for another in point.
        let track = Synthetic {
            duration_s: 6.0,
            picture: None,
            tone_hz: Some(1500.0),
            sample_rate: 44_100,
            channels: 2,
            ..Synthetic::default()
        };
        synthesise(&track, &desk.path("track.wav")).expect("track");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn clip(&self, name: &str, change: impl FnOnce(&mut Synthetic)) -> PathBuf {
        let mut what = Synthetic {
            duration_s: 4.0,
            ..Synthetic::default()
        };
        change(&mut what);
        synthesise(&what, &self.path(name)).expect("clip");
        self.path(name)
    }

    fn request(&self, video: &Path, out: &str) -> ExportRequest {
        ExportRequest {
            video: video.to_owned(),
            track: self.path("track.wav"),
            settings: MixSettings::default(),
            fit_level: true,
            loudness_lufs: Some(-16.0),
            out: self.path(out),
        }
    }

    fn export(&self, request: &ExportRequest) -> Result<ExportReport> {
        export(&self.engine, request, &Monitor::silent())
    }

    /// What a refusal says; nothing may be written or changed.
    fn refusal(&self, request: &ExportRequest) -> String {
        let before = self.listing();
        let error = self.export(request).expect_err("refused").to_string();
        assert_eq!(self.listing(), before);
        assert!(!error.contains('\n'), "{error}");
        error
    }

    /// Names and lengths of the files on the desk.
    fn listing(&self) -> Vec<(PathBuf, u64)> {
        let mut files: Vec<(PathBuf, u64)> = std::fs::read_dir(self.folder.path())
            .expect("list")
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.path(), entry.metadata().expect("a length").len()))
            .collect();
        files.sort();
        files
    }
}

fn heard(path: &Path) -> Vec<f32> {
    decode_audio(path, AudioFormat::MIX, 0.0, None, &Monitor::silent()).expect("sound")
}

fn lufs(samples: &[f32]) -> f64 {
    let mut meter = Meter::new(44_100, 2).expect("meter");
    meter.add(samples).expect("samples");
    meter.integrated_lufs().expect("sound")
}

/// Amplitude of a tone in the left channel (Goertzel).
fn amplitude(samples: &[f32], hz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    let frames = samples.len() / 2;
    for frame in 0..frames {
        let angle = std::f64::consts::TAU * hz * frame as f64 / 44_100.0;
        real += f64::from(samples[2 * frame]) * angle.cos();
        imaginary += f64::from(samples[2 * frame]) * angle.sin();
    }
    2.0 * real.hypot(imaginary) / frames as f64
}

#[test]
fn the_mix_is_as_long_as_the_video_and_as_loud_as_asked() {
    let desk = Desk::new();
    for (source, out, target) in [
        ("a.webm", "b.webm", -16.0),
        ("a.mp4", "b.mp4", -14.0),
        ("a.webm", "b.mkv", -23.0),
        ("a.mp4", "b.wav", -16.0),
    ] {
        let video = desk.clip(source, |_| {});
        let length_s = probe(&video).expect("probed").duration_s;
        let request = ExportRequest {
            loudness_lufs: Some(target),
            ..desk.request(&video, out)
        };
        let report = desk.export(&request).expect(out);
        assert_eq!(report.out, request.out);
        assert_eq!(report.picture, if out == "b.wav" { "none" } else { "copied" });
        assert!(
            (report.loudness_lufs.expect("sound") - target).abs() < 0.5,
            "{report:?}"
        );
        assert!((report.duration_s - length_s).abs() < 1e-4);

        let written = probe(&request.out).expect("a media file");
        assert!(
            (written.duration_s - length_s).abs() <= 0.04,
            "{out}: {written:?}"
        );
        let samples = heard(&request.out);
        let measured = lufs(&samples);
        assert!((measured - target).abs() < 1.0, "{out}: {measured} LUFS");
        let missing_s = length_s - (samples.len() / 2) as f64 / 44_100.0;
        assert!(missing_s.abs() < 0.05, "{out}: sound is {missing_s} s short");
    }
}

#[test]
fn a_video_without_sound_gets_the_track_alone() {
    let desk = Desk::new();
    let video = desk.clip("silent.webm", |what| what.tone_hz = None);
    let request = ExportRequest {
        loudness_lufs: None,
        ..desk.request(&video, "out.webm")
    };
    let report = desk.export(&request).expect("exported");
    assert_eq!(report.picture, "copied");
    let lufs = report.loudness_lufs.expect("sound");
    assert!((lufs + 18.0).abs() < 1.0, "a bed without a voice: {lufs}");
    assert!(amplitude(&heard(&request.out), 1500.0) > 0.05);
}

#[test]
fn sound_alone_becomes_a_sound_file_and_no_video() {
    let desk = Desk::new();
    let voice = desk.clip("voice.opus", |what| what.picture = None);
    let report = desk.export(&desk.request(&voice, "out.wav")).expect("exported");
    assert_eq!(report.picture, "none");
    let length_s = probe(&voice).expect("probed").duration_s;
    assert!((report.duration_s - length_s).abs() < 0.03, "{report:?}");
    for out in ["out.mp4", "out.mkv", "out.webm"] {
        let error = desk.refusal(&desk.request(&voice, out));
        assert!(
            error.contains("voice.opus") && error.contains("no picture") && error.contains(".wav"),
            "{error}"
        );
    }
}

#[test]
fn replace_drops_the_original_music_and_keep_keeps_it() {
    let desk = Desk::new();
    let video = desk.clip("a.webm", |_| {});
    let tones = |original_muted: bool, voice_muted: bool| {
        let request = ExportRequest {
            settings: MixSettings {
                original_muted,
                voice_muted,
                ..MixSettings::default()
            },
            ..desk.request(&video, "out.wav")
        };
        desk.export(&request).expect("exported");
        let samples = heard(&request.out);
        (amplitude(&samples, 440.0), amplitude(&samples, 1500.0))
    };
    let (original, candidate) = tones(true, true);
    assert!(original < 1e-3 && candidate > 0.05, "{original} {candidate}");
    let (original, candidate) = tones(false, false);
    assert!(original > 0.05 && candidate > 0.005, "{original} {candidate}");
}

#[test]
fn what_cannot_be_done_is_refused_before_any_work() {
    let desk = Desk::new();
    let video = desk.clip("a.webm", |_| {});
    let mute = desk.clip("mute.webm", |what| what.tone_hz = None);
    std::fs::create_dir(desk.path("folder.webm")).expect("a folder");
    let check = |change: &dyn Fn(&mut ExportRequest), words: &[&str]| {
        let mut request = desk.request(&video, "out.webm");
        change(&mut request);
        let error = desk.refusal(&request);
        for word in words {
            assert!(error.contains(word), "no \"{word}\" in: {error}");
        }
    };
    check(
        &|request| request.out.clone_from(&request.video),
        &["another name"],
    );
    check(
        &|request| request.out = desk.path("./home/../a.webm"),
        &["a.webm"],
    );
    check(
        &|request| request.out.clone_from(&request.track),
        &["track.wav", "another name"],
    );
    check(
        &|request| request.out = desk.path("folder.webm"),
        &["is a folder"],
    );
    check(
        &|request| request.out = desk.path("nowhere/out.webm"),
        &["nowhere/out.webm"],
    );
    check(
        &|request| request.out = desk.path("out.avi"),
        &[".mp4, .mkv, .webm"],
    );
    check(
        &|request| request.track = mute.clone(),
        &["mute.webm", "has no sound"],
    );
    check(
        &|request| request.track = desk.path("gone.opus"),
        &["gone.opus", "no such file"],
    );
    check(
        &|request| request.video = desk.path("gone.mp4"),
        &["gone.mp4", "no such file"],
    );
    check(
        &|request| request.loudness_lufs = Some(f64::NAN),
        &["LUFS", "-14"],
    );
}

#[test]
fn cancel_leaves_an_existing_file_as_it_was() {
    let desk = Desk::new();
    let video = desk.clip("a.webm", |_| {});
    let request = desk.request(&video, "out.webm");
    std::fs::write(&request.out, "mine").expect("a file");
    let before = desk.listing();
    for stop_at in [0.0f32, 0.3, 0.8, 0.905, 1.0] {
        let monitor = cancelling_at(stop_at);
        let error = export(&desk.engine, &request, &monitor).expect_err("cancelled");
        assert_eq!(error.kind(), ErrorKind::Cancelled, "at {stop_at}: {error}");
        assert_eq!(desk.listing(), before, "at {stop_at}");
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_file_and_is_said() {
    let desk = Desk::new();
    let video = desk.clip("a.webm", |_| {});
    // Separated beforehand: the limit below is for the output.
    desk.export(&desk.request(&video, "first.wav")).expect("exported");
    std::fs::remove_file(desk.path("first.wav")).expect("removed");
    let before = desk.listing();
    for out in ["full.wav", "full.webm", "full.mp4"] {
        // A file may have 16 KiB; a write past that fails as on a full disk.
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_undertone"))
            .args(["--device", "cpu", "export"])
            .arg(&video)
            .arg("--track")
            .arg(desk.path("track.wav"))
            .arg("--out")
            .arg(desk.path(out))
            .env("UNDERTONE_HOME", desk.path("home"))
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{out}: {said}");
        // GStreamer knows a full disk by its own number and takes the limit here for any failed write.
        let reason = if out == "full.wav" {
            "the disk is full"
        } else {
            "check the disk"
        };
        let free = said.contains("the disk is full");
        assert!((said.contains(reason) || free) && said.contains(out), "{said}");
        assert_eq!(desk.listing(), before, "{out}");
    }
}
