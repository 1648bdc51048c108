//! A new video from pictures and sound that are rendered on demand.

use std::path::Path;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::info::Orientation;
use super::mux_picture::picture_encoder;
use super::mux_sound::SoundTrack;
use super::pipeline::Pipeline;
use super::remux::{complete, run_to_end};
use super::source::with_location;
use super::{Container, MixedSound, elements};
use crate::error::{Error, Result};
use crate::files::AtomicFile;
use crate::jobs::Monitor;

/// Where the pictures of a new video come from.
pub trait MovingPicture: Send {
    /// Width and height in pixels, both even.
    fn size(&self) -> (u32, u32);
    /// Pictures per second.
    fn frame_rate(&self) -> u32;
    /// How many pictures there are.
    fn frames(&self) -> u64;
    /// Fills `rgb` (rows of three bytes a pixel, width * height * 3 in all) with the next picture. Called from a thread of
    /// the encoder.
    fn draw_next(&mut self, rgb: &mut [u8]);
}

/// Bits per second of a new video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitrates {
    /// Of the picture.
    pub picture: u32,
    /// Of the sound.
    pub sound: u32,
}

/// Writes `out` (.mp4, .mkv or .webm), atomically.
///
/// # Errors
/// When the extension names no video, an encoder is missing (it is named), the disk is full; cancelled. No partial file is
/// left.
pub fn encode_video(
    picture: Box<dyn MovingPicture>,
    sound: Box<dyn MixedSound>,
    bitrates: Bitrates,
    out: &Path,
    monitor: &Monitor,
) -> Result<()> {
    super::init()?;
    let container = Container::of(out)?;
    let muxer = container
        .muxer()
        .ok_or_else(|| Error::input(out, "holds no picture; end its name in .mp4, .mkv or .webm"))?;
    let frames = sound.frames();
    let target = AtomicFile::create(out)?;
    let mut pipeline = Pipeline::new(out)?;
    pipeline.writes(out);
    let mux = elements::make(muxer)?;
    let sink = with_location("filesink", target.path())?;
    pipeline.add_row(&[&mux, &sink])?;
    let track = SoundTrack::add(&pipeline, &mux, container, sound, frames, Some(bitrates.sound))?;
    add_picture(&pipeline, &mux, container, picture, bitrates.picture)?;

    // Pictures are drawn by code that cannot fail.
    run_to_end(pipeline, &track, frames, &|| None, monitor)?;
    complete(target.path(), container, &track, frames, Orientation::default())
        .map_err(|source| Error::io(out, "write", source))?;
    target.commit()
}

fn add_picture(
    pipeline: &Pipeline,
    mux: &gst::Element,
    container: Container,
    picture: Box<dyn MovingPicture>,
    bitrate: u32,
) -> Result<()> {
    let queue = elements::make("queue")?;
    // An encoder that looks ahead holds seconds back; the sound waits for it here and not in the muxer.
    queue.set_property("max-size-time", 0u64);
    let form = elements::make("capsfilter")?;
    form.set_property(
        "caps",
        gst::Caps::builder("video/x-raw").field("format", "I420").build(),
    );
    let source = drawing_source(picture)?;
    let mut row = vec![source.upcast(), elements::make("videoconvert")?, form];
    row.extend(picture_encoder(container, bitrate)?);
    row.push(queue.clone());
    pipeline.add_row(&row.iter().collect::<Vec<_>>())?;
    queue
        .link_pads(Some("src"), mux, Some("video_%u"))
        .map_err(|source| Error::internal("the muxer takes no picture").with_source(source))
}

/// A source that draws a picture whenever the encoder wants one.
fn drawing_source(mut picture: Box<dyn MovingPicture>) -> Result<gst_app::AppSrc> {
    let ((width, height), rate) = (picture.size(), u64::from(picture.frame_rate()));
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
        .fps(gst::Fraction::new(rate as i32, 1))
        .build()
        .and_then(|info| {
            let caps = info.to_caps()?;
            Ok((caps, info.stride()[0] as usize, info.size()))
        })
        .map_err(|source| {
            Error::internal("the picture has a form that GStreamer does not know").with_source(source)
        })?;
    let (caps, stride, bytes) = info;
    let time = move |frame: u64| {
        gst::ClockTime::SECOND
            .mul_div_round(frame, rate)
            .unwrap_or(gst::ClockTime::MAX)
    };
    let row = width as usize * 3;
    let mut packed = vec![0; row * height as usize];
    let mut at = 0;
    let draw = move |source: &gst_app::AppSrc, _wanted: u32| {
        if at >= picture.frames() {
            // An end that nobody takes means that the pipeline has stopped.
            let _ = source.end_of_stream();
            return;
        }
        picture.draw_next(&mut packed);
        let mut padded = vec![0; bytes];
        for (to, from) in padded.chunks_mut(stride).zip(packed.chunks(row)) {
            to[..row].copy_from_slice(from);
        }
        let mut buffer = gst::Buffer::from_mut_slice(padded);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time(at));
            buffer.set_duration(time(at + 1) - time(at));
        }
        at += 1;
        // A refusal means that the pipeline is stopping.
        let _ = source.push_buffer(buffer);
    };
    Ok(gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .callbacks(gst_app::AppSrcCallbacks::builder().need_data(draw).build())
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::cancelling_at;
    use crate::media::{AudioFormat, FrameFit, decode_audio, probe, sample_frames};

    /// Grey that grows lighter.
    struct Dawn(u64);

    impl MovingPicture for Dawn {
        fn size(&self) -> (u32, u32) {
            (70, 42)
        }

        fn frame_rate(&self) -> u32 {
            15
        }

        fn frames(&self) -> u64 {
            45
        }

        fn draw_next(&mut self, rgb: &mut [u8]) {
            rgb.fill(20 + 4 * self.0 as u8);
            self.0 += 1;
        }
    }

    /// Silence, and a tone from 2 s on.
    struct Late;

    impl MixedSound for Late {
        fn format(&self) -> AudioFormat {
            AudioFormat::MIX
        }

        fn frames(&self) -> u64 {
            3 * 44_100
        }

        fn render(&mut self, at: u64, out: &mut [f32]) -> Result<()> {
            for (index, frame) in out.chunks_exact_mut(2).enumerate() {
                let place = at + index as u64;
                frame.fill(if place < 88_200 {
                    0.0
                } else {
                    0.4 * (place as f32 * 0.06).sin()
                });
            }
            Ok(())
        }
    }

    #[test]
    fn what_is_written_can_be_read_and_is_in_step() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in ["a.mp4", "a.webm"] {
            let path = folder.path().join(name);
            let bitrates = Bitrates {
                picture: 200_000,
                sound: 96_000,
            };
            encode_video(
                Box::new(Dawn(0)),
                Box::new(Late),
                bitrates,
                &path,
                &Monitor::silent(),
            )?;
            let info = probe(&path)?;
            assert!(
                (info.duration_s - 3.0).abs() < 0.08,
                "{name}: {}",
                info.duration_s
            );
            assert_eq!((info.video[0].width, info.video[0].height), (70, 42));
            let mut greys = Vec::new();
            let fit = FrameFit::ScaleAndCrop {
                short_side: 42,
                crop: 40,
            };
            sample_frames(&path, &[0.5, 2.5], fit, &Monitor::silent(), &mut |_, frame| {
                greys.push(frame.rgb[0]);
            })?;
            assert!(
                greys[0].abs_diff(48) < 9 && greys[1].abs_diff(168) < 9,
                "{name}: {greys:?}"
            );
            let sound = decode_audio(&path, AudioFormat::VGGISH, 0.0, None, &Monitor::silent())?;
            let first = sound.iter().position(|x| x.abs() > 0.1).expect("the tone");
            assert!(first.abs_diff(32_000) < 400, "{name}: {first}");
        }
        Ok(())
    }

    #[test]
    fn a_cancel_at_any_moment_leaves_no_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for stop_at in [0.0f32, 1.0] {
            let monitor = cancelling_at(stop_at);
            let bitrates = Bitrates {
                picture: 200_000,
                sound: 96_000,
            };
            let out = folder.path().join("a.webm");
            let error = encode_video(Box::new(Dawn(0)), Box::new(Late), bitrates, &out, &monitor)
                .expect_err("cancelled");
            assert!(error.is_cancelled(), "at {stop_at}: {error}");
            let left = std::fs::read_dir(folder.path()).expect("folder").count();
            assert_eq!(left, 0, "at {stop_at}");
        }
    }
}
