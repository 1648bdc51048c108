//! The media module from outside: synthesised files, real files, bad files.

use std::path::{Path, PathBuf};

use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{self, AudioFormat};

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
