//! How a mood sounds in a voice.
//!
//! Directions and rough sizes are those that studies of acted and natural emotional speech agree on; each constant
//! names its source. A mood's valence v and arousal a lie in -1..=1.
//!
//! - Scherer (2003), *Vocal communication of emotion*, table 2; Juslin and Laukka (2003), *Communication of emotions in
//!   vocal expression and music performance*, tables 7 and 11: with arousal rise mean pitch, pitch range, rate,
//!   loudness and the share of high frequencies, and pauses shrink.
//! - Goudbeek and Scherer (2010), *Beyond arousal*: valence shows once arousal is held: pleasant voices are less loud
//!   and less rough, with a steeper spectrum and livelier pitch; unpleasant ones are pressed or dull.
//! - Tartter (1980), *Happy talk*: a smile shortens the vocal tract and raises the formants by several per cent.
//! - Gobl and Ni Chasaide (2003), *The role of voice quality in communicating emotion*: tense and harsh voice for anger,
//!   breathy and lax voice for sadness and intimacy.
//! - Banziger and Scherer (2005), *The role of intonation in emotional expressions*: falling contours for sadness, rising
//!   ones for joy.

use rand_chacha::ChaCha8Rng;

use super::draw::gaussian;
use super::story::Mood;

/// ln of the mean pitch per arousal: an octave between the ends of the scale is what actors use.
const PITCH_PER_AROUSAL: f32 = 0.42;
/// ln of the pitch range per arousal, and per valence.
const RANGE_PER_AROUSAL: f32 = 0.8;
const RANGE_PER_VALENCE: f32 = 0.35;
/// ln of the rate per arousal; joy is quicker than anger, sadness slower than calm.
const RATE_PER_AROUSAL: f32 = 0.24;
const RATE_PER_VALENCE: f32 = 0.06;
/// dB of loudness per arousal.
const LEVEL_DB_PER_AROUSAL: f32 = 6.0;
/// dB of the high shelf per arousal: vocal effort flattens the spectrum.
const TILT_DB_PER_AROUSAL: f32 = 9.0;
/// dB of the high shelf per valence: a smiling voice is brighter, a dull one darker.
const TILT_DB_PER_VALENCE: f32 = 4.0;
/// ln of the pauses per arousal.
const PAUSE_PER_AROUSAL: f32 = -0.8;
/// ln of the formants per valence: the smile.
const FORMANTS_PER_VALENCE: f32 = 0.07;
/// How much the pitch rises over a phrase per valence, as ln.
const SLOPE_PER_VALENCE: f32 = 0.10;
/// Deviation of each factor from phrase to phrase, in the units of the mood.
const RESTLESSNESS: f32 = 0.08;

/// How a phrase is spoken. Factors are relative to the voice's own habit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prosody {
    /// Factor of the mean pitch.
    pub(super) pitch: f32,
    /// Factor of the pitch's deviation.
    pub(super) range: f32,
    /// Factor of the rate.
    pub(super) rate: f32,
    /// Gain, dB.
    pub(super) level_db: f32,
    /// Gain above 1.2 kHz against below, dB.
    pub(super) tilt_db: f32,
    /// Factor of the pauses.
    pub(super) pause: f32,
    /// Factor of the formants.
    pub(super) formants: f32,
    /// ln of the pitch at the phrase's end against its start.
    pub(super) slope: f32,
    /// Roughness and pressed voice, 0..=1.
    pub(super) rough: f32,
    /// Breath, 0..=1.
    pub(super) breath: f32,
}

impl Prosody {
    /// How one phrase sounds in `mood`.
    pub(super) fn of(mood: Mood, rng: &mut ChaCha8Rng) -> Self {
        let mut v = || mood.valence + RESTLESSNESS * gaussian(rng);
        let (v, v_voice) = (v(), v());
        let mut a = || mood.arousal + RESTLESSNESS * gaussian(rng);
        let (a, a_pitch, a_rate) = (a(), a(), a());
        Self {
            pitch: (PITCH_PER_AROUSAL * a_pitch).exp(),
            range: (RANGE_PER_AROUSAL * a + RANGE_PER_VALENCE * v).exp(),
            rate: (RATE_PER_AROUSAL * a_rate + RATE_PER_VALENCE * v).exp(),
            level_db: LEVEL_DB_PER_AROUSAL * a,
            tilt_db: TILT_DB_PER_AROUSAL * a + TILT_DB_PER_VALENCE * v_voice,
            pause: (PAUSE_PER_AROUSAL * a_rate).exp(),
            formants: (FORMANTS_PER_VALENCE * v_voice).exp(),
            slope: SLOPE_PER_VALENCE * v,
            // Harshness needs force as well as displeasure, breath needs its absence.
            rough: ((0.4 - v) * (0.6 + 0.6 * a)).clamp(0.0, 1.0),
            breath: ((0.2 - a) * (0.8 - 0.4 * v)).clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::draw::stream;

    fn mean(valence: f32, arousal: f32, of: fn(&Prosody) -> f32) -> f32 {
        let mut rng = stream(0, "prosody");
        let mood = Mood { valence, arousal };
        (0..200).map(|_| of(&Prosody::of(mood, &mut rng))).sum::<f32>() / 200.0
    }

    #[test]
    fn the_directions_are_those_of_the_literature() {
        let check = |of: fn(&Prosody) -> f32, less: (f32, f32), more: (f32, f32)| {
            let (less, more) = (mean(less.0, less.1, of), mean(more.0, more.1, of));
            assert!(more > less, "{more} > {less}");
        };
        let (calm, excited) = ((0.0, -0.8), (0.0, 0.8));
        check(|p| p.pitch, calm, excited);
        check(|p| p.range, calm, excited);
        check(|p| p.rate, calm, excited);
        check(|p| p.level_db, calm, excited);
        check(|p| p.tilt_db, calm, excited);
        check(|p| p.pause, excited, calm);
        check(|p| p.breath, excited, calm);
        let (bad, good) = ((-0.8, 0.3), (0.8, 0.3));
        check(|p| p.formants, bad, good);
        check(|p| p.slope, bad, good);
        check(|p| p.rough, good, bad);
    }
}
