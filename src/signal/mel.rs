//! VGGish's log-mel front end (`mel_features.py` and `vggish_input.py` of the original
//! release): 16 kHz mono, 25 ms periodic Hann window, 10 ms hop, 512-point FFT magnitude,
//! 64 HTK mel bands from 125 to 7500 Hz, log(mel + 0.01).

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use realfft::{RealFftPlanner, RealToComplex};

use super::periodic_hann;

/// Mel bands of a frame.
pub const BANDS: usize = 64;
/// Frames of a patch (0.96 s).
pub const PATCH_FRAMES: usize = 96;
/// Patches of a clip (`2-mrcmv.md`, point 3).
pub const PATCHES: usize = 72;

const SAMPLE_RATE: f64 = 16_000.0;
const WINDOW_SAMPLES: usize = 400;
const HOP_SAMPLES: usize = 160;
const FFT_POINTS: usize = 512;
const LOWEST_HZ: f64 = 125.0;
const HIGHEST_HZ: f64 = 7500.0;
const LOG_OFFSET: f64 = 0.01;

/// What every call needs and none changes. The arithmetic is double, as NumPy's: the
/// logarithm magnifies what single precision would lose below a loud partial.
struct FrontEnd {
    window: Vec<f64>,
    fft: Arc<dyn RealToComplex<f64>>,
    bands: Vec<Band>,
}

/// The spectrum bins that one mel band sums, and their weights.
struct Band {
    first_bin: usize,
    weights: Vec<f64>,
}

static FRONT_END: LazyLock<FrontEnd> = LazyLock::new(|| FrontEnd {
    window: periodic_hann(WINDOW_SAMPLES),
    fft: RealFftPlanner::new().plan_fft_forward(FFT_POINTS),
    bands: mel_bands(),
});

fn mel_of(hz: f64) -> f64 {
    1127.0 * (1.0 + hz / 700.0).ln()
}

/// The reference's `spectrogram_to_mel_matrix`, column by column without the zeros:
/// triangles that are straight in mel, and no weight for the DC bin.
fn mel_bands() -> Vec<Band> {
    let (lowest, highest) = (mel_of(LOWEST_HZ), mel_of(HIGHEST_HZ));
    let edge = |i: usize| lowest + (highest - lowest) * i as f64 / (BANDS + 1) as f64;
    (0..BANDS)
        .map(|band| {
            let (lower, centre, upper) = (edge(band), edge(band + 1), edge(band + 2));
            let weight = |bin: usize| {
                let mel = mel_of(bin as f64 * SAMPLE_RATE / FFT_POINTS as f64);
                ((mel - lower) / (centre - lower)).min((upper - mel) / (upper - centre))
            };
            let bins = 1..=FFT_POINTS / 2;
            let first_bin = bins.clone().find(|&bin| weight(bin) > 0.0).unwrap_or(1);
            let weights = bins
                .skip(first_bin - 1)
                .map(weight)
                .take_while(|&w| w > 0.0)
                .collect();
            Band { first_bin, weights }
        })
        .collect()
}

/// Log-mel frames of 16 kHz mono `samples`: `frames x 64` values, row by row;
/// frames = 1 + floor((n - 400) / 160), 3198 for 32 s, and none below 400 samples.
pub fn log_mel(samples: &[f32]) -> Vec<f32> {
    let FrontEnd { window, fft, bands } = &*FRONT_END;
    let mut input = fft.make_input_vec();
    let mut spectrum = fft.make_output_vec();
    let mut scratch = fft.make_scratch_vec();
    let mut magnitude = vec![0.0; spectrum.len()];
    let mut out = Vec::with_capacity(frames_of(samples.len()) * BANDS);
    for frame in samples.windows(WINDOW_SAMPLES).step_by(HOP_SAMPLES) {
        for ((value, &sample), &weight) in input.iter_mut().zip(frame).zip(window) {
            *value = f64::from(sample) * weight;
        }
        input[WINDOW_SAMPLES..].fill(0.0);
        // The buffers come from the plan itself, so their lengths cannot be wrong.
        let _ = fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch);
        for (value, bin) in magnitude.iter_mut().zip(&spectrum) {
            *value = bin.norm();
        }
        out.extend(bands.iter().map(|band| {
            let bins = &magnitude[band.first_bin..];
            let mel: f64 = band
                .weights
                .iter()
                .zip(bins)
                .map(|(weight, bin)| weight * bin)
                .sum();
            (mel + LOG_OFFSET).ln() as f32
        }));
    }
    out
}

/// The 72 patches of a 32 s clip's log-mel frames: `72 x 96 x 64` values; patch i starts at
/// frame round(i x (frames - 96) / 71). Fewer than 96 frames give nothing: the caller repeats
/// a short clip first.
pub fn patches(log_mel: &[f32]) -> Vec<f32> {
    patch_starts(log_mel.len() / BANDS)
        .flat_map(|start| &log_mel[start * BANDS..(start + PATCH_FRAMES) * BANDS])
        .copied()
        .collect()
}

/// The samples that each patch of `samples` samples is made of.
pub fn patch_spans(samples: usize) -> impl Iterator<Item = Range<usize>> {
    let length = (PATCH_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES;
    patch_starts(frames_of(samples)).map(move |start| {
        let first = start * HOP_SAMPLES;
        first..first + length
    })
}

/// Frames of `samples` samples.
fn frames_of(samples: usize) -> usize {
    samples
        .checked_sub(WINDOW_SAMPLES)
        .map_or(0, |spare| 1 + spare / HOP_SAMPLES)
}

/// The frames that the patches of `frames` frames start at.
fn patch_starts(frames: usize) -> impl Iterator<Item = usize> {
    let gaps = PATCHES - 1;
    let spare = frames.checked_sub(PATCH_FRAMES);
    // 71 is odd, so the quotient is never halfway and rounding has no ties.
    spare
        .into_iter()
        .flat_map(move |spare| (0..PATCHES).map(move |i| (2 * i * spare + gaps) / (2 * gaps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_has_3198_frames_and_72_patches() {
        let clip = vec![0.0; 32 * 16_000];
        let frames = log_mel(&clip);
        assert_eq!(frames.len(), 3198 * BANDS);
        assert!(frames.iter().all(|&value| (value - 0.01_f32.ln()).abs() < 1e-6));
        assert_eq!(patches(&frames).len(), PATCHES * PATCH_FRAMES * BANDS);
    }

    #[test]
    fn short_sound_gives_what_fits() {
        let check = |samples: usize, frames: usize| {
            assert_eq!(
                log_mel(&vec![0.1; samples]).len(),
                frames * BANDS,
                "{samples} samples"
            );
        };
        check(0, 0);
        check(399, 0);
        check(400, 1);
        check(559, 1);
        check(560, 2);
        assert!(patches(&vec![0.0; 95 * BANDS]).is_empty());
    }

    #[test]
    fn patches_run_from_the_first_frame_to_the_last() {
        let frames = 3198;
        let numbered: Vec<f32> = (0..frames * BANDS).map(|i| (i / BANDS) as f32).collect();
        let patches = patches(&numbered);
        let start = |i: usize| patches[i * PATCH_FRAMES * BANDS];
        for i in 0..PATCHES {
            assert_eq!(start(i), (i as f32 * 3102.0 / 71.0).round(), "patch {i}");
        }
        assert_eq!(patches.last(), Some(&3197.0));
    }
}
