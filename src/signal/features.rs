//! What people say of a track in words: tempo, mode, energy.

use super::beats::OnsetCurve;
use super::for_each_spectrum;
use super::key::key;
use super::resample::resample;

/// Rate that all estimates are made at.
const SAMPLE_RATE: u32 = 22_050;
const WINDOW_POINTS: usize = 2048;
const HOP_SAMPLES: usize = 1024;
/// Root mean square of a 16-bit file's rounding; what is quieter is silence.
const SILENCE: f32 = 1e-5;

/// Estimates from the sound alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Description {
    /// Beats per minute; `None` where no pulse is found.
    pub tempo_bpm: Option<f32>,
    /// `Some(true)` for major, `Some(false)` for minor, `None` where unclear.
    pub major: Option<bool>,
    /// Tonic as a pitch class, 0 = C, where the mode is clear.
    pub tonic: Option<u8>,
    /// 0 (still) to 1 (driving): onset density, brightness and loudness variation, whatever the level.
    pub energy: f32,
    /// Spectral centroid in Hz; 0 for silence.
    pub brightness_hz: f32,
}

/// Describes mono sound at `sample_rate`. Silence, and what is shorter than an eighth of a
/// second, has no description; a tempo needs some ten seconds.
pub fn describe(samples: &[f32], sample_rate: u32) -> Description {
    let samples = resample(samples, sample_rate, SAMPLE_RATE);
    let texture = Texture::of(&samples);
    if texture.rms <= SILENCE {
        return Description::default();
    }
    let onsets = OnsetCurve::of(&samples, SAMPLE_RATE);
    let key = key(&samples, SAMPLE_RATE);
    Description {
        tempo_bpm: onsets.tempo_bpm(),
        major: key.map(|key| key.major),
        tonic: key.map(|key| key.tonic),
        energy: energy(onsets.density_hz(), &texture),
        brightness_hz: texture.centroid_hz,
    }
}

/// What a spectrum every 46 ms says.
struct Texture {
    rms: f32,
    centroid_hz: f32,
    /// Mean change of level from one frame to the next, in dB.
    variation_db: f32,
}

impl Texture {
    fn of(samples: &[f32]) -> Self {
        let hz_per_bin = SAMPLE_RATE as f32 / WINDOW_POINTS as f32;
        let (mut weighted, mut total) = (0.0_f64, 0.0_f64);
        for_each_spectrum(samples, WINDOW_POINTS, HOP_SAMPLES, |magnitudes| {
            for (bin, &magnitude) in magnitudes.iter().enumerate() {
                weighted += f64::from(magnitude * bin as f32 * hz_per_bin);
                total += f64::from(magnitude);
            }
        });
        let power = |frame: &[f32]| frame.iter().map(|s| s * s).sum::<f32>() / frame.len() as f32;
        let levels: Vec<f32> = samples.chunks_exact(HOP_SAMPLES).map(power).collect();
        let mean = levels.iter().sum::<f32>() / levels.len().max(1) as f32;
        // A frame 40 dB under the mean is as good as a pause; the floor keeps pauses finite.
        let db = |level: f32| 10.0 * (level.max(mean * 1e-4)).log10();
        let changes: f32 = levels
            .windows(2)
            .map(|pair| (db(pair[1]) - db(pair[0])).abs())
            .sum();
        Self {
            rms: mean.sqrt(),
            centroid_hz: if total > 0.0 {
                (weighted / total) as f32
            } else {
                0.0
            },
            variation_db: if mean > 0.0 {
                changes / levels.len().max(2) as f32
            } else {
                0.0
            },
        }
    }
}

/// A weighted sum, each part stretched over what music usually spans.
fn energy(onsets_hz: f32, texture: &Texture) -> f32 {
    let density = (onsets_hz / 8.0).clamp(0.0, 1.0);
    // 300 Hz is a dark pad, 4.8 kHz four octaves up a cymbal.
    let brightness = ((texture.centroid_hz / 300.0).max(1.0).log2() / 4.0).clamp(0.0, 1.0);
    let variation = (texture.variation_db / 4.0).clamp(0.0, 1.0);
    0.5 * density + 0.3 * brightness + 0.2 * variation
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a decaying note of a few harmonics to `sound`.
    fn add_note(sound: &mut [f32], sample_rate: u32, start_s: f32, duration_s: f32, midi: f32) {
        let hz = 440.0 * ((midi - 69.0) / 12.0).exp2();
        let start = (start_s * sample_rate as f32) as usize;
        let length = (duration_s * sample_rate as f32) as usize;
        for (i, sample) in sound.iter_mut().skip(start).take(length).enumerate() {
            let t = i as f32 / sample_rate as f32;
            let envelope = 0.1 * (-2.0 * t).exp() * (1.0 - i as f32 / length as f32);
            *sample += (1..=4)
                .map(|h| (std::f32::consts::TAU * hz * h as f32 * t).sin() / (h * h) as f32)
                .sum::<f32>()
                * envelope;
        }
    }

    fn clicks(bpm: f32, sample_rate: u32, seconds: f32) -> Vec<f32> {
        let mut sound = vec![0.0; (seconds * sample_rate as f32) as usize];
        let beat_s = 60.0 / bpm;
        for beat in 0..(seconds / beat_s) as usize {
            let start = (beat as f32 * beat_s * sample_rate as f32) as usize;
            for (i, sample) in sound.iter_mut().skip(start).take(400).enumerate() {
                let sign = if (i * 7919) % 13 > 6 { 1.0 } else { -1.0 };
                *sample = 0.5 * sign * (-(i as f32) / 80.0).exp();
            }
        }
        sound
    }

    /// Chords as semitones above `tonic`, one a second, twice over.
    fn progression(tonic: f32, chords: &[[i32; 3]]) -> Vec<f32> {
        let sample_rate = 44_100;
        let mut sound = vec![0.0; sample_rate as usize * chords.len() * 2];
        for (i, chord) in chords.iter().cycle().take(chords.len() * 2).enumerate() {
            add_note(
                &mut sound,
                sample_rate,
                i as f32,
                1.0,
                tonic - 12.0 + chord[0] as f32,
            );
            for &note in chord {
                add_note(&mut sound, sample_rate, i as f32, 1.0, tonic + note as f32);
            }
        }
        sound
    }

    #[test]
    fn clicks_have_their_tempo() {
        let check = |bpm: f32, sample_rate: u32| {
            let found = describe(&clicks(bpm, sample_rate, 20.0), sample_rate).tempo_bpm;
            let found = found.unwrap_or_else(|| panic!("no tempo at {bpm}"));
            assert!((found / bpm - 1.0).abs() < 0.02, "{found} for {bpm}");
        };
        for bpm in [60.0, 66.0, 75.0, 82.0, 90.0, 104.0, 120.0, 126.0, 133.0] {
            check(bpm, 44_100);
        }
        check(128.0, 16_000);
    }

    #[test]
    fn what_has_no_pulse_has_no_tempo() {
        let mut state = 7_u32;
        let noise: Vec<f32> = (0..20 * 22_050)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        assert_eq!(describe(&noise, 22_050).tempo_bpm, None);
        assert_eq!(
            describe(&clicks(120.0, 22_050, 3.0), 22_050).tempo_bpm,
            None,
            "too short"
        );
    }

    #[test]
    fn cadences_have_their_key() {
        // I IV V I, and i iv V i with the raised leading note.
        let major = [[0, 4, 7], [5, 9, 12], [7, 11, 14], [0, 4, 7]];
        let minor = [[0, 3, 7], [5, 8, 12], [7, 11, 14], [0, 3, 7]];
        let check = |tonic: f32, chords: &[[i32; 3]], expected: (u8, bool)| {
            let found = describe(&progression(tonic, chords), 44_100);
            assert_eq!(
                (found.tonic, found.major),
                (Some(expected.0), Some(expected.1)),
                "tonic {tonic}"
            );
        };
        for class in 0..12_u8 {
            let tonic = 57.0 + f32::from(class);
            let pitch_class = (9 + class) % 12;
            check(tonic, &major, (pitch_class, true));
            check(tonic, &minor, (pitch_class, false));
        }
        // A quarter tone flat is still a key.
        check(59.6, &major, (0, true));
    }

    #[test]
    fn scales_are_told_from_their_relatives() {
        let scale = |tonic: f32, steps: &[i32]| {
            let sample_rate = 44_100;
            let mut sound = vec![0.0; sample_rate as usize * 12];
            let up_and_down = steps.iter().chain(steps.iter().rev());
            for (i, &step) in up_and_down.enumerate() {
                add_note(&mut sound, sample_rate, i as f32 * 0.5, 0.5, tonic + step as f32);
            }
            for (second, chord) in [[0, 7, 12], [7, 11, 14], [0, 7, 12]].iter().enumerate() {
                for &note in chord {
                    add_note(
                        &mut sound,
                        sample_rate,
                        9.0 + second as f32,
                        1.0,
                        tonic + note as f32,
                    );
                }
            }
            describe(&sound, sample_rate)
        };
        let c_major = scale(60.0, &[0, 2, 4, 5, 7, 9, 11, 12]);
        assert_eq!((c_major.tonic, c_major.major), (Some(0), Some(true)));
        let a_minor = scale(57.0, &[0, 2, 3, 5, 7, 8, 11, 12]);
        assert_eq!((a_minor.tonic, a_minor.major), (Some(9), Some(false)));
    }

    #[test]
    fn noise_has_no_key_and_silence_nothing() {
        assert_eq!(describe(&clicks(120.0, 44_100, 12.0), 44_100).major, None);
        assert_eq!(describe(&vec![0.0; 441_000], 44_100), Description::default());
        assert_eq!(describe(&[], 44_100), Description::default());
        assert_eq!(describe(&[0.5; 100], 44_100), Description::default());
    }

    #[test]
    fn driving_sound_has_more_energy_than_a_pad() {
        let mut pad = vec![0.0; 44_100 * 12];
        for midi in [48.0, 55.0, 60.0] {
            add_note(&mut pad, 44_100, 0.0, 12.0, midi);
        }
        let mut drums = clicks(480.0, 44_100, 12.0);
        let (still, driving) = (describe(&pad, 44_100), describe(&drums, 44_100));
        assert!(
            still.energy < 0.3 && driving.energy > 0.6,
            "{still:?} {driving:?}"
        );
        assert!(driving.brightness_hz > still.brightness_hz);
        for sample in &mut drums {
            *sample *= 0.05;
        }
        let quiet = describe(&drums, 44_100);
        assert!(
            (quiet.energy - driving.energy).abs() < 0.05,
            "{quiet:?} {driving:?}"
        );
    }
}
