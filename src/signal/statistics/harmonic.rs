//! Harmonic and percussive parts by median filters along time and along frequency (Fitzgerald 2010, as
//! `librosa.effects.hpss`).

use rayon::prelude::*;
use realfft::num_complex::Complex64;

use super::spectrum::{samples, spectra};

const POINTS: usize = 2048;
const HOP: usize = 512;
/// Frames, and bins, that a median is taken of.
const KERNEL: usize = 31;

/// The harmonic and the percussive part, each as long as `sound`.
pub(super) fn split(sound: &[f32]) -> [Vec<f64>; 2] {
    let sound: Vec<f64> = sound.iter().map(|&sample| f64::from(sample)).collect();
    let frames = spectra(&sound, POINTS, HOP);
    let magnitudes: Vec<Vec<f64>> = frames
        .iter()
        .map(|frame| frame.iter().map(|bin| bin.norm()).collect())
        .collect();
    let masked: Vec<[Vec<Complex64>; 2]> = (0..frames.len())
        .into_par_iter()
        .map(|number| {
            let along_time = |bin: usize| median(frames.len(), number, |at| magnitudes[at][bin]);
            let along_frequency =
                |bin: usize| median(magnitudes[number].len(), bin, |at| magnitudes[number][at]);
            let (mut harmonic, mut percussive) = (Vec::new(), Vec::new());
            for (bin, value) in frames[number].iter().enumerate() {
                let (tone, click) = (along_time(bin), along_frequency(bin));
                let share = share(tone, click);
                harmonic.push(value * share);
                percussive.push(value * (1.0 - share));
            }
            [harmonic, percussive]
        })
        .collect();
    let (harmonic, percussive): (Vec<_>, Vec<_>) = masked.into_iter().map(|[h, p]| (h, p)).unzip();
    [harmonic, percussive].map(|part| samples(&part, POINTS, HOP, sound.len()))
}

/// What of a bin is tone: the squares compared; a half where there is neither.
fn share(tone: f64, click: f64) -> f64 {
    let largest = tone.max(click);
    if largest < f64::from(f32::MIN_POSITIVE) {
        return 0.5;
    }
    let (tone, click) = ((tone / largest).powi(2), (click / largest).powi(2));
    tone / (tone + click)
}

/// The median of the [`KERNEL`] values around `at`, mirrored at the ends with the end itself doubled.
fn median(count: usize, at: usize, value: impl Fn(usize) -> f64) -> f64 {
    let mut around = [0.0; KERNEL];
    let period = 2 * count as isize;
    for (offset, slot) in around.iter_mut().enumerate() {
        let place = (at + offset) as isize - (KERNEL / 2) as isize;
        let place = place.rem_euclid(period) as usize;
        *slot = value(if place < count {
            place
        } else {
            2 * count - 1 - place
        });
    }
    *around.select_nth_unstable_by(KERNEL / 2, f64::total_cmp).1
}
