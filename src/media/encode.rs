//! WAV files, written and read block by block.
//!
//! Stems live on disk between separation, playback and export, so this is
//! also the random-access side of the mix.

use std::path::Path;

use super::AudioFormat;
use crate::error::Result;

/// Writes 32-bit float WAV (RF64 beyond 4 GiB) under a temporary name;
/// [`WavWriter::finish`] gives it its name.
#[derive(Debug)]
pub struct WavWriter {}

impl WavWriter {
    /// Starts a file that will become `path`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(path: &Path, format: AudioFormat) -> Result<Self> {
        let _ = (path, format);
        crate::error::unbuilt("WAV writing")
    }

    /// Appends interleaved samples.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, samples: &[f32]) -> Result<()> {
        let _ = samples;
        crate::error::unbuilt("WAV writing")
    }

    /// Completes the header, syncs, renames.
    ///
    /// # Errors
    /// When the disk is full or the target cannot be replaced.
    pub fn finish(self) -> Result<()> {
        crate::error::unbuilt("WAV writing")
    }
}

/// Reads a WAV file written by [`WavWriter`] at any position.
#[derive(Debug)]
pub struct WavReader {}

impl WavReader {
    /// Opens `path`.
    ///
    /// # Errors
    /// When it is not a float WAV file of ours.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        crate::error::unbuilt("WAV reading")
    }

    /// The format of the samples.
    pub fn format(&self) -> AudioFormat {
        AudioFormat::MIX
    }

    /// Length in frames.
    pub fn frames(&self) -> u64 {
        0
    }

    /// Fills `out` (interleaved) from frame `at` on; what lies past the end is silence.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read_at(&mut self, at: u64, out: &mut [f32]) -> Result<()> {
        let _ = (at, out);
        crate::error::unbuilt("WAV reading")
    }
}
