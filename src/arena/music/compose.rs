//! A piece, bar by bar: the idiom's material in the character that the mood asks for.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::draw::gaussian;
use super::super::story::Telling;
use super::character::{Character, SCALES};
use super::idiom::Idiom;
use super::score::{Note, Part, Score};

/// Keys of General MIDI's drum kit.
const KICK: u8 = 36;
const SNARE: u8 = 38;
const HAT: u8 = 42;
const OPEN_HAT: u8 = 46;
const CRASH: u8 = 49;
const TOM: u8 = 45;
/// Bars of a section; harmony and motif return after two of them.
const SECTION_BARS: usize = 4;
/// Mean error of a player, seconds and velocity.
const TIMING_S: f32 = 0.006;
const TOUCH: f32 = 4.0;

/// Parts of a score, by place.
#[derive(Clone, Copy)]
enum Role {
    LeadSoft,
    LeadHard,
    Counter,
    PadSoft,
    PadHard,
    Figure,
    Bass,
    Drums,
}

/// Composes for `duration_s`.
pub(super) fn compose(idiom: &Idiom, telling: &Telling, duration_s: f64, rng: &mut ChaCha8Rng) -> Score {
    let mut writer = Writer::new(idiom, rng);
    let (mut at_s, mut bar) = (0.0f64, 0);
    while at_s < duration_s {
        // A bar answers the mood that its middle is in.
        let mut character = Character::of(telling.at(at_s + 1.2));
        character.tempo_bpm = (character.tempo_bpm * idiom.tempo).clamp(48.0, 190.0);
        character.density = (character.density + idiom.density).clamp(0.0, 1.0);
        let sixteenth_s = 15.0 / character.tempo_bpm;
        writer.bar(Bar {
            number: bar,
            at_s: at_s as f32,
            sixteenth_s,
            character,
        });
        at_s += f64::from(sixteenth_s) * 4.0 * idiom.metre as f64;
        bar += 1;
    }
    Score {
        parts: writer
            .parts
            .into_iter()
            .filter(|part| !part.notes.is_empty())
            .collect(),
        duration_s,
    }
}

#[derive(Clone, Copy)]
struct Bar {
    number: usize,
    at_s: f32,
    sixteenth_s: f32,
    character: Character,
}

struct Writer<'a> {
    idiom: &'a Idiom,
    rng: &'a mut ChaCha8Rng,
    parts: Vec<Part>,
    /// Where the melody stands: steps of the scale above the tonic.
    place: i32,
}

impl<'a> Writer<'a> {
    fn new(idiom: &'a Idiom, rng: &'a mut ChaCha8Rng) -> Self {
        let part = |program: u8, mix: usize| Part {
            program,
            drums: false,
            pan: idiom.mix[mix].0,
            level_db: idiom.mix[mix].1,
            notes: Vec::new(),
        };
        let parts = vec![
            part(idiom.lead.soft, 0),
            part(idiom.lead.hard, 0),
            part(idiom.lead.soft, 1),
            part(idiom.pad.soft, 2),
            part(idiom.pad.hard, 2),
            part(idiom.figures, 3),
            part(idiom.low, 4),
            Part {
                drums: true,
                ..part(0, 5)
            },
        ];
        Self {
            idiom,
            rng,
            parts,
            place: 0,
        }
    }

    fn bar(&mut self, bar: Bar) {
        let section = bar.number / SECTION_BARS % 2;
        let root = i32::from(self.idiom.rows[section][bar.number % SECTION_BARS]);
        let ensemble = bar.character.ensemble;
        let [lead, figure, bass, counter] = self.idiom.entries;
        self.chords(bar, root);
        if ensemble > lead {
            self.melody(bar, root, section);
        }
        if ensemble > figure {
            self.figure(bar, root);
        }
        if ensemble > bass {
            self.bass(bar, root);
        }
        if ensemble > counter {
            self.counter(bar, root);
        }
        if bar.character.drums > 0.12 {
            self.drums(bar);
        }
    }

    /// MIDI key of a step of the bar's scale.
    fn key(&self, bar: &Bar, step: i32) -> i32 {
        self.idiom.tonic + 12 * step.div_euclid(7) + SCALES[bar.character.scale][step.rem_euclid(7) as usize]
    }

    /// Writes a note that begins at sixteenth `at` of the bar and lasts `length` of them.
    fn note(&mut self, role: Role, bar: &Bar, at: f32, length: f32, key: i32, accent: f32) {
        let swung = if (at / 2.0).fract() > 0.4 {
            self.idiom.swing * 0.5
        } else {
            0.0
        };
        let unrest = bar.character.unrest * 0.25 * gaussian(self.rng);
        let start = (at + swung + unrest).max(0.0) * bar.sixteenth_s;
        let velocity = bar.character.velocity * accent + TOUCH * gaussian(self.rng);
        // A key beyond an instrument's reach is taken in the octave next to it.
        let mut key = key;
        while key > 100 {
            key -= 12;
        }
        while key < 26 {
            key += 12;
        }
        self.parts[role as usize].notes.push(Note {
            start_s: (bar.at_s + start + TIMING_S * gaussian(self.rng)).max(0.0),
            length_s: (length * bar.sixteenth_s).max(0.05),
            key: key as u8,
            velocity: velocity.clamp(12.0, 126.0) as u8,
        });
    }

    /// Octaves that the register moves by, with chance for the part between them.
    fn register(&mut self, bar: &Bar) -> i32 {
        let octaves = bar.character.register / 12.0;
        (octaves + self.rng.random_range(0.0..1.0f32)).floor() as i32
    }

    fn chords(&mut self, bar: Bar, root: i32) {
        let c = bar.character;
        let role = if c.hard { Role::PadHard } else { Role::PadSoft };
        let octave = 1 + self.register(&bar).clamp(-1, 1);
        let mut tones: Vec<i32> = [0, 2, 4]
            .map(|third| self.key(&bar, root + third + 7 * octave))
            .to_vec();
        if self.rng.random_range(0.0..1.0f32) < c.dissonance {
            // A neighbour against the root or the fifth, or the tritone.
            let clash = *super::super::draw::pick(self.rng, &[1, 6, 8, 11]);
            tones.push(tones[0] + clash);
        }
        let steps = 4 * self.idiom.metre;
        let pattern: Vec<(usize, f32)> = match (self.idiom.chords, c.density) {
            (0, _) | (_, ..0.3) => vec![(0, steps as f32)],
            (1, _) => (0..self.idiom.metre).map(|beat| (4 * beat, 4.0)).collect(),
            (2, _) => (0..self.idiom.metre).map(|beat| (4 * beat + 2, 2.0)).collect(),
            _ => vec![(0, 6.0), (6, (steps - 6) as f32)],
        };
        for (at, length) in pattern {
            let bound = if length > 8.0 { 1.0 } else { c.legato };
            for &tone in &tones {
                self.note(role, &bar, at as f32, length * bound, tone, 0.8);
            }
        }
    }

    fn melody(&mut self, bar: Bar, root: i32, section: usize) {
        let c = bar.character;
        let role = if c.hard { Role::LeadHard } else { Role::LeadSoft };
        let steps = 4 * self.idiom.metre;
        let last = bar.number % SECTION_BARS == SECTION_BARS - 1;
        let count = if last {
            2
        } else {
            1 + (c.density * c.density * 9.0 + 1.5 * c.density) as usize
        };
        let rhythm = &self.idiom.rhythms[usize::from(bar.number % 2 == 1)];
        let mut onsets: Vec<usize> = rhythm.iter().copied().take(count).collect();
        onsets.sort_unstable();
        let shape = self.idiom.shapes[section].clone();
        let octave = self.idiom.octave + self.register(&bar);
        for (index, &at) in onsets.iter().enumerate() {
            let until = onsets.get(index + 1).copied().unwrap_or(steps);
            let mut step = shape[(index + bar.number % 2 * 3) % shape.len()];
            if self.place.abs() > 6 {
                step = -self.place.signum() * step.abs().max(1);
            }
            self.place += step;
            if at % 4 == 0 && (until - at) >= 2 {
                // Long notes on the beat belong to the chord.
                let nearest = (-2..=2)
                    .map(|away| self.place + away)
                    .filter(|place| [0, 2, 4].contains(&(place - root).rem_euclid(7)))
                    .min_by_key(|place| (place - self.place).abs());
                self.place = nearest.unwrap_or(self.place);
            }
            let key = self.key(&bar, self.place + 7 * octave);
            let length = (until - at) as f32 * c.legato;
            self.note(
                role,
                &bar,
                at as f32,
                length,
                key,
                if at == 0 { 1.12 } else { 1.0 },
            );
        }
    }

    fn counter(&mut self, bar: Bar, root: i32) {
        let half = 2 * self.idiom.metre;
        let octave = 1 + self.register(&bar);
        for (turn, third) in [(0, 2), (1, 4)] {
            let key = self.key(&bar, root + third + 7 * octave);
            let legato = bar.character.legato.max(0.6);
            self.note(
                Role::Counter,
                &bar,
                (turn * half) as f32,
                half as f32 * legato,
                key,
                0.8,
            );
        }
    }

    fn figure(&mut self, bar: Bar, root: i32) {
        let c = bar.character;
        let every = if c.density > 0.72 {
            1
        } else if c.density > 0.4 {
            2
        } else {
            4
        };
        let octave = 2 + self.register(&bar).clamp(-1, 1);
        for (turn, at) in (0..4 * self.idiom.metre).step_by(every).enumerate() {
            let tone = self.idiom.figure[turn % self.idiom.figure.len()] as i32;
            let key = self.key(&bar, root + 2 * tone + 7 * (octave - 1));
            self.note(Role::Figure, &bar, at as f32, every as f32 * c.legato, key, 0.75);
        }
    }

    fn bass(&mut self, bar: Bar, root: i32) {
        let c = bar.character;
        let steps = 4 * self.idiom.metre;
        let low = self.key(&bar, root) - 12;
        let low = if low > 47 { low - 12 } else { low };
        let every = if c.density > 0.75 {
            2
        } else if c.density > 0.35 {
            4
        } else {
            steps
        };
        for (turn, at) in (0..steps).step_by(every).enumerate() {
            let key = match self.idiom.bass {
                _ if every == steps => low,
                0 | 1 => low,
                2 => low + if turn % 2 == 1 { 12 } else { 0 },
                _ => low + [0, 7, 12, 7][turn % 4],
            };
            self.note(
                Role::Bass,
                &bar,
                at as f32,
                every as f32 * c.legato.max(0.5),
                key,
                1.0,
            );
        }
    }

    fn drums(&mut self, bar: Bar) {
        let c = bar.character;
        let loud = 0.55 + 0.5 * c.drums;
        let steps = 4 * self.idiom.metre;
        let count = |most: f32| (1.0 + c.drums * most) as usize;
        let hit = |writer: &mut Self, drum: u8, at: usize, accent: f32| {
            writer.note(Role::Drums, &bar, at as f32, 1.0, i32::from(drum), accent * loud);
        };
        for place in 0..count(3.5) {
            hit(self, KICK, self.idiom.beats[0][place], 1.1);
        }
        let snares = if c.drums > 0.35 {
            count(2.5).min(self.idiom.beats[1].len())
        } else {
            0
        };
        for place in 0..snares {
            hit(self, SNARE, self.idiom.beats[1][place], 1.0);
        }
        let every = if c.drums > 0.8 {
            1
        } else if c.drums > 0.45 {
            2
        } else {
            4
        };
        for at in (0..steps).step_by(every) {
            hit(self, HAT, at, if at % 4 == 0 { 0.8 } else { 0.6 });
        }
        if c.drums > 0.6 {
            hit(self, OPEN_HAT, self.idiom.beats[2][1], 0.7);
        }
        if bar.number.is_multiple_of(SECTION_BARS) && c.drums > 0.5 {
            hit(self, CRASH, 0, 0.9);
        }
        if bar.number % SECTION_BARS == SECTION_BARS - 1 && c.drums > 0.3 {
            for at in steps - 3..steps {
                hit(self, TOM, at, 0.9);
            }
        }
    }
}
