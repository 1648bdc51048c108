//! The media module from outside: synthesised files, real files, bad files.

use std::path::{Path, PathBuf};

use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{self, AudioFormat, Frame, FrameFit};

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
            let times: Vec<f64> = (0..64).map(|i| (f64::from(i) + 0.5) / 2.0).collect();
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
