//! Between rows of an image and tiles: samples in, outputs out.
//!
//! All rows of tiles of a job are dealt in one go, as one long line, so that small images fill the vectors too.

use super::{SEEN, TILE};

/// For each row of tiles one row of samples.
#[derive(Default)]
pub(super) struct Lines {
    /// The samples, beside each other: four a tile.
    pub(super) whole: Vec<f32>,
    /// Of each row the two samples behind it, which its last tile sees too.
    pub(super) beyond: Vec<[f32; SEEN - TILE]>,
    even: Vec<f32>,
    odd: Vec<f32>,
}

impl Lines {
    pub(super) const EMPTY: Self = Self {
        whole: Vec::new(),
        beyond: Vec::new(),
        even: Vec::new(),
        odd: Vec::new(),
    };

    /// Makes room for `tiles` tiles, all zeros.
    pub(super) fn prepare(&mut self, tiles: usize) {
        self.whole.clear();
        self.whole.resize(tiles * TILE, 0.0);
        self.beyond.resize(tiles, [0.0; 2]);
        self.even.resize(tiles * TILE / 2, 0.0);
        self.odd.resize(tiles * TILE / 2, 0.0);
    }
}

/// Deals the samples of the first `rows` lines, of `across` tiles each, to the tiles that see them: every fourth to the
/// same point.
#[inline(always)]
pub(super) fn deal(lines: &mut Lines, rows: usize, across: usize, points: &mut [f32], stride: usize) {
    let tiles = rows * across;
    let Lines {
        whole,
        beyond,
        even,
        odd,
    } = lines;
    let (first, points) = points.split_at_mut(stride);
    let (second, points) = points.split_at_mut(stride);
    let (third, points) = points.split_at_mut(stride);
    let (fourth, points) = points.split_at_mut(stride);
    let (fifth, sixth) = points.split_at_mut(stride);
    halve(&whole[..tiles * TILE], even, odd);
    halve(&even[..tiles * 2], first, third);
    halve(&odd[..tiles * 2], second, fourth);
    // The next tile's first two, and at the end of a row what lies beyond.
    fifth[..tiles - 1].copy_from_slice(&first[1..tiles]);
    sixth[..tiles - 1].copy_from_slice(&second[1..tiles]);
    for (row, beyond) in beyond[..rows].iter().enumerate() {
        let last = (row + 1) * across - 1;
        [fifth[last], sixth[last]] = *beyond;
    }
}

/// Parts the values at even places from those at odd ones.
#[inline(always)]
fn halve(line: &[f32], even: &mut [f32], odd: &mut [f32]) {
    for ((pair, even), odd) in line.chunks_exact(2).zip(even).zip(odd) {
        *even = pair[0];
        *odd = pair[1];
    }
}

/// Puts the four points of each tile beside each other.
#[inline(always)]
pub(super) fn weave(points: &[f32], stride: usize, line: &mut [f32]) {
    let (first, points) = points.split_at(stride);
    let (second, points) = points.split_at(stride);
    let (third, fourth) = points.split_at(stride);
    let tiles = first.iter().zip(second).zip(third).zip(fourth);
    for (places, (((&first, &second), &third), &fourth)) in line.chunks_exact_mut(TILE).zip(tiles) {
        places[0] = first;
        places[1] = second;
        places[2] = third;
        places[3] = fourth;
    }
}
