//! The finished mix as a file.

use std::path::PathBuf;

use serde::Serialize;

use super::Engine;
use crate::error::Result;
use crate::jobs::Monitor;
use crate::media::Picture;
use crate::mix::MixSettings;

/// What to write.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The video.
    pub video: PathBuf,
    /// The candidate's file.
    pub track: PathBuf,
    /// Mix settings (`master_gain_db` is computed here from `loudness_lufs`; solo is ignored).
    pub settings: MixSettings,
    /// Loudness target, LUFS; `None` leaves the level as mixed.
    pub loudness_lufs: Option<f64>,
    /// The file to write; its extension chooses the container.
    pub out: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportReport {
    /// The file.
    pub out: PathBuf,
    /// "copied", "encoded" or "none".
    pub picture: String,
    /// Length in seconds.
    pub duration_s: f64,
    /// Measured loudness of the mix that was written, LUFS.
    pub loudness_lufs: Option<f64>,
}

/// Words for what became of the picture.
pub fn picture_word(picture: Picture) -> &'static str {
    match picture {
        Picture::Copied => "copied",
        Picture::Encoded => "encoded",
        Picture::None => "none",
    }
}

/// Gain that matches a track of `track_lufs` to sit under a voice of `voice_lufs` as a bed: the candidate's `gain_db`. One rule for window,
/// audition and export.
pub fn bed_gain_db(voice_lufs: Option<f64>, track_lufs: Option<f64>) -> f32 {
    let _ = (voice_lufs, track_lufs);
    0.0
}

/// Separates if needed, mixes, measures, writes.
///
/// # Errors
/// As [`crate::media::remux`]; cancelled. No partial file is left, and an existing `out` stays as it was.
pub fn export(engine: &Engine, request: &ExportRequest, monitor: &Monitor) -> Result<ExportReport> {
    let _ = (engine, request, monitor);
    crate::error::unbuilt("export")
}
