//! All of a piece that its mood leaves free: key, metre, motifs, harmony, instruments, mix.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::draw::{gaussian, pick};
use super::super::story::Scene;
use crate::training::corpus::Split;

/// Two manners of one role: a program for calm and one for excitement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Manners {
    pub(super) soft: u8,
    pub(super) hard: u8,
}

/// Who may play what in a style; General MIDI programs, from 0.
struct Palette {
    leads_soft: &'static [u8],
    leads_hard: &'static [u8],
    pads_soft: &'static [u8],
    pads_hard: &'static [u8],
    figures: &'static [u8],
    basses: &'static [u8],
}

/// Orchestra, chase band, folk, keys, brass, village, dark, electronic: one for each scene, by its place.
const PALETTES: [Palette; 8] = [
    Palette {
        leads_soft: &[60, 42, 68, 70],
        leads_hard: &[56, 61, 57, 30],
        pads_soft: &[48, 50, 52],
        pads_hard: &[44, 48, 61],
        figures: &[45, 48, 47],
        basses: &[43, 32, 38],
    },
    Palette {
        leads_soft: &[65, 26, 4],
        leads_hard: &[29, 30, 81, 66],
        pads_soft: &[4, 5, 89],
        pads_hard: &[27, 28, 62, 90],
        figures: &[28, 27, 45],
        basses: &[33, 34, 36],
    },
    Palette {
        leads_soft: &[73, 68, 71, 75],
        leads_hard: &[40, 60, 110, 72],
        pads_soft: &[48, 49, 46, 24],
        pads_hard: &[48, 25, 21],
        figures: &[46, 24, 25],
        basses: &[32, 43, 42],
    },
    Palette {
        leads_soft: &[0, 10, 11, 8],
        leads_hard: &[1, 6, 12, 13],
        pads_soft: &[91, 88, 5, 49],
        pads_hard: &[7, 16, 45],
        figures: &[11, 12, 108, 9],
        basses: &[32, 35, 39],
    },
    Palette {
        leads_soft: &[60, 69, 71],
        leads_hard: &[56, 59, 61, 14],
        pads_soft: &[48, 52, 19],
        pads_hard: &[61, 19, 62],
        figures: &[47, 46, 14],
        basses: &[58, 43, 57],
    },
    Palette {
        leads_soft: &[22, 71, 24, 74],
        leads_hard: &[21, 105, 110, 109],
        pads_soft: &[24, 21, 20],
        pads_hard: &[25, 21, 15],
        figures: &[25, 15, 107, 104],
        basses: &[32, 33, 24],
    },
    Palette {
        leads_soft: &[77, 70, 79, 52],
        leads_hard: &[69, 43, 58, 85],
        pads_soft: &[89, 95, 92, 97],
        pads_hard: &[50, 44, 93, 19],
        figures: &[46, 11, 98, 99],
        basses: &[43, 38, 32],
    },
    Palette {
        leads_soft: &[80, 82, 4, 88],
        leads_hard: &[80, 81, 87, 84],
        pads_soft: &[88, 90, 94],
        pads_hard: &[63, 90, 81],
        figures: &[80, 81, 98, 96],
        basses: &[38, 39, 87],
    },
];

/// Roots of four bars as degrees of the scale, from 0. A split has its own, so that no piece of another split goes on
/// the same harmony.
const TRAIN_ROWS: &[[u8; 4]] = &[
    [0, 4, 5, 3],
    [0, 5, 3, 4],
    [5, 3, 0, 4],
    [0, 3, 4, 3],
    [0, 6, 5, 6],
    [0, 3, 6, 2],
    [1, 4, 0, 5],
    [0, 0, 3, 4],
    [0, 1, 0, 6],
    [3, 4, 2, 5],
    [0, 2, 5, 3],
    [0, 4, 3, 3],
    [0, 5, 1, 4],
    [5, 4, 3, 4],
];
const VAL_ROWS: &[[u8; 4]] = &[[0, 2, 3, 4], [0, 6, 3, 0], [5, 1, 4, 0], [0, 3, 1, 4]];
const TEST_ROWS: &[[u8; 4]] = &[
    [0, 5, 2, 6],
    [0, 4, 1, 3],
    [5, 2, 3, 0],
    [0, 3, 0, 4],
    [0, 6, 4, 3],
    [3, 0, 4, 5],
    [0, 1, 3, 0],
    [2, 5, 1, 4],
];

/// Rhythm of a bar: onsets in sixteenths.
pub(super) type Rhythm = Vec<usize>;

/// A piece before its mood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Idiom {
    /// MIDI key of the tonic, in the octave below middle C.
    pub(super) tonic: i32,
    /// Beats of a bar.
    pub(super) metre: usize,
    /// Factor of the tempo.
    pub(super) tempo: f32,
    /// Added to densities.
    pub(super) density: f32,
    /// Harmony of two sections.
    pub(super) rows: [[u8; 4]; 2],
    /// Sixteenths of the motif's bars, from the strongest on: a bar takes as many as its density allows.
    pub(super) rhythms: [Rhythm; 2],
    /// Steps of the motif on the scale.
    pub(super) shapes: [Vec<i32>; 2],
    /// Sixteenths of the drums, from the strongest on.
    pub(super) beats: [Rhythm; 3],
    /// Order of an arpeggio's tones.
    pub(super) figure: Vec<usize>,
    /// How the bass moves: 0 holds, 1 pulses, 2 leaps, 3 walks.
    pub(super) bass: usize,
    /// How the chords move: 0 hold, 1 pulse, 2 off the beat, 3 broken.
    pub(super) chords: usize,
    /// From how full an ensemble on lead, figure, bass and counter voice play.
    pub(super) entries: [f32; 4],
    pub(super) swing: f32,
    pub(super) lead: Manners,
    pub(super) pad: Manners,
    pub(super) figures: u8,
    pub(super) low: u8,
    /// Octave of the lead above the tonic's.
    pub(super) octave: i32,
    /// Places and levels of lead, counter voice, pad, figure, bass and drums.
    pub(super) mix: [(f32, f32); 6],
}

impl Idiom {
    /// An idiom of `split` for `scene`.
    pub(super) fn draw(scene: Scene, split: Split, rng: &mut ChaCha8Rng) -> Self {
        let palette = &PALETTES[scene.index()];
        let metre = *pick(rng, &[4, 4, 4, 3]);
        let rows = match split {
            Split::Train => TRAIN_ROWS,
            Split::Val => VAL_ROWS,
            Split::Test => TEST_ROWS,
        };
        let motif = |rng: &mut ChaCha8Rng| strongest_first(4 * metre, 0.35, rng);
        let shape = |rng: &mut ChaCha8Rng| {
            (0..8)
                .map(|_| *pick(rng, &[-2, -1, -1, 1, 1, 2, 3, -3, 0]))
                .collect()
        };
        let spread = [0.5, 0.7, 0.4, 0.65, 0.5, 0.5];
        Self {
            tonic: rng.random_range(42..54),
            metre,
            tempo: (0.07 * gaussian(rng)).exp(),
            density: 0.07 * gaussian(rng),
            rows: [*pick(rng, rows), *pick(rng, rows)],
            rhythms: [motif(rng), motif(rng)],
            shapes: [shape(rng), shape(rng)],
            beats: [
                strongest_first(4 * metre, 0.12, rng),
                back_beat(metre, rng),
                strongest_first(4 * metre, 0.05, rng),
            ],
            figure: (0..rng.random_range(3..7))
                .map(|_| rng.random_range(0..5))
                .collect(),
            bass: rng.random_range(0..4),
            chords: rng.random_range(0..4),
            entries: [0.08, 0.3, 0.2, 0.65].map(|entry: f32| entry + 0.12 * gaussian(rng)),
            swing: *pick(rng, &[0.0, 0.0, 0.0, 0.3]),
            lead: Manners {
                soft: *pick(rng, palette.leads_soft),
                hard: *pick(rng, palette.leads_hard),
            },
            pad: Manners {
                soft: *pick(rng, palette.pads_soft),
                hard: *pick(rng, palette.pads_hard),
            },
            figures: *pick(rng, palette.figures),
            low: *pick(rng, palette.basses),
            octave: rng.random_range(1..3),
            mix: std::array::from_fn(|part| {
                let base_db = [0.0, -5.0, -6.0, -6.0, -1.0, -2.0][part];
                (
                    (spread[part] + 0.15 * gaussian(rng)).clamp(0.1, 0.9),
                    base_db + 1.5 * gaussian(rng),
                )
            }),
        }
    }
}

/// All sixteenths of a bar, the metrically strong ones first but for chance `loose`.
fn strongest_first(steps: usize, loose: f32, rng: &mut ChaCha8Rng) -> Rhythm {
    let mut weighted: Vec<(f32, usize)> = (0..steps)
        .map(|step| {
            let weight = match step {
                0 => 4.0,
                _ if step % 8 == 0 => 3.0,
                _ if step % 4 == 0 => 2.5,
                _ if step % 2 == 0 => 1.5,
                _ => 0.5,
            };
            (weight + 6.0 * loose * gaussian(rng), step)
        })
        .collect();
    weighted.sort_by(|a, b| b.0.total_cmp(&a.0));
    weighted.into_iter().map(|(_, step)| step).collect()
}

/// The second and fourth beat first, then what decorates them.
fn back_beat(metre: usize, rng: &mut ChaCha8Rng) -> Rhythm {
    let mut steps: Vec<usize> = (0..metre)
        .filter(|beat| beat % 2 == 1)
        .map(|beat| 4 * beat)
        .collect();
    let decorations = (0..4 * metre).filter(|step| step % 2 == 1).collect::<Vec<_>>();
    for _ in 0..3 {
        steps.push(*pick(rng, &decorations));
    }
    steps
}
