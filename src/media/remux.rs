//! A video with new sound: the picture's packets copied where the container
//! allows, the sound encoded once.

use std::path::Path;

use super::AudioFormat;
use crate::error::Result;
use crate::jobs::Monitor;

/// A file form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// MPEG-4 with AAC.
    Mp4,
    /// Matroska with Opus.
    Matroska,
    /// WebM with Opus.
    WebM,
    /// 32-bit float WAV, no picture.
    Wav,
}

impl Container {
    /// The container that the extension of `path` names.
    ///
    /// # Errors
    /// For any other extension; the sentence lists the ones that work.
    pub fn of(path: &Path) -> Result<Self> {
        let _ = path;
        crate::error::unbuilt("container names")
    }
}

/// Where the sound of the new file comes from.
pub trait MixedSound: Send {
    /// Format of the samples.
    fn format(&self) -> AudioFormat;
    /// Length in frames.
    fn frames(&self) -> u64;
    /// Fills `out` (interleaved) with the frames from `at` on. Called with ascending,
    /// gapless positions, from a thread of the encoder.
    ///
    /// # Errors
    /// Ends the export with that error.
    fn render(&mut self, at: u64, out: &mut [f32]) -> Result<()>;
}

/// What became of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Packets copied bit for bit.
    Copied,
    /// Encoded anew because the container cannot hold the codec.
    Encoded,
    /// There was none, or the target is a sound file.
    None,
}

/// Writes `out` with the picture of `video` and the sound of `sound`, atomically. Encoder
/// delay is compensated so that sound and picture stay in sync.
///
/// # Errors
/// As [`crate::media::probe`]; missing encoder named; disk full; cancelled. No partial
/// file is left.
pub fn remux(video: &Path, sound: Box<dyn MixedSound>, out: &Path, monitor: &Monitor) -> Result<Picture> {
    let _ = (video, sound, out, monitor);
    crate::error::unbuilt("export")
}
