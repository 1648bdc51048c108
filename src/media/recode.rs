//! Sound as it comes back from a lossy codec, without a file.

use std::path::Path;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use serde::Serialize;

use super::mux_sound::{AAC, OPUS, present};
use super::pipeline::Pipeline;
use super::{AudioFormat, elements};
use crate::error::{Error, Result};
use crate::jobs::Monitor;

/// A lossy codec of sound in videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SoundCodec {
    /// AAC, as in MP4.
    Aac,
    /// Opus, as in WebM.
    Opus,
}

/// Encodes interleaved `samples` at `bits_per_s` and decodes them again: as many samples, in the same places. Where no
/// encoder or decoder for the codec is installed they come back as they are.
///
/// # Errors
/// When GStreamer fails; cancelled.
pub fn recode(
    samples: Vec<f32>,
    format: AudioFormat,
    codec: SoundCodec,
    bits_per_s: u32,
    monitor: &Monitor,
) -> Result<Vec<f32>> {
    super::init()?;
    let (encoders, decoders): (_, &[&str]) = match codec {
        SoundCodec::Aac => (AAC, &["avdec_aac", "faad"]),
        SoundCodec::Opus => (OPUS, &["opusdec"]),
    };
    let (Ok(encoder), Some(decoder)) = (
        present(encoders),
        decoders.iter().find(|name| elements::is_present(name)),
    ) else {
        return Ok(samples);
    };
    let encode = elements::make(encoder.name)?;
    encode.set_property("bitrate", bits_per_s as i32);
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", gstreamer_audio::AUDIO_FORMAT_F32.to_str())
        .field("layout", "interleaved")
        .field("rate", format.sample_rate as i32)
        .field("channels", format.channels as i32)
        .build();
    let source = gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .max_bytes(0)
        .build();
    let sink = gst_app::AppSink::builder().caps(&caps).sync(false).build();
    let mut pipeline = Pipeline::new(Path::new("the mix"))?;
    pipeline.add_row(&[
        source.upcast_ref(),
        &elements::make("audioconvert")?,
        &elements::make("audioresample")?,
        &encode,
        &elements::make(decoder)?,
        &elements::make("audioconvert")?,
        &elements::make("audioresample")?,
        sink.upcast_ref(),
    ])?;
    pipeline.set_state(gst::State::Playing)?;
    give(&source, &samples, format);
    let mut coded = Vec::with_capacity(samples.len());
    while !sink.is_eos() {
        if let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
            take(&sample, &mut coded)?;
            pipeline.moved();
        } else {
            pipeline.poll()?;
            pipeline.check_stall()?;
        }
        monitor.check()?;
    }
    pipeline.poll()?;
    coded.drain(..(encoder.lead as usize * format.channels as usize).min(coded.len()));
    coded.resize(samples.len(), 0.0);
    Ok(coded)
}

/// Pushes all samples, and as much silence as an encoder may hold back.
fn give(source: &gst_app::AppSrc, samples: &[f32], format: AudioFormat) {
    const BLOCK_FRAMES: usize = 4096;
    let channels = format.channels as usize;
    let time = |frame: usize| {
        gst::ClockTime::SECOND
            .mul_div_round(frame as u64, u64::from(format.sample_rate))
            .unwrap_or(gst::ClockTime::MAX)
    };
    let silence = vec![0.0; BLOCK_FRAMES * channels];
    let mut at = 0;
    for block in samples.chunks(BLOCK_FRAMES * channels).chain([&silence[..]]) {
        let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let frames = block.len() / channels;
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time(at));
            buffer.set_duration(time(at + frames) - time(at));
        }
        at += frames;
        if source.push_buffer(buffer).is_err() {
            break;
        }
    }
    // A refusal means that the pipeline has stopped, and its bus says why.
    let _ = source.end_of_stream();
}

fn take(sample: &gst::Sample, coded: &mut Vec<f32>) -> Result<()> {
    let unreadable = || Error::internal("a decoded block cannot be read");
    let map = sample
        .buffer()
        .ok_or_else(unreadable)?
        .map_readable()
        .map_err(|source| unreadable().with_source(source))?;
    let samples = map.chunks_exact(4);
    coded.extend(samples.map(|bytes| f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_changes_the_sound_a_little_and_moves_nothing() -> Result<()> {
        // A tone that swells and falls, so that a shift would show.
        let samples: Vec<f32> = (0..2 * 44_100)
            .map(|at| {
                let time_s = f64::from(at / 2) / 44_100.0;
                let swell = (std::f64::consts::TAU * 3.0 * time_s).sin();
                (0.4 * swell * (std::f64::consts::TAU * 440.0 * time_s).sin()) as f32
            })
            .collect();
        for codec in [SoundCodec::Aac, SoundCodec::Opus] {
            let coded = |bits_per_s| {
                let silent = Monitor::silent();
                recode(samples.clone(), AudioFormat::MIX, codec, bits_per_s, &silent)
            };
            let (fine, coarse) = (coded(160_000)?, coded(48_000)?);
            if fine == samples {
                eprintln!("skipped: no encoder or decoder for {codec:?} is installed");
                continue;
            }
            assert_eq!(fine.len(), samples.len());
            assert_eq!(fine, coded(160_000)?, "the same every time");
            assert_ne!(fine, coarse);
            let (mut error, mut energy) = (0.0, 0.0);
            for (coded, sample) in fine.iter().zip(&samples) {
                error += f64::from(coded - sample).powi(2);
                energy += f64::from(*sample).powi(2);
            }
            assert!(error < 0.02 * energy, "{codec:?}: {}", error / energy);
        }
        Ok(())
    }
}
