//! Sound of a file as samples at the rate and channel count one asks for.

use std::path::Path;

use crate::error::Result;
use crate::jobs::Monitor;

/// The form samples are asked for in. Conversion (rate, down-mix of 5.1, odd
/// rates) is done by GStreamer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples per second.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u32,
}

impl AudioFormat {
    /// What separation and the mix use: 44.1 kHz stereo.
    pub const MIX: Self = Self {
        sample_rate: 44_100,
        channels: 2,
    };
    /// What VGGish hears: 16 kHz mono.
    pub const VGGISH: Self = Self {
        sample_rate: 16_000,
        channels: 1,
    };
}

/// Streams the first sound stream of a file, block by block.
#[derive(Debug)]
pub struct AudioReader {
    format: AudioFormat,
}

impl AudioReader {
    /// Opens `path` and seeks to `start_s` (sample-exact).
    ///
    /// # Errors
    /// As [`crate::media::probe`]; also when the file has no sound.
    pub fn open(path: &Path, format: AudioFormat, start_s: f64) -> Result<Self> {
        let _ = (path, start_s);
        let _ = Self { format };
        crate::error::unbuilt("audio decoding")
    }

    /// The format of the samples.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Appends the next block of interleaved samples to `out` and returns how
    /// many *frames* (samples per channel) it added; 0 at the end of the sound.
    /// Gaps in the stream are filled with silence, so that position in samples
    /// is position in time.
    ///
    /// # Errors
    /// When decoding fails part-way; what came before stays valid.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<usize> {
        let _ = out;
        crate::error::unbuilt("audio decoding")
    }
}

/// Decodes `duration_s` (or all) of a file's sound from `start_s` on,
/// interleaved.
///
/// # Errors
/// As [`AudioReader`]; cancelled.
pub fn decode_audio(
    path: &Path,
    format: AudioFormat,
    start_s: f64,
    duration_s: Option<f64>,
    monitor: &Monitor,
) -> Result<Vec<f32>> {
    let _ = (path, format, start_s, duration_s, monitor);
    crate::error::unbuilt("audio decoding")
}

/// Waveform peaks: `buckets` pairs of (minimum, maximum) over the whole file.
///
/// # Errors
/// As [`AudioReader`]; cancelled.
pub fn peaks(path: &Path, buckets: usize, monitor: &Monitor) -> Result<Vec<(f32, f32)>> {
    let _ = (path, buckets, monitor);
    crate::error::unbuilt("peaks")
}
