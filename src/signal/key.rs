//! Mode and tonic: the pitch classes that sound (Gómez's harmonic pitch class profile, 2006),
//! against the key profiles of Albrecht and Shanahan (*Music Perception* 31, 2013). On game music
//! rendered from MIDI they named the notes' own key twice as often as plain spectral peaks
//! against Krumhansl and Kessler's profiles did, which take the fifth for the tonic.

use super::for_each_spectrum;

/// Long enough to tell semitones apart from 65 Hz on at 22.05 kHz.
const WINDOW_POINTS: usize = 8192;
const HOP_SAMPLES: usize = 4096;
const LOWEST_HZ: f32 = 65.0;
const HIGHEST_HZ: f32 = 1000.0;
/// A peak weaker than this, against the strongest of its frame, is not heard as a note.
const FAINTEST_PEAK: f32 = 0.01;

/// A peak may be any of the first harmonics of a note, each less likely by this factor.
const HARMONICS: [(f32, f32); 4] = [(1.0, 1.0), (2.0, 0.7), (3.0, 0.49), (4.0, 0.343)];

const MAJOR: [f32; 12] = [
    0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081,
];
const MINOR: [f32; 12] = [
    0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052,
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
                notes.push((69.0 + 12.0 * (hz / 440.0).log2(), peak));
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
        for (harmonic, likelihood) in HARMONICS {
            let pitch = pitch - tuning - 12.0 * harmonic.log2();
            let class = (pitch.round() as i32).rem_euclid(12) as usize;
            // Between two semitones nothing is said of either.
            let nearness = (std::f32::consts::PI * (pitch - pitch.round())).cos().powi(2);
            chroma[class] += weight * likelihood * nearness;
        }
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
