//! What picture and voice of a clip become before they are joined: rows of SlowFast and of VGGish.

use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor, WithDType};

use super::clip::{Audible, CLIP_S, frame_times};
use super::query::VoiceSource;
use crate::engine::Engine;
use crate::engine::separate::{SeparateOptions, separate_samples};
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat, Frame, FrameFit, MediaInfo};
use crate::networks::slowfast::{self, PIXEL_MEAN, PIXEL_STD, slow_frames};
use crate::signal::resample;

/// A sound whose RMS lies below this (-60 dBFS) holds no voice; the query is then answered by the picture alone.
const SILENCE_RMS: f32 = 1e-3;

/// The part of a media that a query covers.
pub(super) struct Clip<'a> {
    media: &'a Path,
    start_s: f64,
    length_s: f64,
}

impl<'a> Clip<'a> {
    pub(super) fn of(media: &'a Path, info: &MediaInfo, start_s: f64) -> Result<Self> {
        if !(start_s >= 0.0 && (start_s == 0.0 || start_s < info.duration_s)) {
            return Err(Error::input(
                media,
                format!(
                    "is {:.1} s long, so a clip cannot start at {start_s} s; choose an earlier start",
                    info.duration_s
                ),
            ));
        }
        let length_s = if info.duration_s > 0.0 {
            (info.duration_s - start_s).min(CLIP_S)
        } else {
            CLIP_S
        };
        Ok(Self {
            media,
            start_s,
            length_s,
        })
    }
}

/// What SlowFast made of the picture.
pub(super) struct Seen {
    pub(super) slow: Tensor,
    pub(super) fast: Tensor,
    pub(super) decoding: Duration,
    pub(super) computing: Duration,
}

/// The distinct frames that SlowFast sees of a clip, and for each of its 64 fast ones the place among them.
fn watch(clip: &Clip<'_>, config: &slowfast::Config, monitor: &Monitor) -> Result<(Vec<Frame>, Vec<usize>)> {
    monitor.progress("Looking at the picture", Some(0.0));
    let (times, places) = frame_times(clip.start_s, clip.length_s);
    let fit = FrameFit::ScaleAndCrop {
        short_side: config.short_side() as u32,
        crop: config.crop as u32,
    };
    let mut frames = vec![None; times.len()];
    media::sample_frames(
        clip.media,
        &times,
        fit,
        &monitor.part(0.0, 0.5),
        &mut |index, frame| {
            if let Some(slot) = frames.get_mut(index) {
                *slot = Some(frame);
            }
        },
    )?;
    let frames: Vec<Frame> = frames.into_iter().flatten().collect();
    if frames.len() != times.len() {
        return Err(Error::input(
            clip.media,
            "its picture could not be decoded; convert the file and try again",
        ));
    }
    Ok((frames, places))
}

pub(super) fn see(engine: &Engine, clip: &Clip<'_>, monitor: &Monitor) -> Result<Seen> {
    let began = Instant::now();
    let slowfast = engine.slowfast()?;
    let (frames, places) = watch(clip, slowfast.config(), monitor)?;
    let decoding = began.elapsed();
    monitor.check()?;
    let computing = Instant::now();
    let fast = fast_tensor(&frames, &places, &engine.device().device)?;
    let slow = slow_frames(&fast)?;
    let (slow, fast) = slowfast.forward(&slow, &fast)?;
    Ok(Seen {
        slow,
        fast,
        decoding,
        computing: computing.elapsed(),
    })
}

/// SlowFast rows of the clip of `media` that covers `start_s..start_s + length_s`: slow [1, 8, slow_dim] and fast
/// [1, 64, fast_dim].
///
/// # Errors
/// When the picture cannot be decoded or the device fails; cancelled.
pub(in crate::engine) fn picture_rows(
    engine: &Engine,
    media: &Path,
    start_s: f64,
    length_s: f64,
    monitor: &Monitor,
) -> Result<(Tensor, Tensor)> {
    let clip = Clip {
        media,
        start_s,
        length_s,
    };
    let seen = see(engine, &clip, monitor)?;
    Ok((seen.slow, seen.fast))
}

/// The 64 frames of such a clip as bytes for the network of `config`, [3, 64, crop, crop] on the CPU.
///
/// # Errors
/// When the picture cannot be decoded; cancelled.
pub(in crate::engine) fn picture_bytes(
    config: &slowfast::Config,
    media: &Path,
    start_s: f64,
    length_s: f64,
    monitor: &Monitor,
) -> Result<Tensor> {
    let clip = Clip {
        media,
        start_s,
        length_s,
    };
    let (frames, places) = watch(&clip, config, monitor)?;
    planes(&frames, &places, |value| value, &Device::Cpu)
}

/// [1, 3, 64, crop, crop], normalised, from the distinct frames and each fast frame's place among them.
fn fast_tensor(frames: &[Frame], places: &[usize], device: &Device) -> Result<Tensor> {
    let normalised = |value| (f32::from(value) / 255.0 - PIXEL_MEAN) / PIXEL_STD;
    Ok(planes(frames, places, normalised, device)?.unsqueeze(0)?)
}

/// Channel, time, row, column of the frames at `places`, which are of one size.
fn planes<T: Clone + Default + WithDType>(
    frames: &[Frame],
    places: &[usize],
    of: impl Fn(u8) -> T,
    device: &Device,
) -> Result<Tensor> {
    let (width, height) = frames
        .first()
        .map_or((0, 0), |frame| (frame.width as usize, frame.height as usize));
    let plane = width * height;
    let mut pixels = vec![T::default(); 3 * places.len() * plane];
    for (time, &place) in places.iter().enumerate() {
        for (index, pixel) in frames[place].rgb.chunks_exact(3).enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                pixels[(channel * places.len() + time) * plane + index] = of(value);
            }
        }
    }
    Ok(Tensor::from_vec(
        pixels,
        (3, places.len(), height, width),
        device,
    )?)
}

/// What VGGish made of the voice.
pub(super) struct Heard {
    pub(super) log_mel: Vec<f32>,
    pub(super) rows: Tensor,
    pub(super) decoding: Duration,
    pub(super) separating: Duration,
    pub(super) computing: Duration,
}

/// `None` for silence.
pub(super) fn listen(
    engine: &Engine,
    clip: &Clip<'_>,
    voice: &VoiceSource,
    monitor: &Monitor,
) -> Result<Option<Heard>> {
    let began = Instant::now();
    monitor.progress("Listening to the voice", Some(0.0));
    let file = if let VoiceSource::File(file) = voice {
        file.as_path()
    } else {
        clip.media
    };
    let separate = *voice == VoiceSource::Separated;
    let format = if separate {
        AudioFormat::MIX
    } else {
        AudioFormat::VGGISH
    };
    let sound = media::decode_audio(
        file,
        format,
        clip.start_s,
        Some(clip.length_s),
        &monitor.part(0.0, 0.2),
    )?;
    let decoding = began.elapsed();
    if is_silent(&sound) {
        return Ok(None);
    }
    let began = Instant::now();
    let samples = if separate {
        let stems = separate_samples(
            engine,
            &sound,
            &SeparateOptions::default(),
            &monitor.part(0.2, 0.7),
        )?;
        let mono: Vec<f32> = stems
            .voice
            .chunks_exact(2)
            .map(|pair| f32::midpoint(pair[0], pair[1]))
            .collect();
        resample::resample(&mono, format.sample_rate, AudioFormat::VGGISH.sample_rate)
    } else {
        sound
    };
    let separating = began.elapsed();
    if is_silent(&samples) {
        return Ok(None);
    }
    monitor.check()?;
    let began = Instant::now();
    let vggish = engine.vggish_voice()?;
    let audible = Audible::of(&samples, vggish.takes_chroma());
    let rows = audible.rows(vggish, &engine.device().device)?.unsqueeze(0)?;
    Ok(Some(Heard {
        log_mel: audible.log_mel,
        rows,
        decoding,
        separating,
        computing: began.elapsed(),
    }))
}

/// Whether a sound holds nothing to hear.
pub(in crate::engine) fn is_silent(samples: &[f32]) -> bool {
    let energy: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample) * f64::from(sample))
        .sum();
    (energy / samples.len().max(1) as f64).sqrt() < f64::from(SILENCE_RMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_normalised_by_channel_and_time() {
        let frame = |value: u8| Frame {
            width: 12,
            height: 10,
            rgb: vec![value; 12 * 10 * 3],
        };
        let tensor = fast_tensor(&[frame(0), frame(255)], &[0, 1, 0], &Device::Cpu).expect("tensor");
        assert_eq!(tensor.dims(), [1, 3, 3, 10, 12]);
        let at = |channel: usize, time: usize| {
            tensor
                .get(0)
                .and_then(|t| t.get(channel))
                .and_then(|t| t.get(time))
                .and_then(|t| t.get(7))
                .and_then(|t| t.get(9))
                .and_then(|t| t.to_scalar::<f32>())
                .expect("pixel")
        };
        assert!((at(0, 0) + 2.0).abs() < 1e-6);
        assert!((at(2, 1) - 0.55 / 0.225).abs() < 1e-5);
        assert!((at(1, 2) + 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_clip_cannot_start_after_the_end() {
        let info = MediaInfo {
            duration_s: 10.0,
            container: String::new(),
            video: Vec::new(),
            audio: Vec::new(),
            tags: media::Tags::default(),
        };
        assert!(Clip::of(Path::new("a"), &info, 12.0).is_err());
        assert!(Clip::of(Path::new("a"), &info, f64::NAN).is_err());
        assert_eq!(
            Clip::of(Path::new("a"), &info, 4.0).expect("inside").length_s,
            6.0
        );
    }

    #[test]
    fn silence_is_heard_as_such() {
        assert!(is_silent(&[]));
        assert!(is_silent(&[1e-4; 100]));
        assert!(!is_silent(&[0.1, -0.1]));
    }
}
