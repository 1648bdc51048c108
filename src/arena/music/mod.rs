//! The BGM: a mood as musical means ([`character`]), a piece of them ([`compose`]), and its sound, from soundfonts
//! ([`midi`]) or from timbres of our own ([`synth`]).

mod character;
mod compose;
mod idiom;
mod midi;
mod score;
mod synth;

use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::draw::{gaussian, pick};
use super::sound::{Biquad, RATE, active_rms, gain, reverberate};
use super::story::Telling;
use crate::error::Result;
use crate::jobs::Monitor;
use crate::training::corpus::Split;
use idiom::Idiom;
pub(super) use midi::{Font, fluidsynth_is_installed};
pub(super) use score::Score;

/// What plays a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Player {
    /// fluidsynth with a soundfont.
    Font(Font),
    /// Timbres of our own, drawn from this bank; banks of different splits share no timbre.
    Own(Split),
}

impl Player {
    /// A player of `split` among the installed fonts.
    pub(super) fn draw(split: Split, fonts: &[Font], rng: &mut ChaCha8Rng) -> Self {
        /// Of all tracks that timbres of our own play.
        const OWN_SHARE: f64 = 0.35;
        let able: Vec<Font> = fonts.iter().copied().filter(|font| font.split == split).collect();
        if able.is_empty() || rng.random_bool(OWN_SHARE) {
            Self::Own(split)
        } else {
            Self::Font(*pick(rng, &able))
        }
    }

    /// Its name, for the item's card.
    pub(super) fn name(self) -> String {
        match self {
            Self::Font(font) => font.package.to_owned(),
            Self::Own(split) => format!("own timbres, {}", split.word()),
        }
    }
}

/// A piece that tells `telling`, `duration_s` long.
pub(super) fn compose(telling: &Telling, duration_s: f64, split: Split, rng: &mut ChaCha8Rng) -> Score {
    let idiom = Idiom::draw(telling.scene, split, rng);
    compose::compose(&idiom, telling, duration_s, rng)
}

/// The piece as sound: interleaved stereo, mastered.
///
/// # Errors
/// When fluidsynth fails; cancelled.
pub(super) fn perform(
    score: &Score,
    player: Player,
    telling: &Telling,
    rng: &mut ChaCha8Rng,
    monitor: &Monitor,
) -> Result<Vec<f32>> {
    monitor.check()?;
    let mut channels = match player {
        Player::Font(font) => midi::perform(score, font, monitor)?,
        Player::Own(split) => synth::perform(score, split, rng),
    };
    Master::draw(rng).apply(&mut channels, telling);
    let [left, right] = channels;
    Ok(left
        .into_iter()
        .zip(right)
        .flat_map(|(left, right)| [left, right])
        .collect())
}

/// How a track was mixed and mastered. All but `telling` is drawn independently of its mood.
struct Master {
    shelf_db: f32,
    wet: f32,
    size: f32,
    level_db: f32,
}

impl Master {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            shelf_db: 2.0 * gaussian(rng),
            wet: rng.random_range(0.05..0.35),
            size: rng.random_range(0.6..1.6),
            level_db: rng.random_range(-20.0..-14.0),
        }
    }

    fn apply(&self, channels: &mut [Vec<f32>; 2], telling: &Telling) {
        for (number, channel) in channels.iter_mut().enumerate() {
            reverberate(channel, self.size, self.wet, 23 * number);
            Biquad::high_shelf(2500.0, self.shelf_db).run(channel);
            ride(channel, telling);
        }
        let level = channels
            .iter()
            .map(|channel| active_rms(channel).powi(2))
            .sum::<f32>()
            / 2.0;
        let factor = gain(self.level_db) / level.sqrt().max(1e-6);
        for channel in channels {
            channel.iter_mut().for_each(|x| *x = (*x * factor).tanh());
        }
    }
}

/// The faders and the filter that a producer rides: louder and brighter with the mood, block by block.
fn ride(channel: &mut [f32], telling: &Telling) {
    const BLOCK: usize = 4410;
    let mut dull = Biquad::low_pass(2200.0);
    for (number, block) in channel.chunks_mut(BLOCK).enumerate() {
        let mood = telling.at((number * BLOCK) as f64 / f64::from(RATE));
        let level = gain(character::level_db(mood));
        let bright = gain(character::brightness_db(mood));
        for x in block {
            let low = dull.step(*x);
            *x = (low + (*x - low) * bright) * level;
        }
    }
}

/// Reads back what fluidsynth wrote.
fn decode_stereo(path: &Path, monitor: &Monitor) -> Result<[Vec<f32>; 2]> {
    let both = crate::media::decode_audio(path, crate::media::AudioFormat::MIX, 0.0, None, monitor)?;
    Ok([
        both.iter().step_by(2).copied().collect(),
        both.iter().skip(1).step_by(2).copied().collect(),
    ])
}

#[cfg(test)]
mod tests;
