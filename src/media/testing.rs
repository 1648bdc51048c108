//! Media for tests, synthesised by GStreamer itself (`videotestsrc`,
//! `audiotestsrc`), so that no test needs a file from outside.

use std::path::Path;

use crate::error::Result;

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
/// # Errors
/// When an element is missing.
pub fn synthesise(what: &Synthetic, path: &Path) -> Result<()> {
    let _ = (what, path);
    crate::error::unbuilt("test media")
}
