//! Mode and tonic: the pitch classes that sound, against the profiles of Krumhansl and Kessler
//! (Krumhansl, *Cognitive Foundations of Musical Pitch*, 1990).

use super::for_each_spectrum;

/// Long enough to tell semitones apart from 65 Hz on at 22.05 kHz.
const WINDOW_POINTS: usize = 8192;
const HOP_SAMPLES: usize = 4096;
const LOWEST_HZ: f32 = 65.0;
const HIGHEST_HZ: f32 = 2000.0;
/// A peak weaker than this, against the strongest of its frame, is not heard as a note.
const FAINTEST_PEAK: f32 = 0.01;

const MAJOR: [f32; 12] = [
    6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88,
];
const MINOR: [f32; 12] = [
    6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17,
];

/// Correlation that the best key must reach to be called one.
const WEAKEST_KEY: f32 = 0.55;
/// Lead that the better mode must have over the other.
const SMALLEST_LEAD: f32 = 0.02;

/// A key: tonic as pitch class (0 = C) and whether it is major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) tonic: u8,
    pub(super) major: bool,
}

/// The key of mono `samples`, where one mode is clearly the better fit.
pub(super) fn key(samples: &[f32], sample_rate: u32) -> Option<Key> {
    let chroma = chroma(samples, sample_rate);
    let best = |profile: &[f32; 12]| {
        (0..12_u8)
            .map(|tonic| (tonic, correlation(&chroma, profile, tonic as usize)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or_default()
    };
    let (major, minor) = (best(&MAJOR), best(&MINOR));
    let (better, other) = if major.1 >= minor.1 {
        (major, minor)
    } else {
        (minor, major)
    };
    (better.1 >= WEAKEST_KEY && better.1 - other.1 >= SMALLEST_LEAD).then_some(Key {
        tonic: better.0,
        major: major.1 >= minor.1,
    })
}

/// How much of each pitch class sounds, in the tuning of the piece itself.
fn chroma(samples: &[f32], sample_rate: u32) -> [f32; 12] {
    let hz_per_bin = sample_rate as f32 / WINDOW_POINTS as f32;
    let (first, last) = (
        (LOWEST_HZ / hz_per_bin) as usize,
        (HIGHEST_HZ.min(sample_rate as f32 / 2.2) / hz_per_bin) as usize,
    );
    let mut notes: Vec<(f32, f32)> = Vec::new();
    for_each_spectrum(samples, WINDOW_POINTS, HOP_SAMPLES, |magnitudes| {
        let strongest = magnitudes[first..=last].iter().fold(0.0, |a: f32, &b| a.max(b));
        for bin in first..=last {
            let [left, peak, right] = [magnitudes[bin - 1], magnitudes[bin], magnitudes[bin + 1]];
            if peak > left && peak >= right && peak > strongest * FAINTEST_PEAK {
                let (l, p, r) = (left.max(1e-12).ln(), peak.ln(), right.max(1e-12).ln());
                let offset = 0.5 * (l - r) / (l - 2.0 * p + r).min(-1e-6);
                let hz = (bin as f32 + offset) * hz_per_bin;
                // The root keeps the bass from drowning the harmony above it.
                notes.push((69.0 + 12.0 * (hz / 440.0).log2(), peak.sqrt()));
            }
        }
    });
    let (x, y) = notes.iter().fold((0.0, 0.0), |(x, y), &(pitch, weight)| {
        let angle = std::f32::consts::TAU * pitch;
        (x + weight * angle.cos(), y + weight * angle.sin())
    });
    let tuning = y.atan2(x) / std::f32::consts::TAU;
    let mut chroma = [0.0; 12];
    for (pitch, weight) in notes {
        let pitch = pitch - tuning;
        let class = (pitch.round() as i32).rem_euclid(12) as usize;
        // Between two semitones nothing is said of either.
        chroma[class] += weight * (std::f32::consts::PI * (pitch - pitch.round())).cos();
    }
    chroma
}

/// Pearson's correlation of `chroma` with `profile` turned to `tonic`; 0 for silence.
fn correlation(chroma: &[f32; 12], profile: &[f32; 12], tonic: usize) -> f32 {
    let mean = |values: &[f32; 12]| values.iter().sum::<f32>() / 12.0;
    let (chroma_mean, profile_mean) = (mean(chroma), mean(profile));
    let (mut product, mut chroma_power, mut profile_power) = (0.0, 0.0, 0.0);
    for (degree, value) in profile.iter().enumerate() {
        let (a, b) = (chroma[(degree + tonic) % 12] - chroma_mean, value - profile_mean);
        product += a * b;
        chroma_power += a * a;
        profile_power += b * b;
    }
    let power = (chroma_power * profile_power).sqrt();
    if power > 0.0 { product / power } else { 0.0 }
}
