//! Arithmetic on samples: spectra, rates, loudness, tempo and mode.
//!
//! Slices in, vectors out; nothing here sees a path, a device or a network.

mod beats;
pub mod chroma;
pub mod features;
mod key;
pub mod landmarks;
pub mod loudness;
pub mod mel;
mod pitch_classes;
pub mod resample;
pub mod statistics;
pub mod stft;

/// A Hann window whose next period would start right after it: 0.5 - 0.5 cos(2 pi i / n).
fn periodic_hann(points: usize) -> Vec<f64> {
    (0..points)
        .map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / points as f64).cos())
        .collect()
}

/// Calls `take` with the magnitudes of each whole frame of `samples`: `points / 2 + 1` bins under
/// a periodic Hann window, scaled so that a sine of amplitude 1 gives 1.
fn for_each_spectrum(samples: &[f32], points: usize, hop: usize, mut take: impl FnMut(&[f32])) {
    let fft = realfft::RealFftPlanner::<f32>::new().plan_fft_forward(points);
    let window: Vec<f32> = periodic_hann(points)
        .into_iter()
        .map(|w| (w * 4.0 / points as f64) as f32)
        .collect();
    let mut input = fft.make_input_vec();
    let mut spectrum = fft.make_output_vec();
    let mut scratch = fft.make_scratch_vec();
    let mut magnitudes = vec![0.0; spectrum.len()];
    for frame in samples.windows(points).step_by(hop) {
        for ((value, &sample), &weight) in input.iter_mut().zip(frame).zip(&window) {
            *value = sample * weight;
        }
        // The buffers come from the plan itself, so their lengths cannot be wrong.
        let _ = fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch);
        for (value, bin) in magnitudes.iter_mut().zip(&spectrum) {
            *value = bin.norm();
        }
        take(&magnitudes);
    }
}
