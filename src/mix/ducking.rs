//! How the music makes room for the voice.
//!
//! Two steps. *Activity*: where the voice speaks, from its level against its own loudness, with hysteresis; it is the
//! same for every preset. *Curve*: activity times the preset's depth, in dB.

use serde::{Deserialize, Serialize};

/// How strongly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuckingPreset {
    /// Not at all.
    Off,
    /// A little.
    Gentle,
    /// As most editors do.
    #[default]
    Normal,
    /// Speech first.
    Strong,
}

impl DuckingPreset {
    /// All presets, weakest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Gentle, Self::Normal, Self::Strong];

    /// Gain of the music while the voice speaks, dB.
    pub fn depth_db(self) -> f32 {
        match self {
            Self::Off => 0.0,
            Self::Gentle => -6.0,
            Self::Normal => -10.0,
            Self::Strong => -15.0,
        }
    }
}

/// Gain of the music over time, one value (dB, at most 0) per 10 ms of the clip.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DuckingCurve {
    /// Gains in dB.
    pub gain_db: Vec<f32>,
}

impl DuckingCurve {
    /// Seconds between two values.
    pub const STEP_S: f64 = 0.01;

    /// The curve that `preset` gives for a voice whose level is `voice_rms` (one linear RMS value per 10 ms): look-ahead
    /// attack (120 ms, done when the voice begins), hold (500 ms) and release (700 ms).
    pub fn new(voice_rms: &[f32], preset: DuckingPreset) -> Self {
        Self::of_activity(&voice_activity(voice_rms), preset)
    }

    /// The curve of an activity, see [`voice_activity`].
    pub(super) fn of_activity(activity: &[f32], preset: DuckingPreset) -> Self {
        let depth_db = preset.depth_db();
        Self {
            gain_db: activity.iter().map(|&activity| depth_db * activity).collect(),
        }
    }

    /// Linear gain at `time_s`, interpolated in dB; 1 outside the clip.
    pub fn gain_at(&self, time_s: f64) -> f32 {
        db_to_gain(interpolated(&self.gain_db, time_s / Self::STEP_S))
    }
}

/// Linear gain of `db`.
pub(super) fn db_to_gain(db: f32) -> f32 {
    if db == 0.0 { 1.0 } else { 10f32.powf(db / 20.0) }
}

/// Value of `curve` between two steps; 0 outside.
pub(super) fn interpolated(curve: &[f32], step: f64) -> f32 {
    if step < 0.0 || curve.is_empty() {
        return 0.0;
    }
    let before = step.floor() as usize;
    let left = curve.get(before).copied().unwrap_or(0.0);
    let right = curve.get(before + 1).copied().unwrap_or(left);
    left + (right - left) * (step - step.floor()) as f32
}

/// Level is averaged over this many steps (50 ms), about a vowel.
const AVERAGE_STEPS: usize = 5;
/// A voice quieter than this (dBFS, RMS while it speaks) is the separator's rest, not a voice.
const FAINTEST_VOICE_DB: f32 = -52.0;
/// What counts as sound at all when the voice's loudness is measured, dBFS.
const ABSOLUTE_GATE_DB: f32 = -70.0;
/// The voice's loudness is the mean above this much below the first mean, as in EBU R128.
const RELATIVE_GATE_DB: f32 = -10.0;
/// The threshold stays within this much below the voice's loudness.
const LOWEST_THRESHOLD_DB: f32 = -20.0;
const HIGHEST_THRESHOLD_DB: f32 = -10.0;
/// Speech ends this much below where it begins.
const HYSTERESIS_DB: f32 = 5.0;
/// Shorter bursts are clicks, not speech.
const SHORTEST_BURST_STEPS: usize = 6;
/// Shorter gaps are pauses within speech; the music stays down through them.
const LONGEST_PAUSE_STEPS: usize = 100;
const ATTACK_STEPS: usize = 12;
const HOLD_STEPS: usize = 50;
const RELEASE_STEPS: usize = 70;

/// How far the music is to be down, 0..=1 per 10 ms, for the voice levels `voice_rms` (linear).
///
/// The threshold lies half-way (in dB) between the voice's own loudness and the floor under it, 10 to 20 dB below the
/// loudness: traces of music in the stem stay under it, quiet words over it. With hysteresis, a shortest burst and a
/// longest pause, a stem that hovers about the threshold does not pump.
pub(super) fn voice_activity(voice_rms: &[f32]) -> Vec<f32> {
    let level_db = averaged_db(voice_rms);
    let Some(threshold_db) = threshold_db(&level_db) else {
        return vec![0.0; voice_rms.len()];
    };
    let mut speaks = with_hysteresis(&level_db, threshold_db, threshold_db - HYSTERESIS_DB);
    // Bursts before pauses: else two clicks would join to a word.
    flip_short_runs(&mut speaks, true, SHORTEST_BURST_STEPS);
    flip_short_runs(&mut speaks, false, LONGEST_PAUSE_STEPS);
    shaped(&speaks)
}

/// Mean power about each step, in dB.
fn averaged_db(rms: &[f32]) -> Vec<f32> {
    let half = AVERAGE_STEPS / 2;
    (0..rms.len())
        .map(|at| {
            let window = &rms[at.saturating_sub(half)..(at + half + 1).min(rms.len())];
            let power = window.iter().map(|&rms| rms * rms).sum::<f32>() / window.len() as f32;
            power_to_db(power)
        })
        .collect()
}

/// -200 for silence and for what is not a number.
fn power_to_db(power: f32) -> f32 {
    if power > 1e-20 {
        10.0 * power.log10()
    } else {
        -200.0
    }
}

/// Where speech begins, dBFS; `None` where there is no voice.
fn threshold_db(level_db: &[f32]) -> Option<f32> {
    let first = mean_above(level_db, ABSOLUTE_GATE_DB)?;
    let loudness_db = mean_above(level_db, first + RELATIVE_GATE_DB)?;
    if loudness_db < FAINTEST_VOICE_DB {
        return None;
    }
    let mut sounding: Vec<f32> = level_db
        .iter()
        .copied()
        .filter(|&db| db > ABSOLUTE_GATE_DB)
        .collect();
    let tenth = sounding.len() / 10;
    let (_, floor_db, _) = sounding.select_nth_unstable_by(tenth, f32::total_cmp);
    let half_way = loudness_db + (*floor_db - loudness_db) / 2.0;
    Some(half_way.clamp(
        loudness_db + LOWEST_THRESHOLD_DB,
        loudness_db + HIGHEST_THRESHOLD_DB,
    ))
}

/// Mean power of the levels above `gate_db`, in dB.
fn mean_above(level_db: &[f32], gate_db: f32) -> Option<f32> {
    let (mut sum, mut count) = (0.0f64, 0u32);
    for &db in level_db.iter().filter(|&&db| db > gate_db) {
        sum += 10f64.powf(f64::from(db) / 10.0);
        count += 1;
    }
    (count > 0).then(|| (10.0 * (sum / f64::from(count)).log10()) as f32)
}

fn with_hysteresis(level_db: &[f32], on_db: f32, off_db: f32) -> Vec<bool> {
    let mut speaks = false;
    level_db
        .iter()
        .map(|&db| {
            speaks = db > if speaks { off_db } else { on_db };
            speaks
        })
        .collect()
}

/// Turns runs of `value` shorter than `shortest` into their surroundings. Silence before the first and after the last
/// word is no pause and stays.
fn flip_short_runs(steps: &mut [bool], value: bool, shortest: usize) {
    let length = steps.len();
    let mut start = 0;
    while start < length {
        let end = steps[start..]
            .iter()
            .position(|&step| step != steps[start])
            .map_or(length, |run| start + run);
        let inner = start > 0 && end < length;
        if steps[start] == value && end - start < shortest && (value || inner) {
            steps[start..end].fill(!value);
        }
        start = end;
    }
}

/// Attack before, hold and release after each stretch of speech, with rounded corners.
fn shaped(speaks: &[bool]) -> Vec<f32> {
    let mut depth = Vec::with_capacity(speaks.len());
    let (mut value, mut held) = (0.0f32, 0usize);
    for &speaks in speaks {
        if speaks {
            (value, held) = (1.0, HOLD_STEPS);
        } else if held > 0 {
            held -= 1;
        } else {
            value = (value - 1.0 / RELEASE_STEPS as f32).max(0.0);
        }
        depth.push(value);
    }
    let mut value = 0.0f32;
    for depth in depth.iter_mut().rev() {
        value = (value - 1.0 / ATTACK_STEPS as f32).max(*depth);
        *depth = value * value * (3.0 - 2.0 * value);
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms(db: f32) -> f32 {
        db_to_gain(db)
    }

    /// Level at each step, syllables of speech in between stretches of `floor_db`.
    fn speech(floor_db: f32, voice_db: f32, words: &[(usize, usize)], steps: usize) -> Vec<f32> {
        (0..steps)
            .map(|at| {
                let word = words.iter().any(|&(from, to)| (from..to).contains(&at));
                // 4 syllables a second, 12 dB between vowel and consonant.
                let syllable = 6.0 * (at as f32 / 25.0 * std::f32::consts::TAU).sin() - 3.0;
                rms(if word { voice_db + syllable } else { floor_db })
            })
            .collect()
    }

    #[test]
    fn the_music_is_down_before_the_voice_begins_and_comes_back_after_it() {
        let curve = DuckingCurve::new(&speech(-90.0, -20.0, &[(300, 600)], 1000), DuckingPreset::Normal);
        assert_eq!(curve.gain_db[280], 0.0, "untouched before");
        assert!(curve.gain_db[299] < -9.0, "down when the first word begins");
        assert!(curve.gain_db[300..600].iter().all(|&db| (db + 10.0).abs() < 1e-4));
        assert!((curve.gain_db[640] + 10.0).abs() < 1e-4, "held");
        assert!(curve.gain_db[760..].iter().all(|&db| db == 0.0), "back at last");
        let steepest = curve
            .gain_db
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f32::max);
        assert!(steepest < 1.5, "no step: {steepest} dB in 10 ms");
        assert!((curve.gain_at(4.0) - rms(-10.0)).abs() < 1e-4);
        assert_eq!(curve.gain_at(-1.0), 1.0);
        assert_eq!(curve.gain_at(99.0), 1.0);
    }

    #[test]
    fn presets_go_deeper_in_order() {
        let voice = speech(-90.0, -20.0, &[(100, 400)], 500);
        let depths: Vec<f32> = DuckingPreset::ALL
            .iter()
            .map(|&preset| DuckingCurve::new(&voice, preset).gain_db[200])
            .collect();
        assert_eq!(depths, [0.0, -6.0, -10.0, -15.0]);
    }

    /// How often the music starts to go down.
    fn dips(curve: &DuckingCurve) -> usize {
        let mut rising = true;
        let mut count = 0;
        for pair in curve.gain_db.windows(2) {
            if pair[1] < pair[0] && rising {
                count += 1;
                rising = false;
            } else if pair[1] > pair[0] {
                rising = true;
            }
        }
        count
    }

    #[test]
    fn a_stem_with_traces_of_music_does_not_pump() {
        // Traces 22 dB under the voice that throb by 8 dB at every beat.
        let words = [(200, 500), (800, 1100)];
        let voice: Vec<f32> = speech(-90.0, -22.0, &words, 1400)
            .iter()
            .enumerate()
            .map(|(at, &voice)| {
                let beat = 8.0 * ((at % 50) as f32 / 50.0);
                (voice * voice + rms(-40.0 - beat).powi(2)).sqrt()
            })
            .collect();
        let curve = DuckingCurve::new(&voice, DuckingPreset::Normal);
        assert_eq!(dips(&curve), 2, "one dip for each stretch of speech");
        assert_eq!(curve.gain_db[100], 0.0);
        assert_eq!(curve.gain_db[670], 0.0);
    }

    #[test]
    fn a_quiet_voice_ducks_as_a_loud_one() {
        let words = [(100, 300), (500, 700)];
        let loud = DuckingCurve::new(&speech(-90.0, -15.0, &words, 900), DuckingPreset::Strong);
        let quiet = DuckingCurve::new(&speech(-110.0, -38.0, &words, 900), DuckingPreset::Strong);
        assert_eq!(loud, quiet);
    }

    #[test]
    fn nothing_to_hear_ducks_nothing() {
        for level in [0.0, f32::NAN, rms(-60.0)] {
            let curve = DuckingCurve::new(&vec![level; 500], DuckingPreset::Strong);
            assert!(curve.gain_db.iter().all(|&db| db == 0.0), "{level}");
        }
        assert!(DuckingCurve::new(&[], DuckingPreset::Strong).gain_db.is_empty());
    }

    #[test]
    fn clicks_are_not_words_and_pauses_are_not_gaps() {
        let mut voice = speech(-90.0, -20.0, &[(300, 500), (560, 700)], 1500);
        voice[1200] = rms(-10.0);
        let curve = DuckingCurve::new(&voice, DuckingPreset::Normal);
        assert_eq!(dips(&curve), 1);
        assert_eq!(curve.gain_db[1200], 0.0);
    }
}
