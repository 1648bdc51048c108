//! The sound of an exported file: rendered on demand, encoded once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_audio as gst_audio;

use super::elements;
use super::pipeline::Pipeline;
use super::{AudioFormat, Container, MixedSound};
use crate::error::{Error, Result};

/// Frames rendered at a time.
const BLOCK_FRAMES: u64 = 4096;
/// More than any AAC encoder holds back: its look-ahead and a block.
const TAIL_FRAMES: u64 = 4096;
/// AAC is transparent for most at this rate, in bits per second.
const AAC_BITRATE: i32 = 256_000;
/// Opus is transparent for most at this rate, in bits per second.
const OPUS_BITRATE: i32 = 160_000;

/// An encoder and the samples that it puts before the first one it was given.
pub(super) struct Encoder {
    pub(super) name: &'static str,
    pub(super) lead: u64,
    bitrate: i32,
}

/// `avenc_aac` codes one block of 1024 ahead; `voaacenc` adds its own look-ahead.
pub(super) const AAC: &[Encoder] = &[
    Encoder {
        name: "avenc_aac",
        lead: 1024,
        bitrate: AAC_BITRATE,
    },
    Encoder {
        name: "voaacenc",
        lead: 1600,
        bitrate: AAC_BITRATE,
    },
];

/// Matroska states the pre-skip of Opus, and readers leave it out.
pub(super) const OPUS: &[Encoder] = &[Encoder {
    name: "opusenc",
    lead: 0,
    bitrate: OPUS_BITRATE,
}];

/// The sound's way into the muxer.
pub(super) struct SoundTrack {
    shared: Arc<Shared>,
    encoder: &'static Encoder,
    format: AudioFormat,
}

#[derive(Default)]
struct Shared {
    rendered: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl SoundTrack {
    /// Adds source and encoder for `frames` frames of `sound`, at `bitrate` bits per second or at the one that is
    /// transparent for most.
    ///
    /// # Errors
    /// When no encoder for the container is installed.
    pub(super) fn add(
        pipeline: &Pipeline,
        mux: &gst::Element,
        container: Container,
        sound: Box<dyn MixedSound>,
        frames: u64,
        bitrate: Option<u32>,
    ) -> Result<Self> {
        let choice = if container == Container::Mp4 { AAC } else { OPUS };
        let encoder = present(choice)?;
        let format = sound.format();
        let encode = elements::make(encoder.name)?;
        encode.set_property(
            "bitrate",
            bitrate.map_or(encoder.bitrate, |bitrate| bitrate as i32),
        );
        let resample = elements::make("audioresample")?;
        resample.set_property("quality", 10i32);

        let queue = elements::make("queue")?;
        let shared = Arc::new(Shared::default());
        // What an encoder still holds at the end it loses: give it silence to
        // hold, which the edit list cuts.
        let tail = if encoder.lead > 0 { TAIL_FRAMES } else { 0 };
        let source = rendering_source(sound, frames + tail, Arc::clone(&shared))?;
        pipeline.add_row(&[
            source.upcast_ref(),
            &elements::make("audioconvert")?,
            &resample,
            &encode,
            &queue,
        ])?;
        queue
            .link_pads(Some("src"), mux, Some("audio_%u"))
            .map_err(|source| Error::internal("the muxer takes no sound").with_source(source))?;
        Ok(Self {
            shared,
            encoder,
            format,
        })
    }

    /// Frames rendered so far.
    pub(super) fn rendered(&self) -> u64 {
        self.shared.rendered.load(Ordering::Relaxed)
    }

    /// The first failure of the sound's owner.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.shared
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Samples that the encoder put before the first.
    pub(super) fn lead(&self) -> u64 {
        self.encoder.lead
    }

    /// Samples per second.
    pub(super) fn sample_rate(&self) -> u32 {
        self.format.sample_rate
    }
}

/// The first of `choice` that is installed.
///
/// # Errors
/// When none is.
pub(super) fn present(choice: &'static [Encoder]) -> Result<&'static Encoder> {
    choice
        .iter()
        .find(|encoder| elements::is_present(encoder.name))
        .ok_or_else(|| {
            let names: Vec<&str> = choice.iter().map(|encoder| encoder.name).collect();
            elements::missing_element(&names)
        })
}

/// A source that renders a block whenever the encoder wants one.
fn rendering_source(
    mut sound: Box<dyn MixedSound>,
    frames: u64,
    shared: Arc<Shared>,
) -> Result<gst_app::AppSrc> {
    let format = sound.format();
    let info =
        gst_audio::AudioInfo::builder(gst_audio::AUDIO_FORMAT_F32, format.sample_rate, format.channels)
            .build()
            .and_then(|info| info.to_caps())
            .map_err(|source| {
                Error::internal("the mix has a form that GStreamer does not know").with_source(source)
            })?;
    let rate = u64::from(format.sample_rate);
    let time = move |frame: u64| {
        gst::ClockTime::SECOND
            .mul_div_round(frame, rate)
            .unwrap_or(gst::ClockTime::MAX)
    };
    let mut at = 0;
    let render = move |source: &gst_app::AppSrc, _wanted: u32| {
        let count = BLOCK_FRAMES.min(frames.saturating_sub(at));
        if count == 0 {
            // An end that nobody takes means that the pipeline has stopped.
            let _ = source.end_of_stream();
            return;
        }
        let mut block = vec![0.0; count as usize * format.channels as usize];
        let there = sound.frames().saturating_sub(at).min(count) as usize * format.channels as usize;
        if there > 0
            && let Err(failure) = sound.render(at, &mut block[..there])
        {
            *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            let _ = source.end_of_stream();
            return;
        }
        let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time(at));
            buffer.set_duration(time(at + count) - time(at));
        }
        at += count;
        shared.rendered.store(at, Ordering::Relaxed);
        // A refusal means that the pipeline is stopping.
        let _ = source.push_buffer(buffer);
    };
    Ok(gst_app::AppSrc::builder()
        .caps(&info)
        .format(gst::Format::Time)
        .callbacks(gst_app::AppSrcCallbacks::builder().need_data(render).build())
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Monitor;
    use crate::media::decode_audio;
    use crate::media::testing::write_pipeline;

    /// Where a tick after 0.25 s starts when ticks go through `way` into a file.
    fn tick(way: &str, sample_rate: u32, path: &std::path::Path) -> Result<u64> {
        write_pipeline(
            &format!(
                "audiotestsrc wave=ticks tick-interval=500000000 freq=1000 volume=0.8 \
                 apply-tick-ramp=false num-buffers=80 \
                 ! audio/x-raw,rate={sample_rate},channels=1 ! audioconvert ! {way} name=last"
            ),
            path,
        )?;
        let format = AudioFormat {
            sample_rate,
            channels: 1,
        };
        let samples = decode_audio(path, format, 0.0, None, &Monitor::silent())?;
        let from = sample_rate as usize / 4;
        let found = samples[from..].iter().position(|sample| sample.abs() > 0.1);
        Ok((found.expect("a tick") + from) as u64)
    }

    #[test]
    fn the_lead_of_every_encoder_is_what_the_table_says() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        for encoder in AAC {
            if !elements::is_present(encoder.name) {
                eprintln!("skipped: {} is not installed", encoder.name);
                continue;
            }
            for sample_rate in [44_100, 48_000] {
                let plain = tick("wavenc", sample_rate, &folder.path().join("a.wav"))?;
                let way = format!("{} ! mp4mux", encoder.name);
                let coded = tick(&way, sample_rate, &folder.path().join("a.mp4"))?;
                assert!(
                    (coded - plain).abs_diff(encoder.lead) < 12,
                    "{} at {sample_rate} is {} late, not {}",
                    encoder.name,
                    coded - plain,
                    encoder.lead
                );
            }
        }
        Ok(())
    }
}
