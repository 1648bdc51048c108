//! Mode and tonic: the pitch classes that sound against the key profiles of Albrecht and
//! Shanahan (*Music Perception* 31, 2013). On game music rendered from MIDI they named the notes'
//! own key twice as often as plain spectral peaks against Krumhansl and Kessler's profiles did,
//! which take the fifth for the tonic.

use super::pitch_classes::{PITCH_CLASSES, PitchClasses, pitch_classes, sum};

const MAJOR: PitchClasses = [
    0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081,
];
const MINOR: PitchClasses = [
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
    let sounding = sum(&pitch_classes(samples, sample_rate));
    let (major, minor) = (best(&sounding, &MAJOR), best(&sounding, &MINOR));
    let (better, other) = if major.fit >= minor.fit {
        (&major, &minor)
    } else {
        (&minor, &major)
    };
    (better.fit >= WEAKEST_KEY && better.fit - other.fit >= SMALLEST_LEAD).then_some(Key {
        tonic: better.tonic as u8,
        major: major.fit >= minor.fit,
    })
}

/// The tonic of the key that fits best, however clear it is; 0 for silence.
pub(super) fn tonic(sounding: &PitchClasses) -> usize {
    let (major, minor) = (best(sounding, &MAJOR), best(sounding, &MINOR));
    if major.fit >= minor.fit {
        major.tonic
    } else {
        minor.tonic
    }
}

/// How well a mode fits.
struct Fit {
    tonic: usize,
    fit: f32,
}

/// The best tonic of a mode, the lowest of equals.
fn best(sounding: &PitchClasses, profile: &PitchClasses) -> Fit {
    (0..PITCH_CLASSES)
        .map(|tonic| Fit {
            tonic,
            fit: correlation(sounding, profile, tonic),
        })
        .reduce(|best, next| if next.fit > best.fit { next } else { best })
        .unwrap_or(Fit { tonic: 0, fit: 0.0 })
}

/// Pearson's correlation of `chroma` with `profile` turned to `tonic`; 0 for silence.
fn correlation(chroma: &PitchClasses, profile: &PitchClasses, tonic: usize) -> f32 {
    let mean = |values: &PitchClasses| values.iter().sum::<f32>() / PITCH_CLASSES as f32;
    let (chroma_mean, profile_mean) = (mean(chroma), mean(profile));
    let (mut product, mut chroma_power, mut profile_power) = (0.0, 0.0, 0.0);
    for (degree, value) in profile.iter().enumerate() {
        let (a, b) = (
            chroma[(degree + tonic) % PITCH_CLASSES] - chroma_mean,
            value - profile_mean,
        );
        product += a * b;
        chroma_power += a * a;
        profile_power += b * b;
    }
    let power = (chroma_power * profile_power).sqrt();
    if power > 0.0 { product / power } else { 0.0 }
}
