//! Media for tests, synthesised by GStreamer itself (`videotestsrc`,
//! `audiotestsrc`), so that no test needs a file from outside.

use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;

use gstreamer as gst;

use super::elements::{is_present, missing_element};
use super::pipeline::{News, Pipeline};
use super::source::{Source, with_location};
use crate::error::{Error, Result};
use crate::jobs::Monitor;

/// What to synthesise.
#[derive(Debug, Clone)]
pub struct Synthetic {
    /// Length in seconds.
    pub duration_s: f64,
    /// Picture size; `None` for sound alone.
    pub picture: Option<(u32, u32)>,
    /// Frames per second.
    pub frame_rate: u32,
    /// Frequency of the tone in Hz; `None` for picture alone.
    pub tone_hz: Option<f64>,
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u32,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self {
            duration_s: 2.0,
            picture: Some((160, 120)),
            frame_rate: 25,
            tone_hz: Some(440.0),
            sample_rate: 48_000,
            channels: 2,
        }
    }
}

/// Writes `what` to `path`; the extension chooses the form: `.webm` (VP8 + Opus),
/// `.mkv` (VP8 + Opus), `.mp4` (H.264 or MPEG-4 part 2, whichever encoder there is, + AAC),
/// `.ogg`/`.opus` (Opus), `.wav`.
///
/// The length of the sound is rounded to a whole number of blocks of at least
/// 64 samples.
///
/// # Errors
/// When an element is missing.
pub fn synthesise(what: &Synthetic, path: &Path) -> Result<()> {
    super::init()?;
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let (mux, picture, sound) = match extension.as_str() {
        "webm" => ("webmmux", VP8, "opusenc"),
        "mkv" => ("matroskamux", VP8, "opusenc"),
        "mp4" => ("mp4mux", mp4_picture()?, mp4_sound()?),
        "ogg" | "opus" => ("oggmux", "", "opusenc"),
        "wav" => ("wavenc", "", ""),
        _ => return Err(Error::input(path, "has an extension that test media do not know")),
    };
    let mut description = String::new();
    if let Some((width, height)) = what.picture
        && !picture.is_empty()
    {
        let frames = (what.duration_s * f64::from(what.frame_rate)).round();
        write!(
            description,
            "videotestsrc num-buffers={frames} pattern=smpte \
             ! video/x-raw,format=I420,width={width},height={height},framerate={}/1 \
             ! {picture} ! queue max-size-time=0 max-size-bytes=0 ! {LAST}. ",
            what.frame_rate
        )
        .map_err(|source| Error::internal("text cannot grow").with_source(source))?;
    }
    if let Some(tone_hz) = what.tone_hz {
        let (block, blocks) = blocks(what.duration_s, what.sample_rate);
        let encoder = if sound.is_empty() {
            String::new()
        } else {
            format!("! audioresample ! {sound}")
        };
        write!(
            description,
            "audiotestsrc num-buffers={blocks} samplesperbuffer={block} freq={tone_hz} volume=0.5 \
             ! audio/x-raw,rate={},channels={} ! audioconvert {encoder} \
             ! queue max-size-time=0 max-size-bytes=0 ! {LAST}. ",
            what.sample_rate, what.channels
        )
        .map_err(|source| Error::internal("text cannot grow").with_source(source))?;
    }
    write!(description, "{mux} name={LAST}")
        .map_err(|source| Error::internal("text cannot grow").with_source(source))?;
    write_pipeline(&description, path)
}

/// Name of the element that the file is written from.
const LAST: &str = "last";
const VP8: &str = "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=25 target-bitrate=400000";

fn mp4_picture() -> Result<&'static str> {
    [
        (
            "x264enc",
            "x264enc speed-preset=ultrafast key-int-max=25 ! video/x-h264,profile=baseline",
        ),
        ("openh264enc", "openh264enc gop-size=25 ! h264parse"),
        ("avenc_mpeg4", "avenc_mpeg4 gop-size=25"),
    ]
    .into_iter()
    .find(|(name, _)| is_present(name))
    .map(|(_, words)| words)
    .ok_or_else(|| missing_element(&["x264enc", "openh264enc", "avenc_mpeg4"]))
}

fn mp4_sound() -> Result<&'static str> {
    ["avenc_aac", "voaacenc"]
        .into_iter()
        .find(|name| is_present(name))
        .ok_or_else(|| missing_element(&["avenc_aac", "voaacenc"]))
}

/// Samples a block and number of blocks for a length, as exact as blocks of at
/// least 64 samples can be.
fn blocks(duration_s: f64, sample_rate: u32) -> (u64, u64) {
    let samples = (duration_s * f64::from(sample_rate)).round().max(64.0) as u64;
    let block = (64..=4800u64)
        .rev()
        .find(|block| samples.is_multiple_of(*block))
        .unwrap_or(64);
    (block, samples / block)
}

/// Runs the pipeline of `description`, whose element [`LAST`] gives the bytes of
/// the file.
pub(super) fn write_pipeline(description: &str, path: &Path) -> Result<()> {
    run_to_file(Pipeline::parse(description, path)?, path)
}

/// Runs a pipeline whose element [`LAST`] gives the bytes of the file.
pub(super) fn run_to_file(mut pipeline: Pipeline, path: &Path) -> Result<()> {
    let last = pipeline.element(LAST)?;
    let sink = with_location("filesink", path)?;
    pipeline.append(&last, &sink)?;
    pipeline.set_state(gst::State::Playing)?;
    let monitor = Monitor::silent();
    while pipeline.wait_slice(&monitor)? != Some(News::End) {
        // Encoding says nothing until it ends; test media are short.
    }
    Ok(())
}

/// A coded picture as it lies in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// When it is shown, in seconds.
    pub pts_s: f64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The coded pictures of the first picture stream, as the demuxer gives them:
/// two files with equal packets hold the same picture, bit for bit.
///
/// # Errors
/// As [`crate::media::probe`]; also when the file has no picture.
pub fn picture_packets(path: &Path) -> Result<Vec<Packet>> {
    const CODED: &str = "video/x-h264; video/x-h265; video/x-vp8; video/x-vp9; video/x-av1; \
                         video/mpeg, systemstream=(boolean)false; video/x-theora; image/jpeg";
    super::init()?;
    let coded = gst::Caps::from_str(CODED)
        .map_err(|source| Error::internal("the list of codecs is wrong").with_source(source))?;
    let mut source = Source::open_coded(path, &coded)?;
    let mut packets = Vec::new();
    while let Some(packet) = source.next(&Monitor::silent())? {
        let bytes = packet
            .buffer
            .map_readable()
            .map_err(|source| Error::internal("a packet cannot be read").with_source(source))?;
        packets.push(Packet {
            pts_s: packet.time_ns.unwrap_or(0) as f64 / 1e9,
            bytes: bytes.to_vec(),
        });
    }
    Ok(packets)
}
