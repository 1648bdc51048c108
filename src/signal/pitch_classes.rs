//! How much of each pitch class sounds: Gómez's harmonic pitch class profile (2006), in the tuning of the piece itself.

use super::for_each_spectrum;

/// Pitch classes of an octave.
pub(super) const PITCH_CLASSES: usize = 12;

/// A value for each pitch class, C first.
pub(super) type PitchClasses = [f32; PITCH_CLASSES];

/// Long enough to tell semitones apart from 65 Hz on at 22.05 kHz.
pub(super) const WINDOW_POINTS: usize = 8192;
/// Samples from one frame to the next.
pub(super) const HOP_SAMPLES: usize = 4096;
const LOWEST_HZ: f32 = 65.0;
const HIGHEST_HZ: f32 = 1000.0;
/// A peak weaker than this, against the strongest of its frame, is not heard as a note.
const FAINTEST_PEAK: f32 = 0.01;

/// A peak may be any of the first harmonics of a note, each less likely by this factor.
const HARMONICS: [(f32, f32); 4] = [(1.0, 1.0), (2.0, 0.7), (3.0, 0.49), (4.0, 0.343)];

/// A peak of a frame's spectrum.
struct Peak {
    frame: usize,
    /// MIDI's numbers at 440 Hz, between the keys too.
    pitch: f32,
    magnitude: f32,
}

/// How much of each pitch class sounds in each frame of mono `samples`; frame f covers
/// [`WINDOW_POINTS`] samples from f x [`HOP_SAMPLES`] on.
pub(super) fn pitch_classes(samples: &[f32], sample_rate: u32) -> Vec<PitchClasses> {
    let (count, peaks) = peaks(samples, sample_rate);
    let (x, y) = peaks.iter().fold((0.0, 0.0), |(x, y), peak| {
        let angle = std::f32::consts::TAU * peak.pitch;
        (x + peak.magnitude * angle.cos(), y + peak.magnitude * angle.sin())
    });
    let tuning = y.atan2(x) / std::f32::consts::TAU;
    let mut frames = vec![[0.0; PITCH_CLASSES]; count];
    for peak in peaks {
        for (harmonic, likelihood) in HARMONICS {
            let pitch = peak.pitch - tuning - 12.0 * harmonic.log2();
            let class = (pitch.round() as i32).rem_euclid(12) as usize;
            // Between two semitones nothing is said of either.
            let nearness = (std::f32::consts::PI * (pitch - pitch.round())).cos().powi(2);
            frames[peak.frame][class] += peak.magnitude * likelihood * nearness;
        }
    }
    frames
}

/// What all of `frames` hold together.
pub(super) fn sum(frames: &[PitchClasses]) -> PitchClasses {
    let mut sum = [0.0; PITCH_CLASSES];
    for frame in frames {
        for (sum, value) in sum.iter_mut().zip(frame) {
            *sum += value;
        }
    }
    sum
}

/// The number of frames, and the peaks of all of them.
fn peaks(samples: &[f32], sample_rate: u32) -> (usize, Vec<Peak>) {
    let hz_per_bin = sample_rate as f32 / WINDOW_POINTS as f32;
    let (first, last) = (
        (LOWEST_HZ / hz_per_bin) as usize,
        (HIGHEST_HZ.min(sample_rate as f32 / 2.2) / hz_per_bin) as usize,
    );
    let (mut count, mut peaks) = (0, Vec::new());
    for_each_spectrum(samples, WINDOW_POINTS, HOP_SAMPLES, |magnitudes| {
        let strongest = magnitudes[first..=last].iter().fold(0.0, |a: f32, &b| a.max(b));
        for bin in first..=last {
            let [left, peak, right] = [magnitudes[bin - 1], magnitudes[bin], magnitudes[bin + 1]];
            if peak > left && peak >= right && peak > strongest * FAINTEST_PEAK {
                let (l, p, r) = (left.max(1e-12).ln(), peak.ln(), right.max(1e-12).ln());
                let offset = 0.5 * (l - r) / (l - 2.0 * p + r).min(-1e-6);
                let hz = (bin as f32 + offset) * hz_per_bin;
                peaks.push(Peak {
                    frame: count,
                    pitch: 69.0 + 12.0 * (hz / 440.0).log2(),
                    magnitude: peak,
                });
            }
        }
        count += 1;
    });
    (count, peaks)
}
