//! Statistics of a piece of music: the 1140 numbers that CBVMR knows it by.
//!
//! After VM-NET's `librosa_feature.py`: the sound is split into its harmonic and its percussive part; of each, 190
//! values a frame (chroma, smoothed chroma, mel bands, MFCC with two deltas, level, centroid, bandwidth, roll-off,
//! polynomials through the spectrum, zero crossings) in decibels under the largest of their kind; of each value mean,
//! variance and maximum over time. Checked against librosa by `tests/golden/music_statistics.py`, which also says where
//! this departs from VM-NET.

mod harmonic;
mod rows;
mod spectrum;

use super::resample::resample;
use harmonic::split;
use rows::rows;

/// Rate at which everything is measured.
const SAMPLE_RATE: u32 = 12_000;

/// Values a frame, of both parts.
const VALUES: usize = 380;

/// How many statistics there are.
pub const COUNT: usize = 3 * VALUES;

/// The statistics of mono sound at `sample_rate`: means, variances, maxima. Sound shorter than a frame is all zeros.
pub fn statistics(samples: &[f32], sample_rate: u32) -> Vec<f32> {
    let samples = resample(samples, sample_rate, SAMPLE_RATE);
    if samples.len() < spectrum::POINTS {
        return vec![0.0; COUNT];
    }
    let [harmonic, percussive] = split(&samples);
    let (harmonic, percussive) = rayon::join(|| rows(&harmonic), || rows(&percussive));
    let rows = || harmonic.iter().chain(&percussive);
    let mean = |row: &[f64]| row.iter().sum::<f64>() / row.len() as f64;
    let variance = |row: &[f64]| {
        let centre = mean(row);
        row.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / row.len() as f64
    };
    let largest = |row: &[f64]| row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all: Vec<f32> = rows()
        .map(|row| mean(row))
        .chain(rows().map(|row| variance(row)))
        .chain(rows().map(|row| largest(row)))
        .map(|value| value as f32)
        .collect();
    debug_assert_eq!(all.len(), COUNT);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use candle_core::{Device, Tensor};

    fn golden() -> HashMap<String, Tensor> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/music_statistics.safetensors");
        candle_core::safetensors::load(path, &Device::Cpu).expect("fixture")
    }

    fn values(golden: &HashMap<String, Tensor>, name: &str) -> Vec<f32> {
        golden[name].to_vec1().expect("values")
    }

    #[test]
    fn the_two_parts_are_librosas() {
        let golden = golden();
        let parts = split(&values(&golden, "sound"));
        for (part, name) in parts.iter().zip(["harmonic", "percussive"]) {
            let expected = values(&golden, name);
            assert_eq!(part.len(), expected.len());
            let worst = part
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - f64::from(*b)).abs())
                .fold(0.0, f64::max);
            assert!(worst < 1e-5, "{name}: {worst:.1e}");
        }
    }

    #[test]
    fn the_statistics_are_librosas() {
        let golden = golden();
        let ours = statistics(&values(&golden, "sound"), SAMPLE_RATE);
        let theirs = values(&golden, "statistics");
        assert_eq!(ours.len(), theirs.len());
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            // Deltas cross zero, where a decibel is a matter of the last digit, and librosa's parts are single floats.
            let delta = (140..180).contains(&(number % (VALUES / 2)));
            let bound = if delta { 0.03 } else { 2e-3 };
            let error = (ours - theirs).abs() / theirs.abs().max(1.0);
            assert!(error < bound, "{number}: {ours} is not {theirs}");
        }
    }

    #[test]
    fn silence_and_shreds_are_finite() {
        for samples in [vec![0.0; 40_000], Vec::new(), vec![0.3; 20]] {
            let found = statistics(&samples, 16_000);
            assert!(found.len() == COUNT && found.iter().all(|value| value.is_finite()));
        }
    }
}
