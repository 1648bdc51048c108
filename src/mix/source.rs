//! Where the graph's samples come from.

use std::sync::Arc;

use crate::error::Result;

/// Random-access interleaved stereo at 44.1 kHz.
pub trait SampleSource: Send {
    /// Length in frames.
    fn frames(&self) -> u64;
    /// Fills `out` (interleaved stereo) from frame `at` on, silence past the end. Called from the audio thread:
    /// must not block for long.
    fn read_at(&mut self, at: u64, out: &mut [f32]);
}

/// Samples in memory: candidates, short stems.
#[derive(Debug, Clone)]
pub struct MemorySource {
    samples: Arc<[f32]>,
}

impl MemorySource {
    /// Interleaved stereo at 44.1 kHz.
    pub fn new(samples: Arc<[f32]>) -> Self {
        Self { samples }
    }
}

impl SampleSource for MemorySource {
    fn frames(&self) -> u64 {
        (self.samples.len() / 2) as u64
    }

    fn read_at(&mut self, at: u64, out: &mut [f32]) {
        let start = usize::try_from(at.saturating_mul(2))
            .unwrap_or(usize::MAX)
            .min(self.samples.len());
        let rest = &self.samples[start..];
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        out[taken..].fill(0.0);
    }
}

/// A stem on disk, in a WAV file that separation wrote.
#[derive(Debug)]
pub struct StemFile {}

impl StemFile {
    /// Opens the WAV file.
    ///
    /// # Errors
    /// When it is not a stem of ours.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let _ = path;
        crate::error::unbuilt("stem files")
    }
}

impl SampleSource for StemFile {
    fn frames(&self) -> u64 {
        0
    }

    fn read_at(&mut self, _at: u64, out: &mut [f32]) {
        out.fill(0.0);
    }
}
