//! The video's sound, as editors mix it: the voice in front, the track ducked under it, the game's sounds under both.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::sound::{RATE, active_rms, gain, rms};
use crate::mix::{DuckingCurve, DuckingPreset};

/// The bed lies this much below the voice while it speaks, dB.
const BED_DB: std::ops::Range<f32> = -24.0..-12.0;
/// The game's sounds against the voice, dB.
const SOUNDS_DB: std::ops::Range<f32> = -34.0..-20.0;
/// RMS of the whole, dBFS.
const LEVEL_DB: std::ops::Range<f32> = -24.0..-17.0;

/// What an editor chose, independently of the story.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Desk {
    /// Level of the track under the voice, dB against it.
    pub(super) bed_db: f32,
    /// How the track makes room; it rises by the preset's depth where nobody speaks.
    pub(super) ducking: DuckingPreset,
    /// Level of the game's sounds, dB against the voice.
    pub(super) sounds_db: f32,
    /// Level of the whole, dBFS.
    pub(super) level_db: f32,
}

impl Desk {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            bed_db: rng.random_range(BED_DB),
            ducking: *super::draw::pick(
                rng,
                &[DuckingPreset::Off, DuckingPreset::Gentle, DuckingPreset::Normal],
            ),
            sounds_db: rng.random_range(SOUNDS_DB),
            level_db: rng.random_range(LEVEL_DB),
        }
    }

    /// Interleaved stereo, as long as `voice` (mono). `track` is interleaved stereo from the in point on, `sounds` mono.
    pub(super) fn mix(&self, voice: &[f32], track: &[f32], sounds: &[f32]) -> Vec<f32> {
        let step = (DuckingCurve::STEP_S * f64::from(RATE)) as usize;
        let levels: Vec<f32> = voice.chunks(step).map(rms).collect();
        let curve = DuckingCurve::new(&levels, self.ducking);
        let spoken = active_rms(voice).max(1e-6);
        // The track's gain in the pauses; under the voice the curve takes its depth away again.
        let bed = spoken * gain(self.bed_db - self.ducking.depth_db()) / active_rms(track).max(1e-6);
        let game = spoken * gain(self.sounds_db) / rms(sounds).max(1e-6);
        let mut out: Vec<f32> = Vec::with_capacity(2 * voice.len());
        for (index, &voice) in voice.iter().enumerate() {
            let ducked = bed * curve.gain_at(index as f64 / f64::from(RATE));
            let game = game * sounds.get(index).copied().unwrap_or(0.0);
            for channel in 0..2 {
                out.push(voice + ducked * track.get(2 * index + channel).copied().unwrap_or(0.0) + game);
            }
        }
        let factor = gain(self.level_db) / rms(&out).max(1e-6);
        out.iter_mut().for_each(|x| *x = (*x * factor).tanh());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::draw::stream;

    /// Speech-like bursts: a second on, two seconds off.
    fn voice() -> Vec<f32> {
        (0..9 * RATE)
            .map(|i| {
                if (i / RATE).is_multiple_of(3) {
                    0.3 * (i as f32 * 0.05).sin()
                } else {
                    0.0
                }
            })
            .collect()
    }

    #[test]
    fn the_bed_lies_where_the_desk_put_it() {
        let (voice, silence) = (voice(), vec![0.0; 9 * RATE as usize]);
        let track: Vec<f32> = (0..18 * RATE)
            .map(|i| 0.2 * ((i / 2) as f32 * 0.31).sin())
            .collect();
        for ducking in [DuckingPreset::Off, DuckingPreset::Normal] {
            let desk = Desk {
                bed_db: -18.0,
                ducking,
                sounds_db: -90.0,
                level_db: -40.0,
            };
            let both = desk.mix(&voice, &track, &silence);
            let second = |from: f64| {
                let at = 2 * (from * f64::from(RATE)) as usize;
                rms(&both[at..at + RATE as usize / 2])
            };
            let pause_db = 20.0 * (second(5.2) / second(3.3)).log10();
            let expected = -18.0 - ducking.depth_db();
            assert!(
                (pause_db - expected).abs() < 1.5,
                "{ducking:?}: {pause_db} for {expected}"
            );
        }
    }

    #[test]
    fn beds_are_drawn_as_editors_lay_them() {
        let mut rng = stream(0, "desk");
        for _ in 0..50 {
            assert!(BED_DB.contains(&Desk::draw(&mut rng).bed_db));
        }
    }
}
