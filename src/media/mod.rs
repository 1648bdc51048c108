//! GStreamer, and nobody else: probe, decode, encode, remux.
//!
//! Files go in by path, plain numbers come out: interleaved `f32` samples in
//! -1..=1 and packed RGB pixels. Everything streams; memory does not grow with
//! the length of a file. No GStreamer type leaves this module.

mod decode_audio;
mod decode_video;
mod encode;
mod follow;
mod probe;
mod remux;
pub mod testing;

pub use decode_audio::{AudioFormat, AudioReader, decode_audio, peaks};
pub use decode_video::{Frame, FrameFit, sample_frames, thumbnails};
pub use encode::{WavReader, WavWriter};
pub use follow::{VideoFollower, VideoFrame};
pub use probe::{AudioStream, MediaInfo, Tags, VideoStream, probe};
pub use remux::{Container, MixedSound, Picture, remux};

use crate::error::Result;

/// Starts GStreamer once; cheap afterwards. Every function here calls it.
///
/// # Errors
/// When GStreamer cannot start.
pub fn init() -> Result<()> {
    crate::error::unbuilt("GStreamer's start")
}

/// The state of one GStreamer element that the program may need.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ElementStatus {
    /// Factory name: "vp8dec".
    pub name: String,
    /// What it is for: "VP8 video in WebM and Matroska".
    pub purpose: String,
    /// Whether it is installed.
    pub present: bool,
    /// The Debian package that brings it.
    pub package: String,
}

/// Lists the elements that the program may need, for `doctor`.
///
/// # Errors
/// When GStreamer cannot start.
pub fn elements() -> Result<Vec<ElementStatus>> {
    crate::error::unbuilt("the list of elements")
}

/// GStreamer's version, as "1.22.0".
pub fn version() -> String {
    String::new()
}
