//! Centred short-time spectra and back, as librosa has them: periodic Hann window, half a window of zeros at either end.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex64;

use crate::signal::periodic_hann;

/// Points of the spectra that everything but the split is read from, and the step between them.
pub(super) const POINTS: usize = 512;
pub(super) const HOP: usize = 256;

/// Complex frames of `samples`, `points / 2 + 1` bins each.
pub(super) fn spectra(samples: &[f64], points: usize, hop: usize) -> Vec<Vec<Complex64>> {
    let window = periodic_hann(points);
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(points);
    let (mut input, mut scratch) = (fft.make_input_vec(), fft.make_scratch_vec());
    let half = points / 2;
    (0..=samples.len() / hop)
        .map(|frame| {
            for (at, (value, weight)) in input.iter_mut().zip(&window).enumerate() {
                let place = (frame * hop + at).checked_sub(half);
                *value = place.and_then(|place| samples.get(place)).unwrap_or(&0.0) * weight;
            }
            let mut bins = fft.make_output_vec();
            // The buffers come from the plan itself, so their lengths cannot be wrong.
            let _ = fft.process_with_scratch(&mut input, &mut bins, &mut scratch);
            bins
        })
        .collect()
}

/// The `length` samples whose [`spectra`] these are.
pub(super) fn samples(spectra: &[Vec<Complex64>], points: usize, hop: usize, length: usize) -> Vec<f64> {
    let window = periodic_hann(points);
    let fft = RealFftPlanner::<f64>::new().plan_fft_inverse(points);
    let (mut frame, mut scratch) = (fft.make_output_vec(), fft.make_scratch_vec());
    let half = points / 2;
    let mut sum = vec![0.0; length];
    let mut weights = vec![0.0; length];
    for (number, bins) in spectra.iter().enumerate() {
        let mut bins = bins.clone();
        // A real signal has no imaginary part at either end; rounding may have left one.
        bins[0].im = 0.0;
        bins[half].im = 0.0;
        let _ = fft.process_with_scratch(&mut bins, &mut frame, &mut scratch);
        for (at, (value, weight)) in frame.iter().zip(&window).enumerate() {
            let place = (number * hop + at).checked_sub(half);
            if let Some(place) = place.filter(|place| *place < length) {
                sum[place] += value / points as f64 * weight;
                weights[place] += weight * weight;
            }
        }
    }
    for (value, weight) in sum.iter_mut().zip(weights) {
        if weight > f64::from(f32::MIN_POSITIVE) {
            *value /= weight;
        }
    }
    sum
}
