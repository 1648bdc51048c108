//! The game's own sounds: blows, steps, coins and whooshes by chance, as quiet as an editor leaves them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::draw::wait_s;
use super::sound::{Biquad, RATE, add_at, noise, rms, samples, scale};
use super::story::{Scene, Telling};

/// Sounds a second at the origin, and ln of them per arousal.
const PER_S: f32 = 0.9;
const PER_AROUSAL: f32 = 0.9;

/// A kind of sound.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Blow,
    Step,
    Coin,
    Whoosh,
    Blip,
}

fn kinds(scene: Scene) -> &'static [Kind] {
    match scene {
        Scene::Battle => &[Kind::Blow, Kind::Blow, Kind::Whoosh],
        Scene::Chase => &[Kind::Step, Kind::Whoosh],
        Scene::Journey => &[Kind::Step],
        Scene::Riddle => &[Kind::Blip, Kind::Step, Kind::Coin],
        Scene::Ceremony => &[Kind::Coin, Kind::Whoosh],
        Scene::Market => &[Kind::Step, Kind::Coin],
        Scene::Cavern => &[Kind::Step, Kind::Blow],
        Scene::Arcade => &[Kind::Blip, Kind::Blip, Kind::Blow],
    }
}

/// The sounds of `duration_s`: mono, RMS 0.1 where there are any.
pub(super) fn sounds(telling: &Telling, duration_s: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut out = vec![0.0; samples(duration_s)];
    let mut at_s = 0.0;
    while at_s < duration_s {
        let mood = telling.at(at_s);
        at_s += f64::from(wait_s(rng, PER_S * (PER_AROUSAL * mood.arousal).exp()));
        let kind = *super::draw::pick(rng, kinds(telling.scene));
        let level = rng.random_range(0.3..1.0);
        add_at(&mut out, samples(at_s), &one(kind, rng), level);
    }
    let level = rms(&out);
    if level > 0.0 {
        scale(&mut out, 0.1 / level);
    }
    out
}

fn one(kind: Kind, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let tone = |hz: f32, fall: f32, decay_s: f32| -> Vec<f32> {
        let mut phase = 0.0f32;
        (0..samples(f64::from(decay_s) * 5.0))
            .map(|index| {
                let time_s = index as f32 / RATE as f32;
                phase += hz * (-fall * time_s).exp() / RATE as f32;
                (std::f32::consts::TAU * phase).sin() * (-time_s / decay_s).exp()
            })
            .collect()
    };
    let air = |hz: f32, decay_s: f32, rng: &mut ChaCha8Rng| -> Vec<f32> {
        let mut sound = noise(samples(f64::from(decay_s) * 5.0), rng);
        Biquad::band_pass(hz, 0.8).run(&mut sound);
        for (index, x) in sound.iter_mut().enumerate() {
            let time_s = index as f32 / RATE as f32;
            *x *= (-time_s / decay_s).exp() * (time_s * 60.0).min(1.0);
        }
        sound
    };
    let pitch = rng.random_range(0.8..1.25f32);
    match kind {
        Kind::Blow => {
            let mut sound = tone(120.0 * pitch, 9.0, 0.09);
            add_at(&mut sound, 0, &air(1800.0 * pitch, 0.04, rng), 1.2);
            sound
        }
        Kind::Step => air(500.0 * pitch, 0.025, rng),
        Kind::Coin => {
            let mut sound = tone(1300.0 * pitch, 0.0, 0.12);
            add_at(&mut sound, samples(0.07), &tone(1750.0 * pitch, 0.0, 0.1), 1.0);
            sound
        }
        Kind::Whoosh => air(1200.0 * pitch, 0.18, rng),
        Kind::Blip => tone(700.0 * pitch, -4.0, 0.06),
    }
}
