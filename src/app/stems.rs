//! What the window measures of a stem: peaks to draw, levels to duck by, loudness to match.

use std::path::Path;

use super::session::StemProfile;
use crate::error::Result;
use crate::jobs::Monitor;
use crate::media::WavReader;
use crate::signal::loudness::Meter;

/// Peaks kept of a stem.
const BUCKETS: u64 = 2400;
/// Seconds of one RMS value.
const STEP_S: f64 = 0.01;
/// Frames read at a time.
const BLOCK: usize = 44_100;

/// Reads the WAV file of a stem once, block by block.
///
/// # Errors
/// When the file is no stem or the disk fails; cancelled.
pub(super) fn profile(path: &Path, monitor: &Monitor) -> Result<StemProfile> {
    let mut reader = WavReader::open(path)?;
    let format = reader.format();
    let channels = format.channels as usize;
    let frames = reader.frames();
    let mut meter = Meter::new(format.sample_rate, format.channels)?;
    let mut gauge = Gauge::new(frames, (f64::from(format.sample_rate) * STEP_S).round() as u64);
    let mut at = 0;
    while at < frames {
        monitor.check()?;
        let taken = BLOCK.min((frames - at) as usize);
        let mut block = vec![0.0_f32; taken * channels];
        reader.read_at(at, &mut block)?;
        meter.add(&block)?;
        for frame in block.chunks_exact(channels) {
            gauge.add(frame);
        }
        at += taken as u64;
    }
    Ok(gauge.profile(meter.integrated_lufs()))
}

/// Peaks and RMS of frames that come one after another.
struct Gauge {
    frames: u64,
    step: u64,
    at: u64,
    peaks: Vec<f32>,
    rms: Vec<f32>,
    squares: f64,
}

impl Gauge {
    fn new(frames: u64, step: u64) -> Self {
        Self {
            frames: frames.max(1),
            step: step.max(1),
            at: 0,
            peaks: vec![0.0; BUCKETS.min(frames.max(1)) as usize],
            rms: Vec::with_capacity((frames / step.max(1) + 1) as usize),
            squares: 0.0,
        }
    }

    fn add(&mut self, frame: &[f32]) {
        let bucket = (self.at.min(self.frames - 1) * self.peaks.len() as u64 / self.frames) as usize;
        let peak = frame.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        self.peaks[bucket] = self.peaks[bucket].max(peak);
        let power: f64 = frame.iter().map(|sample| f64::from(sample * sample)).sum();
        self.squares += power / frame.len().max(1) as f64;
        self.at += 1;
        if self.at.is_multiple_of(self.step) {
            self.rms.push((self.squares / self.step as f64).sqrt() as f32);
            self.squares = 0.0;
        }
    }

    fn profile(mut self, loudness_lufs: Option<f64>) -> StemProfile {
        let rest = self.at % self.step;
        if rest > 0 {
            self.rms.push((self.squares / rest as f64).sqrt() as f32);
        }
        StemProfile {
            peaks: self.peaks,
            rms: self.rms,
            loudness_lufs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_has_its_own_level_everywhere() {
        let mut gauge = Gauge::new(1000, 441);
        (0..1000).for_each(|_| gauge.add(&[0.5, -0.5]));
        let profile = gauge.profile(None);
        assert_eq!(profile.rms.len(), 3);
        assert!(profile.rms.iter().all(|rms| (rms - 0.5).abs() < 1e-6));
        assert!(profile.peaks.iter().all(|peak| *peak == 0.5));
    }

    #[test]
    fn nothing_is_nothing() {
        let profile = Gauge::new(0, 441).profile(None);
        assert!(profile.rms.is_empty() && profile.peaks == [0.0]);
    }
}
