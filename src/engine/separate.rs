//! Separation: the Spleeter network with its STFT front and back end, segment by segment.
//!
//! Reference: `spleeter/model/__init__.py` (mask exponent 2, epsilon 1e-10, mask extension).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::error::Result;
use crate::jobs::Monitor;

/// What happens above the 1024 kept bins (11 kHz).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskExtension {
    /// Nothing passes, as the reference does by default.
    Zeros,
    /// The mean of the mask over the kept bins.
    #[default]
    Average,
}

/// How to separate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeparateOptions {
    /// STFT frames (of the segment's 512) that neighbouring segments share and cross-fade; 0 = reference.
    pub overlap_frames: usize,
    /// Treble.
    pub extension: MaskExtension,
}

impl Default for SeparateOptions {
    fn default() -> Self {
        Self {
            overlap_frames: 64,
            extension: MaskExtension::default(),
        }
    }
}

/// Two stems in memory, interleaved stereo at 44.1 kHz, as long as the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Stems {
    /// Voice-over.
    pub voice: Vec<f32>,
    /// Accompaniment.
    pub bgm: Vec<f32>,
}

/// Stems on disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StemFiles {
    /// Voice-over, WAV 44.1 kHz stereo.
    pub voice: PathBuf,
    /// Accompaniment, WAV 44.1 kHz stereo.
    pub bgm: PathBuf,
    /// Length in seconds.
    pub duration_s: f64,
}

/// Separates interleaved 44.1 kHz stereo in memory (a query window).
///
/// # Errors
/// When the pack has no separator or the device fails; cancelled.
pub fn separate_samples(
    engine: &Engine,
    samples: &[f32],
    options: &SeparateOptions,
    monitor: &Monitor,
) -> Result<Stems> {
    let _ = (engine, samples, options, monitor);
    crate::error::unbuilt("separation")
}

/// Separates the sound of `media` into `folder/voice.wav` and `folder/bgm.wav`, streaming: memory does not grow with
/// length.
///
/// # Errors
/// As [`crate::media::probe`]; when the file has no sound; disk full; cancelled. Nothing partial is left.
pub fn separate_file(
    engine: &Engine,
    media: &Path,
    folder: &Path,
    options: &SeparateOptions,
    monitor: &Monitor,
) -> Result<StemFiles> {
    let _ = (engine, media, folder, options, monitor);
    crate::error::unbuilt("separation")
}

/// As [`separate_file`] into the cache, under a hash of the media's content and the separator; a second call answers at once.
///
/// # Errors
/// As [`separate_file`].
pub fn separate_cached(engine: &Engine, media: &Path, monitor: &Monitor) -> Result<StemFiles> {
    let _ = (engine, media, monitor);
    crate::error::unbuilt("separation")
}
