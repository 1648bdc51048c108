//! What the window measures of the stems: peaks to draw, levels to duck and to match by.

use crate::engine::separate::StemFiles;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::mix::{SampleSource, StemFile, VoiceLevels, measure_voice};

/// Frames of one peak, so that a magnified timeline shows syllables: 40 peaks a second.
const BUCKET_FRAMES: u64 = 1102;
/// Peaks kept of a stem at most: two and a half hours.
const BUCKETS_MAX: u64 = 360_000;

/// The stems of a clip, measured.
#[derive(Debug, Clone)]
pub(super) struct Stems {
    pub files: StemFiles,
    /// Largest magnitudes of the voice, 0..=1, evenly over the stem.
    pub voice_peaks: Vec<f32>,
    /// As `voice_peaks`, of the original music.
    pub original_peaks: Vec<f32>,
    /// What the voice ducks by and how loud it is.
    pub levels: VoiceLevels,
}

/// Reads both stems once, block by block.
///
/// # Errors
/// When a file is no stem or the disk fails; cancelled.
pub(super) fn measure(files: StemFiles, monitor: &Monitor) -> Result<Stems> {
    let mut voice = Tapped::new(StemFile::open(&files.voice)?);
    let mut original = Tapped::new(StemFile::open(&files.bgm)?);
    let levels = measure_voice(&mut voice, &mut original, monitor)?;
    Ok(Stems {
        files,
        voice_peaks: voice.peaks,
        original_peaks: original.peaks,
        levels,
    })
}

/// A source that keeps the peaks of what is read through it.
struct Tapped<S> {
    source: S,
    peaks: Vec<f32>,
}

impl<S: SampleSource> Tapped<S> {
    fn new(source: S) -> Self {
        let buckets = source.frames().div_ceil(BUCKET_FRAMES).clamp(1, BUCKETS_MAX);
        Self {
            source,
            peaks: vec![0.0; buckets as usize],
        }
    }
}

impl<S: SampleSource> SampleSource for Tapped<S> {
    fn frames(&self) -> u64 {
        self.source.frames()
    }

    fn read_at(&mut self, at: u64, out: &mut [f32]) {
        self.source.read_at(at, out);
        let frames = self.source.frames().max(1);
        for (frame, samples) in (at..frames).zip(out.as_chunks::<2>().0) {
            let bucket = (frame * self.peaks.len() as u64 / frames) as usize;
            let peak = samples[0].abs().max(samples[1].abs());
            self.peaks[bucket] = self.peaks[bucket].max(peak);
        }
    }

    fn take_error(&mut self) -> Option<Error> {
        self.source.take_error()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::MemorySource;

    #[test]
    fn peaks_lie_where_the_sound_was() {
        let frames = 10 * BUCKET_FRAMES as usize;
        let mut samples = vec![0.0_f32; 2 * frames];
        samples[frames] = -0.5;
        let mut tapped = Tapped::new(MemorySource::new(samples.into()));
        let mut block = vec![0.0; 2 * 1000];
        for at in (0..frames as u64).step_by(1000) {
            tapped.read_at(at, &mut block);
        }
        assert_eq!(tapped.peaks.len(), 10);
        assert_eq!(tapped.peaks[5], 0.5);
        assert_eq!(tapped.peaks.iter().filter(|peak| **peak > 0.0).count(), 1);
    }
}
