//! GStreamer, and nobody else: probe, decode, encode, remux.
//!
//! Files go in by path, plain numbers come out: interleaved `f32` samples in
//! -1..=1 and packed RGB pixels. Everything streams; memory does not grow with
//! the length of a file. No GStreamer type leaves this module.
//!
//! Inside, `probe`, the readers and the follower stand on one `source`
//! (a file, its demuxer, one stream decoded), and everything that runs a
//! pipeline goes through one `pipeline`, where the bus is watched and waits
//! end; `sentences` says what GStreamer's errors mean to the person.

#[cfg(test)]
mod bad_media;
mod decode_audio;
mod decode_video;
mod elements;
mod encode;
mod encode_video;
mod first_stream;
mod follow;
mod gapless;
mod info;
mod matroska_edit;
mod mp4_edit;
mod mux_picture;
mod mux_sound;
#[cfg(test)]
mod odd_media;
mod picture;
mod pipeline;
mod probe;
mod recode;
mod remux;
mod sentences;
mod source;
mod spared;
pub mod testing;

pub use decode_audio::{AudioFormat, AudioReader, decode_audio, peaks};
pub use decode_video::{Frame, FrameFit, sample_frames, thumbnails};
pub use elements::{ElementStatus, elements};
pub use encode::{WavReader, WavWriter};
pub use encode_video::{Bitrates, MovingPicture, encode_video};
pub use follow::{VideoFollower, VideoFrame};
pub use info::{AudioStream, MediaInfo, Tags, VideoStream};
pub use probe::probe;
pub use recode::{SoundCodec, recode};
pub use remux::{Container, MixedSound, Picture, remux};

use std::path::PathBuf;
use std::sync::Once;

use gstreamer::glib;

use crate::error::{Error, ErrorKind, Result};

/// Starts GStreamer once; cheap afterwards. Every function here calls it.
///
/// # Errors
/// When GStreamer cannot start.
pub fn init() -> Result<()> {
    static LOG: Once = Once::new();
    LOG.call_once(|| glib::log_set_writer_func(log_quietly));
    gstreamer::init().map_err(|source| {
        Error::new(
            ErrorKind::MissingPlugin,
            format!(
                "GStreamer could not start ({}); reinstall libgstreamer1.0-0",
                sentences::one_line(source.message())
            ),
        )
        .with_source(source)
    })
}

/// GStreamer's version, as "1.22.0".
pub fn version() -> String {
    let (major, minor, micro, _) = gstreamer::version();
    format!("{major}.{minor}.{micro}")
}

/// The file that a `file://` address leads to, as file managers copy it: with %20 for a blank.
pub fn path_of_address(address: &str) -> Option<PathBuf> {
    glib::filename_from_uri(address).ok().map(|(path, _)| path)
}

/// What GLib and GStreamer would print on stderr goes to our log: with damaged
/// files they complain about their own code, in words that help nobody.
fn log_quietly(level: glib::LogLevel, fields: &[glib::LogField<'_>]) -> glib::LogWriterOutput {
    let field = |key: &str| {
        fields
            .iter()
            .find(|field| field.key() == key)
            .and_then(glib::LogField::value_str)
            .unwrap_or_default()
    };
    let (domain, message) = (field("GLIB_DOMAIN"), field("MESSAGE"));
    tracing::debug!(?level, domain, message, "GLib");
    glib::LogWriterOutput::Handled
}
