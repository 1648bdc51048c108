//! Change of sample rate for sound that is already in memory.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// A block long enough that the transition band is narrow, short enough for the cache.
const BLOCK_FRAMES: usize = 2048;

/// Resamples mono `samples` from `from_hz` to `to_hz`, band-limited, without delay; the length
/// is round(n x to / from). A rate of 0 is a caller's mistake and gives nothing.
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz {
        return samples.to_vec();
    }
    if from_hz == 0 || to_hz == 0 || samples.is_empty() {
        return Vec::new();
    }
    let (from, to) = (u64::from(from_hz), u64::from(to_hz));
    let length = ((samples.len() as u64 * to + from / 2) / from) as usize;
    let mut out = transformed(samples, from_hz, to_hz).unwrap_or_default();
    out.resize(length, 0.0);
    out
}

/// rubato refuses nothing but a rate of 0 and buffers that do not fit, neither of which can
/// happen here.
fn transformed(samples: &[f32], from_hz: u32, to_hz: u32) -> Option<Vec<f32>> {
    let mut resampler = Fft::<f32>::new(
        from_hz as usize,
        to_hz as usize,
        block_frames(from_hz, to_hz),
        1,
        FixedSync::Both,
    )
    .ok()?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).ok()?;
    let output = resampler.process_all(&input, samples.len(), None).ok()?;
    Some(output.take_data())
}

/// An even multiple of the shortest block that holds whole samples of both rates: the filter is
/// one block long, and only an even one has its centre on a sample of both.
fn block_frames(from_hz: u32, to_hz: u32) -> usize {
    let (mut a, mut b) = (from_hz, to_hz);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let shortest = (from_hz / a) as usize;
    2 * shortest * BLOCK_FRAMES.div_ceil(2 * shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, sample_rate: u32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|i| (std::f64::consts::TAU * hz * i as f64 / f64::from(sample_rate)).sin() as f32)
            .collect()
    }

    fn energy(samples: &[f32]) -> f64 {
        samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn tones_keep_their_phase_and_level() {
        let check = |from: u32, to: u32| {
            let seconds = 2;
            let given = sine(1000.0, from, seconds * from as usize);
            let expected = sine(1000.0, to, seconds * to as usize);
            let got = resample(&given, from, to);
            assert_eq!(got.len(), expected.len());
            let edge = to as usize / 10;
            let worst = got[edge..got.len() - edge]
                .iter()
                .zip(&expected[edge..])
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-3, "{from} -> {to}: {worst}");
        };
        check(44_100, 16_000);
        check(48_000, 44_100);
        check(16_000, 44_100);
        check(11_025, 16_000);
        check(44_101, 16_000);
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_removed() {
        let got = resample(&sine(12_000.0, 44_100, 44_100), 44_100, 16_000);
        assert!(energy(&got[1600..14_400]) < 1e-7, "{}", energy(&got));
    }

    #[test]
    fn lengths_are_rounded() {
        let check = |n: usize, from: u32, to: u32, length: usize| {
            assert_eq!(resample(&vec![0.5; n], from, to).len(), length);
        };
        check(0, 44_100, 16_000, 0);
        check(1, 44_100, 16_000, 0);
        check(2, 44_100, 16_000, 1);
        check(44_100 * 3 + 17, 44_100, 16_000, 48_006);
        check(7, 8000, 8000, 7);
        check(3, 8000, 48_000, 18);
    }
}
