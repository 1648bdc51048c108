//! Timbres of our own: for each program of a score an oscillator, an envelope and a filter by lot.
//!
//! Timbres depend on the split and on the program, so a corpus has a bank for each split and no timbre in two.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::draw::{gaussian, stream};
use super::super::sound::{Biquad, RATE, gain, noise, samples};
use super::score::{Note, Part, Score};
use crate::training::corpus::Split;

/// Points of a wave table.
const TABLE: usize = 1024;
/// Banks of a split that a track draws from.
const BANKS: u32 = 6;

/// A timbre.
struct Patch {
    /// Tables of falling brightness, for rising keys: nothing above half the sample rate sounds.
    tables: [Vec<f32>; 4],
    attack_s: f32,
    decay_s: f32,
    /// Level that a held note falls to, 0..=1.
    sustain: f32,
    release_s: f32,
    /// Two oscillators this much apart, as a factor.
    detune: f32,
    vibrato: f32,
}

/// Lowest keys of the tables.
const TABLE_KEYS: [u8; 4] = [0, 48, 66, 84];

impl Patch {
    fn draw(split: Split, bank: u32, program: u8) -> Self {
        let mut rng = stream(u64::from(bank), &format!("timbre {} {program}", split.word()));
        // General MIDI's families: plucked and struck ones die away, the others hold.
        let struck = matches!(program, 0..=15 | 24..=39 | 45..=47 | 104..=108 | 96..=99);
        let odd = rng.random_range(0.0..1.0f32);
        let slope = rng.random_range(0.7..1.9f32);
        let (peak, height) = (rng.random_range(2.0..9.0f32), rng.random_range(0.0..4.0f32));
        let amplitude = |partial: usize| {
            let number = partial as f32;
            let even = if partial.is_multiple_of(2) { 1.0 - odd } else { 1.0 };
            let formant = 1.0 + height * (-(number - peak).powi(2) / 4.0).exp();
            even * formant / number.powf(slope)
        };
        let phases: Vec<f32> = (0..64).map(|_| rng.random_range(0.0..1.0)).collect();
        Self {
            tables: TABLE_KEYS.map(|key| {
                let top = u32::from(key) + 22;
                let hz = 440.0 * 2f32.powf((top as f32 - 69.0) / 12.0);
                let partials = ((RATE as f32 / 2.2 / hz) as usize).clamp(1, 60);
                table(&amplitude, &phases, partials)
            }),
            attack_s: if struck {
                rng.random_range(0.002..0.01)
            } else {
                rng.random_range(0.01..0.12)
            },
            // What is struck rings through a slow bar, so that calm pieces do not fall silent.
            decay_s: if struck {
                rng.random_range(0.8..3.0)
            } else {
                rng.random_range(0.25..1.4)
            },
            sustain: if struck { 0.0 } else { rng.random_range(0.5..0.95) },
            release_s: rng.random_range(0.05..0.35),
            detune: 1.0 + 0.004 * rng.random_range(0.0..1.0f32),
            vibrato: if struck { 0.0 } else { rng.random_range(0.0..0.006) },
        }
    }
}

/// One period of a sum of sines, at most 1 high.
fn table(amplitude: &impl Fn(usize) -> f32, phases: &[f32], partials: usize) -> Vec<f32> {
    let mut wave = vec![0.0f32; TABLE];
    for partial in 1..=partials {
        let (level, phase) = (amplitude(partial), phases[partial - 1]);
        for (index, x) in wave.iter_mut().enumerate() {
            let turn = (partial * index % TABLE) as f32 / TABLE as f32 + phase;
            *x += level * (std::f32::consts::TAU * turn).sin();
        }
    }
    let most = wave.iter().fold(1e-6f32, |a, x| a.max(x.abs()));
    wave.iter_mut().for_each(|x| *x /= most);
    wave
}

/// Plays `score` with timbres of `split`: left and right, as long as the score.
pub(super) fn perform(score: &Score, split: Split, rng: &mut ChaCha8Rng) -> [Vec<f32>; 2] {
    let length = samples(score.duration_s);
    let mut channels = [vec![0.0; length], vec![0.0; length]];
    let bank = rng.random_range(0..BANKS);
    let kit = Kit::draw(split, bank);
    let mut line = Vec::new();
    for part in &score.parts {
        line.clear();
        line.resize(length, 0.0);
        if part.drums {
            kit.play(part, &mut line);
        } else {
            play(&Patch::draw(split, bank, part.program), part, &mut line);
        }
        let level = 0.2 * gain(part.level_db);
        let turn = part.pan * std::f32::consts::FRAC_PI_2;
        for (channel, factor) in channels.iter_mut().zip([turn.cos() * level, turn.sin() * level]) {
            for (x, y) in channel.iter_mut().zip(&line) {
                *x += factor * y;
            }
        }
    }
    channels
}

fn play(patch: &Patch, part: &Part, line: &mut [f32]) {
    for note in &part.notes {
        sound(patch, note, line);
    }
}

fn sound(patch: &Patch, note: &Note, line: &mut [f32]) {
    let rate = RATE as f32;
    let hz = 440.0 * 2f32.powf((f32::from(note.key) - 69.0) / 12.0);
    let table = &patch.tables[TABLE_KEYS.iter().rposition(|&key| key <= note.key).unwrap_or(0)];
    let loud = (f32::from(note.velocity) / 127.0).powi(2);
    // Harder touch, brighter tone.
    let mut dull = 0.0;
    let open = 1.0 - (-std::f32::consts::TAU * (600.0 + 9000.0 * loud + hz) / rate).exp();
    let attack = 1.0 / (patch.attack_s * (1.6 - loud) * rate);
    let decay = (-1.0 / (patch.decay_s * rate)).exp();
    let release = (-1.0 / (patch.release_s * 0.4 * rate)).exp();
    let held = (note.length_s * rate) as usize;
    let start = (note.start_s * rate) as usize;
    let (mut level, mut rising, mut phases) = (0.0f32, true, [0.0f32, 0.37]);
    for (index, x) in line.iter_mut().skip(start).enumerate() {
        if index >= held {
            level *= release;
            if level < 1e-3 {
                break;
            }
        } else if rising {
            level += attack;
            rising = level < 1.0;
        } else {
            level = patch.sustain + (level - patch.sustain) * decay;
        }
        let bend = 1.0 + patch.vibrato * (index as f32 * (5.3 * std::f32::consts::TAU / rate)).sin();
        let mut value = 0.0;
        for (phase, factor) in phases.iter_mut().zip([1.0, patch.detune]) {
            *phase = (*phase + hz * factor * bend / rate).fract();
            value += table[(*phase * TABLE as f32) as usize % TABLE];
        }
        dull += open * (value - dull);
        *x += loud * level * dull * 0.5;
    }
}

/// Drums: tones that fall and noises that die away.
struct Kit {
    hits: [(u8, Vec<f32>); 6],
}

impl Kit {
    fn draw(split: Split, bank: u32) -> Self {
        let mut rng = stream(u64::from(bank), &format!("kit {}", split.word()));
        let tone = |from_hz: f32, to_hz: f32, decay_s: f32, air: f32, rng: &mut ChaCha8Rng| {
            let mut phase = 0.0f32;
            let hiss = noise(samples(f64::from(decay_s) * 5.0), rng);
            hiss.into_iter()
                .enumerate()
                .map(|(index, hiss)| {
                    let time_s = index as f32 / RATE as f32;
                    phase += (to_hz + (from_hz - to_hz) * (-time_s * 30.0).exp()) / RATE as f32;
                    let body = (std::f32::consts::TAU * phase).sin() * (1.0 - air) + hiss * air;
                    body * (-time_s / decay_s).exp()
                })
                .collect::<Vec<f32>>()
        };
        let mut some = |around: f32| around * (0.25 * gaussian(&mut rng)).exp();
        let (kick, snare, hat) = (some(55.0), some(190.0), some(0.04));
        let (open, tom, crash) = (some(0.25), some(110.0), some(0.6));
        let mut hits = [
            (36, tone(kick * 4.0, kick, 0.12, 0.04, &mut rng)),
            (38, tone(snare * 1.4, snare, 0.09, 0.65, &mut rng)),
            (42, tone(9000.0, 8000.0, hat, 1.0, &mut rng)),
            (46, tone(9000.0, 8000.0, open, 1.0, &mut rng)),
            (45, tone(tom * 1.7, tom, 0.18, 0.08, &mut rng)),
            (49, tone(6000.0, 5000.0, crash, 1.0, &mut rng)),
        ];
        for (key, hit) in &mut hits {
            if matches!(key, 42 | 46 | 49) {
                Biquad::band_pass(8000.0, 0.6).run(hit);
            }
        }
        Self { hits }
    }

    fn play(&self, part: &Part, line: &mut [f32]) {
        for note in &part.notes {
            let hit = self.hits.iter().find(|(key, _)| *key == note.key);
            let level = (f32::from(note.velocity) / 127.0).powi(2) * 1.4;
            for (x, y) in line
                .iter_mut()
                .skip((note.start_s * RATE as f32) as usize)
                .zip(hit.map_or(&[][..], |(_, hit)| hit))
            {
                *x += level * y;
            }
        }
    }
}
