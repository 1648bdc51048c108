//! Twelve values beside each of VGGish's rows: how much of each degree of the scale sounds in its patch.
//!
//! 64 mel bands cannot tell a minor third from a major one; pitch classes can. They are turned so that the tonic of the
//! clip comes first, for a listener hears a mode and not a key. Reference: `models/recipe/chroma.py`.

use super::key::tonic;
use super::mel;
use super::pitch_classes::{HOP_SAMPLES, PITCH_CLASSES, PitchClasses, WINDOW_POINTS, pitch_classes, sum};

/// Values of a patch.
pub const DEGREES: usize = PITCH_CLASSES;

const SAMPLE_RATE: u32 = 16_000;

/// The degrees of the 72 patches of a 32 s clip, 16 kHz mono: `72 x 12` values, the tonic first. A value is twelve times
/// the degree's share in what sounds, less 1; all are 0 where nothing does.
pub fn chroma(clip: &[f32]) -> Vec<f32> {
    let frames = pitch_classes(clip, SAMPLE_RATE);
    let tonic = tonic(&sum(&frames));
    mel::patch_spans(clip.len())
        .flat_map(|span| {
            let within: Vec<PitchClasses> = frames
                .iter()
                .enumerate()
                .filter(|(number, _)| span.contains(&(number * HOP_SAMPLES + WINDOW_POINTS / 2)))
                .map(|(_, frame)| *frame)
                .collect();
            let sounding = sum(&within);
            let whole: f32 = sounding.iter().sum();
            (0..PITCH_CLASSES).map(move |degree| {
                if whole > 0.0 {
                    PITCH_CLASSES as f32 * sounding[(degree + tonic) % PITCH_CLASSES] / whole - 1.0
                } else {
                    0.0
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clip of chords, two seconds each, of these semitones above MIDI's `key`.
    fn clip(key: f32, chords: &[[i32; 3]]) -> Vec<f32> {
        let rate = SAMPLE_RATE as f32;
        let length = 2 * SAMPLE_RATE as usize;
        (0..16 * length)
            .map(|at| {
                let chord = chords[at / length % chords.len()];
                let time = (at % length) as f32 / rate;
                chord
                    .iter()
                    .map(|&step| {
                        let hz = 440.0 * ((key + step as f32 - 69.0) / 12.0).exp2();
                        (std::f32::consts::TAU * hz * time).sin() * 0.1
                    })
                    .sum()
            })
            .collect()
    }

    const MAJOR: [[i32; 3]; 4] = [[0, 4, 7], [5, 9, 12], [7, 11, 14], [0, 4, 7]];
    const MINOR: [[i32; 3]; 4] = [[0, 3, 7], [5, 8, 12], [7, 10, 14], [0, 3, 7]];

    fn mean(rows: &[f32]) -> PitchClasses {
        let mut mean = [0.0; PITCH_CLASSES];
        for row in rows.chunks_exact(PITCH_CLASSES) {
            for (mean, value) in mean.iter_mut().zip(row) {
                *mean += value / mel::PATCHES as f32;
            }
        }
        mean
    }

    #[test]
    fn a_mode_is_heard_whatever_the_key() {
        let home = chroma(&clip(57.0, &MAJOR));
        assert_eq!(home.len(), mel::PATCHES * PITCH_CLASSES);
        for key in [52.0, 55.0, 60.3] {
            for (a, b) in mean(&home).iter().zip(mean(&chroma(&clip(key, &MAJOR)))) {
                assert!((a - b).abs() < 0.3, "{a} and {b} in key {key}");
            }
        }
        let [major, minor] = [mean(&home), mean(&chroma(&clip(57.0, &MINOR)))];
        assert!(major[4] > 0.5 && major[3] < -0.5, "{major:?}");
        assert!(minor[3] > 0.5 && minor[4] < -0.5, "{minor:?}");
    }

    #[test]
    fn each_patch_tells_its_own_chord() {
        let rows = chroma(&clip(57.0, &MAJOR));
        let row = |second: f32| {
            let patch = (second / 31.02 * 71.0) as usize;
            &rows[patch * PITCH_CLASSES..(patch + 1) * PITCH_CLASSES]
        };
        // The first chord holds the third, the second the sixth.
        assert!(row(0.5)[4] > 1.0 && row(0.5)[9] < 0.0, "{:?}", row(0.5));
        assert!(row(2.5)[9] > 1.0 && row(2.5)[4] < 0.0, "{:?}", row(2.5));
    }

    #[test]
    fn silence_and_noise_without_pitch_are_nothing_special() {
        assert!(chroma(&vec![0.0; 512_000]).iter().all(|&value| value == 0.0));
        assert!(chroma(&[0.1; 100]).iter().all(|&value| value == 0.0));
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..512_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        let mean = mean(&chroma(&noise));
        assert!(mean.iter().all(|value| value.abs() < 0.3), "{mean:?}");
    }
}
