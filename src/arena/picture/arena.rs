//! The ground that is played on: a map that meets itself at its edges.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::draw::stream;
use crate::training::corpus::Split;

/// Side of a map in pixels.
const SIDE: usize = 512;

/// Which arena. Splits have arenas of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::arena) struct ArenaId(u64);

impl ArenaId {
    /// An arena of `split`: train has five, val one, test two.
    pub(in crate::arena) fn draw(split: Split, rng: &mut ChaCha8Rng) -> Self {
        Self(match split {
            Split::Train => rng.random_range(0..5),
            Split::Val => 5,
            Split::Test => rng.random_range(6..8),
        })
    }

    /// Its name.
    pub(in crate::arena) fn name(self) -> String {
        format!("arena {}", self.0)
    }
}

/// A map.
pub(super) struct Arena {
    pixels: Vec<[u8; 3]>,
}

impl Arena {
    pub(super) fn build(id: ArenaId) -> Self {
        let mut rng = stream(id.0, "arena");
        let colour = |low: f32, high: f32, rng: &mut ChaCha8Rng| -> [f32; 3] {
            std::array::from_fn(|_| rng.random_range(low..high))
        };
        let (ground, other) = (colour(70.0, 130.0, &mut rng), colour(60.0, 140.0, &mut rng));
        let path = colour(120.0, 180.0, &mut rng);
        let coarse = Lattice::draw(8, &mut rng);
        let fine = Lattice::draw(64, &mut rng);
        let tile = *super::super::draw::pick(&mut rng, &[16, 24, 32]);
        let walls: Vec<(usize, usize, usize, usize)> = (0..14)
            .map(|_| {
                let wide = rng.random_bool(0.5);
                let (long, short) = (rng.random_range(30..90), rng.random_range(8..16));
                let (w, h) = if wide { (long, short) } else { (short, long) };
                (rng.random_range(0..SIDE), rng.random_range(0..SIDE), w, h)
            })
            .collect();
        let mut pixels: Vec<[u8; 3]> = (0..SIDE * SIDE)
            .map(|index| {
                let (x, y) = (index % SIDE, index / SIDE);
                let mix = coarse.at(x, y);
                let grain = 0.85 + 0.3 * fine.at(x, y);
                let joint = if x % tile == 0 || y % tile == 0 { 0.88 } else { 1.0 };
                let way = (mix - 0.5).abs() < 0.04;
                std::array::from_fn(|c| {
                    let base = if way {
                        path[c]
                    } else {
                        ground[c] + (other[c] - ground[c]) * mix
                    };
                    (base * grain * joint).clamp(0.0, 255.0) as u8
                })
            })
            .collect();
        for (left, top, width, height) in walls {
            for y in top..top + height + 5 {
                for x in left..left + width + 5 {
                    let lit = y < top + height && x < left + width;
                    let pixel = &mut pixels[y % SIDE * SIDE + x % SIDE];
                    *pixel = if lit {
                        other.map(|c| (c * 1.45).min(255.0) as u8)
                    } else {
                        pixel.map(|c| c / 2)
                    };
                }
            }
        }
        Self { pixels }
    }

    /// The pixel at a place of the map, which goes on for ever.
    #[inline]
    pub(super) fn at(&self, x: f32, y: f32) -> [u8; 3] {
        let wrap = |value: f32| (value.floor() as i32).rem_euclid(SIDE as i32) as usize;
        self.pixels[wrap(y) * SIDE + wrap(x)]
    }
}

/// The shorter way round the map, as a signed length.
pub(super) fn shortest(distance: f32) -> f32 {
    (distance + SIDE as f32 / 2.0).rem_euclid(SIDE as f32) - SIDE as f32 / 2.0
}

/// Smooth noise in 0..1 with `count` cells a side.
struct Lattice {
    count: usize,
    values: Vec<f32>,
}

impl Lattice {
    fn draw(count: usize, rng: &mut ChaCha8Rng) -> Self {
        Self {
            count,
            values: (0..count * count).map(|_| rng.random()).collect(),
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let place = |value: usize| {
            let scaled = value as f32 * self.count as f32 / SIDE as f32;
            let part = scaled.fract();
            (scaled as usize % self.count, part * part * (3.0 - 2.0 * part))
        };
        let ((x, u), (y, v)) = (place(x), place(y));
        let value = |x: usize, y: usize| self.values[y % self.count * self.count + x % self.count];
        let top = value(x, y) + (value(x + 1, y) - value(x, y)) * u;
        let bottom = value(x, y + 1) + (value(x + 1, y + 1) - value(x, y + 1)) * u;
        top + (bottom - top) * v
    }
}
