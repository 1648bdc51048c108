//! Separation: the Spleeter network with its STFT front and back end, segment by segment.
//!
//! Reference: `spleeter/model/__init__.py` (mask exponent 2, epsilon 1e-10, mask extension).

mod cache;
mod file;
mod segments;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use cache::separate_cached;
pub use file::separate_file;
pub use segments::Separator;

use super::Engine;
use crate::error::Result;
use crate::jobs::Monitor;

/// What a progress line says of all this.
const STAGE: &str = "Separating voice and music";

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
    /// STFT frames (of the segment's 512, half of them at most) that neighbouring segments share and cross-fade;
    /// 0 = reference.
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

impl SeparateOptions {
    /// What the reference does: segments side by side, nothing above 11 kHz.
    pub const REFERENCE: Self = Self {
        overlap_frames: 0,
        extension: MaskExtension::Zeros,
    };
}

/// Two stems in memory, interleaved stereo at 44.1 kHz, as long as the input.
#[derive(Debug, Clone, Default, PartialEq)]
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
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub voice: PathBuf,
    /// Accompaniment, WAV 44.1 kHz stereo.
    #[serde(serialize_with = "crate::files::serialize_path")]
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
    let mut separator = Separator::new(engine.spleeter()?, &engine.device().device, options, monitor)?;
    let mut stems = Stems {
        voice: Vec::with_capacity(samples.len()),
        bgm: Vec::with_capacity(samples.len()),
    };
    for block in samples.chunks(1 << 18) {
        separator.push(block, &mut stems)?;
        monitor.progress(STAGE, Some(stems.voice.len() as f32 / samples.len() as f32));
    }
    separator.finish(&mut stems)?;
    monitor.progress(STAGE, Some(1.0));
    Ok(stems)
}
