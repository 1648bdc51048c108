//! The media module from outside: synthesised files, real files, bad files.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they skip and measure"
)]

use std::path::{Path, PathBuf};

use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::testing::{Synthetic, picture_packets, synthesise};
use undertone::media::{self, AudioFormat, Frame, FrameFit, MixedSound, Picture};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn make(folder: &Path, name: &str, what: &Synthetic) -> PathBuf {
    let path = folder.join(name);
    synthesise(what, &path).expect(name);
    path
}

/// Root mean square of the difference to a sine of `tone_hz` and amplitude 0.5
/// at the phase that the position in the file asks for.
fn distance_to_tone(samples: &[f32], format: AudioFormat, start_s: f64, tone_hz: f64) -> f64 {
    let channels = format.channels as usize;
    let sum: f64 = samples
        .chunks_exact(channels)
        .enumerate()
        .map(|(i, frame)| {
            // audiotestsrc starts one sample into the sine.
            let t = start_s + i as f64 / f64::from(format.sample_rate) + 1.0 / 48_000.0;
            let expected = 0.5 * (std::f64::consts::TAU * tone_hz * t).sin();
            (f64::from(frame[0]) - expected).powi(2)
        })
        .sum();
    (sum / (samples.len() / channels) as f64).sqrt()
}

#[test]
fn probe_tells_what_a_file_holds() -> Result<()> {
    let folder = folder();
    for (name, container, video, audio) in [
        ("a.webm", "WebM", "VP8", "Opus"),
        ("a.mkv", "Matroska", "VP8", "Opus"),
        ("a.mp4", "MP4", "H.264", "AAC"),
        ("a.ogg", "Ogg", "", "Opus"),
        ("a.wav", "WAV", "", "PCM"),
    ] {
        let info = media::probe(&make(folder.path(), name, &Synthetic::default()))?;
        eprintln!("{name}: {info:?}");
        assert!(info.container.contains(container), "{name}: {info:?}");
        assert!((info.duration_s - 2.0).abs() < 0.05, "{name}: {info:?}");
        assert_eq!(info.audio.len(), 1, "{name}");
        assert!(info.audio[0].codec.contains(audio), "{name}: {info:?}");
        assert_eq!(
            (info.audio[0].sample_rate, info.audio[0].channels),
            (48_000, 2),
            "{name}"
        );
        assert_eq!(info.video.len(), usize::from(!video.is_empty()), "{name}");
        if let Some(stream) = info.video.first() {
            assert_eq!(
                (stream.width, stream.height, stream.rotation),
                (160, 120, 0),
                "{name}"
            );
            assert!((stream.frame_rate - 25.0).abs() < 0.1, "{name}: {info:?}");
        }
    }
    Ok(())
}

#[test]
fn sound_lies_where_its_time_says() -> Result<()> {
    let folder = folder();
    let what = Synthetic {
        picture: None,
        tone_hz: Some(100.0),
        ..Synthetic::default()
    };
    for name in ["a.wav", "a.mkv", "a.ogg"] {
        let path = make(folder.path(), name, &what);
        for format in [AudioFormat::MIX, AudioFormat::VGGISH] {
            let rate = f64::from(format.sample_rate);
            for (start_s, length_s) in [(0.0, None), (0.1, Some(0.5)), (1.23, Some(0.3))] {
                let samples = media::decode_audio(&path, format, start_s, length_s, &Monitor::silent())?;
                let frames = samples.len() as f64 / f64::from(format.channels);
                assert!(
                    (frames - length_s.unwrap_or(2.0) * rate).abs() < 2.0,
                    "{name}: {frames}"
                );
                // The edges ring, and Opus is not exact.
                let edge = format.channels as usize * format.sample_rate as usize / 50;
                let distance = distance_to_tone(
                    &samples[edge..samples.len() - edge],
                    format,
                    start_s + 0.02,
                    100.0,
                );
                // After a seek a sample is placed on the nearest tick.
                let tolerance = if name == "a.wav" && start_s == 0.0 {
                    1e-3
                } else {
                    0.03
                };
                assert!(distance < tolerance, "{name} {format:?} {start_s}: {distance}");
            }
        }
    }
    Ok(())
}

const SLOWFAST: FrameFit = FrameFit::ScaleAndCrop {
    short_side: 256,
    crop: 224,
};

fn frames_at(path: &Path, times_s: &[f64], fit: FrameFit) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    media::sample_frames(path, times_s, fit, &Monitor::silent(), &mut |index, frame| {
        assert_eq!(index, frames.len(), "in order");
        frames.push(frame);
    })?;
    Ok(frames)
}

/// The files of `../shared/media/<folder>`; says so and is empty where it is absent.
fn shared(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/media")
        .join(folder);
    let Ok(list) = std::fs::read_dir(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    let mut files: Vec<_> = list.map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files.retain(|file| file.extension().is_some_and(|extension| extension != "index"));
    files
}

#[test]
fn real_files_are_read() -> Result<()> {
    for path in shared("video").into_iter().chain(shared("separation")) {
        let info = media::probe(&path)?;
        eprintln!("{}: {info:?}", path.display());
        if !info.audio.is_empty() {
            let started = std::time::Instant::now();
            let samples = media::decode_audio(&path, AudioFormat::MIX, 0.0, None, &Monitor::silent())?;
            let length_s = samples.len() as f64 / 2.0 / 44_100.0;
            eprintln!("   sound {length_s} in {:?}", started.elapsed());
        }
        if !info.video.is_empty() {
            let times: Vec<f64> = (0..64).map(|i| f64::midpoint(f64::from(i), 0.5)).collect();
            let started = std::time::Instant::now();
            let frames = frames_at(&path, &times, SLOWFAST)?;
            eprintln!("   64 frames in {:?}", started.elapsed());
            assert_eq!(frames.len(), 64);
            let started = std::time::Instant::now();
            let thumbnails = media::thumbnails(&path, 12, 90, &Monitor::silent())?;
            eprintln!(
                "   thumbnails in {:?} {}x{}",
                started.elapsed(),
                thumbnails[0].width,
                thumbnails[0].height
            );
            assert_eq!(thumbnails.len(), 12);
        }
    }
    Ok(())
}

#[test]
fn frames_are_those_shown_at_the_time() -> Result<()> {
    let folder = folder();
    let path = make(folder.path(), "a.webm", &Synthetic::default());
    let all: Vec<f64> = (0..50).map(|i| f64::from(i) / 25.0).collect();
    let every = frames_at(&path, &all, FrameFit::Height(60))?;
    assert_eq!(
        (every[0].width, every[0].height, every[0].rgb.len()),
        (80, 60, 80 * 60 * 3)
    );

    // Between two frames the earlier is shown; before the first, the first; past the end, the last.
    let between = frames_at(&path, &[0.0, 0.059, 1.0, 1.9, 5.0, 100.0], FrameFit::Height(60))?;
    for (frame, expected) in between.iter().zip([0, 1, 25, 47, 49, 49]) {
        assert_eq!(frame, &every[expected], "{expected}");
    }
    let square = frames_at(&path, &[0.5], SLOWFAST)?;
    assert_eq!((square[0].width, square[0].height), (224, 224));
    // The first bar of the test picture is white, the last but one red.
    let left = &every[0].rgb[..3];
    assert!(left.iter().all(|&value| value > 150), "{left:?}");
    Ok(())
}

#[test]
fn a_long_jump_shows_the_same_frame_as_decoding_up_to_it() -> Result<()> {
    let folder = folder();
    let what = Synthetic {
        duration_s: 20.0,
        picture: Some((64, 48)),
        frame_rate: 10,
        ..Synthetic::default()
    };
    for name in ["a.mkv", "a.mp4"] {
        let path = make(folder.path(), name, &what);
        let steps: Vec<f64> = (0..40).map(|i| f64::from(i) / 2.0 + 0.05).collect();
        let walked = frames_at(&path, &steps, FrameFit::Height(48))?;
        let jumped = frames_at(&path, &[18.05, 19.55], FrameFit::Height(48))?;
        assert_eq!(jumped[0], walked[36], "{name}");
        assert_eq!(jumped[1], walked[39], "{name}");
        let small = media::thumbnails(&path, 5, 24, &Monitor::silent())?;
        assert_eq!(small.len(), 5);
        assert!(small.iter().all(|frame| (frame.width, frame.height) == (32, 24)));
    }
    Ok(())
}

/// Silence with a short click at each of some times.
struct Clicks {
    frames: u64,
    at_frames: Vec<u64>,
}

impl MixedSound for Clicks {
    fn format(&self) -> AudioFormat {
        AudioFormat::MIX
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn render(&mut self, at: u64, out: &mut [f32]) -> Result<()> {
        for (i, frame) in out.chunks_exact_mut(2).enumerate() {
            let now = at + i as u64;
            let hit = self
                .at_frames
                .iter()
                .any(|&click| now >= click && now < click + 40);
            frame.fill(if hit { 0.8 } else { 0.0 });
        }
        Ok(())
    }
}

fn clicks(length_s: f64) -> Clicks {
    Clicks {
        frames: (length_s * 44_100.0) as u64,
        at_frames: vec![0, 22_050, 66_150],
    }
}

/// Frame of the first sample over a third of full scale from `from_s` on.
fn onset(samples: &[f32], from_s: f64) -> usize {
    let from = (from_s * 44_100.0) as usize;
    samples
        .chunks_exact(2)
        .skip(from)
        .position(|frame| frame[0].abs() > 0.33)
        .map_or(0, |at| at + from)
}

/// Remuxes `video` and holds the result against it.
fn check_remux(video: &Path, out: &Path, expected: Picture) -> Result<()> {
    let info = media::probe(video)?;
    let picture = media::remux(video, Box::new(clicks(info.duration_s)), out, &Monitor::silent())?;
    let name = format!("{} -> {}", video.display(), out.display());
    assert_eq!(picture, expected, "{name}");

    let written = media::probe(out)?;
    let frame_s = match info.video[0].frame_rate {
        rate if rate > 0.0 => 1.0 / rate,
        _ => 0.04,
    };
    assert!(
        (written.duration_s - info.duration_s).abs() <= frame_s,
        "{name}: {} became {}",
        info.duration_s,
        written.duration_s
    );
    assert_eq!((written.video.len(), written.audio.len()), (1, 1), "{name}");
    assert_eq!(
        written.video[0].rotation,
        if expected == Picture::Copied {
            info.video[0].rotation
        } else {
            0
        }
    );

    let samples = media::decode_audio(out, AudioFormat::MIX, 0.0, None, &Monitor::silent())?;
    let wanted = info.duration_s * 44_100.0;
    let found = samples.len() as f64 / 2.0;
    assert!((found - wanted).abs() < 3.0, "{name}: {found} frames of {wanted}");
    for click in [22_050, 66_150] {
        let found = onset(&samples, click as f64 / 44_100.0 - 0.2);
        assert!(
            found.abs_diff(click) < 45,
            "{name}: a click at {click} came at {found}"
        );
    }
    if expected == Picture::Copied {
        let (before, after) = (picture_packets(video)?, picture_packets(out)?);
        assert_eq!(before.len(), after.len(), "{name}");
        for (i, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(before.bytes == after.bytes, "{name}: packet {i} differs");
            assert!(
                (before.pts_s - after.pts_s).abs() < 2e-3,
                "{name}: packet {i} {} {}",
                before.pts_s,
                after.pts_s
            );
        }
    }
    Ok(())
}

#[test]
fn remuxed_pictures_are_copied_and_in_sync() -> Result<()> {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let webm = make(folder.path(), "a.webm", &Synthetic::default());
    let mp4 = make(folder.path(), "b.mp4", &Synthetic::default());
    check_remux(&webm, &at("1.webm"), Picture::Copied)?;
    check_remux(&webm, &at("1.mkv"), Picture::Copied)?;
    check_remux(&webm, &at("1.mp4"), Picture::Encoded)?;
    check_remux(&mp4, &at("2.mp4"), Picture::Copied)?;
    check_remux(&mp4, &at("2.mkv"), Picture::Copied)?;
    check_remux(&mp4, &at("2.webm"), Picture::Encoded)?;
    Ok(())
}

#[test]
fn real_pictures_are_copied() -> Result<()> {
    let folder = folder();
    for video in shared("video") {
        let info = media::probe(&video)?;
        let own = if info.video[0].codec.starts_with("VP8") {
            "webm"
        } else {
            "mp4"
        };
        for extension in ["mkv", own] {
            let stem = video.file_stem().expect("name").to_string_lossy().into_owned();
            check_remux(
                &video,
                &folder.path().join(format!("{stem}.{extension}")),
                Picture::Copied,
            )?;
        }
    }
    Ok(())
}
