//! What a file holds, without decoding it.

use std::path::Path;

use serde::Serialize;

use crate::error::Result;

/// One picture stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoStream {
    /// Codec in words: "H.264".
    pub codec: String,
    /// Width in pixels as stored, before rotation.
    pub width: u32,
    /// Height in pixels as stored, before rotation.
    pub height: u32,
    /// Frames per second; 0 where variable or unknown.
    pub frame_rate: f64,
    /// Clockwise degrees a player turns the picture by: 0, 90, 180 or 270.
    pub rotation: u32,
}

/// One sound stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioStream {
    /// Codec in words: "Opus".
    pub codec: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// Tags that players show.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tags {
    /// Title.
    pub title: Option<String>,
    /// Artist.
    pub artist: Option<String>,
    /// Genre.
    pub genre: Option<String>,
    /// Licence or copyright line.
    pub licence: Option<String>,
}

/// What a media file holds. The first stream of each kind is the one used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MediaInfo {
    /// Length in seconds.
    pub duration_s: f64,
    /// Container in words: "Matroska".
    pub container: String,
    /// Picture streams; still images such as cover art are not counted.
    pub video: Vec<VideoStream>,
    /// Sound streams.
    pub audio: Vec<AudioStream>,
    /// Tags.
    pub tags: Tags,
}

/// Reads what `path` holds.
///
/// # Errors
/// One sentence each for: no such file, a folder, no permission, empty, not a
/// media file, truncated beyond use, encrypted, and a missing plug-in (named,
/// with the package that brings it).
pub fn probe(path: &Path) -> Result<MediaInfo> {
    let _ = path;
    crate::error::unbuilt("probing")
}
