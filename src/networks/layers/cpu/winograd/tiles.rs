//! Between rows of an image and tiles: samples in, outputs out.

use std::ops::Range;

use super::{SEEN, TILE};

/// Deals the samples of a padded row to the tiles that see them: every fourth to the same point.
#[inline(always)]
pub(super) fn deal(line: &[f32], points: &mut [f32], stride: usize, tiles: Range<usize>) {
    let (first, points) = points.split_at_mut(stride);
    let (second, points) = points.split_at_mut(stride);
    let (third, points) = points.split_at_mut(stride);
    let (fourth, points) = points.split_at_mut(stride);
    let (fifth, sixth) = points.split_at_mut(stride);
    let (first, second) = (&mut first[tiles.clone()], &mut second[tiles.clone()]);
    let (third, fourth) = (&mut third[tiles.clone()], &mut fourth[tiles.clone()]);
    let (fifth, sixth) = (&mut fifth[tiles.clone()], &mut sixth[tiles]);
    let count = first.len();
    let line = &line[..count * TILE + SEEN - TILE];
    for tile in 0..count.min(second.len()).min(third.len()).min(fourth.len()) {
        let samples = &line[tile * TILE..tile * TILE + SEEN];
        first[tile] = samples[0];
        second[tile] = samples[1];
        third[tile] = samples[2];
        fourth[tile] = samples[3];
        fifth[tile] = samples[4];
        sixth[tile] = samples[5];
    }
}

/// Puts the four points of each tile into a row of outputs, whose last tile may hang over.
#[inline(always)]
pub(super) fn gather_row(points: &[f32], stride: usize, tiles: Range<usize>, row: &mut [f32]) {
    let (first, points) = points.split_at(stride);
    let (second, points) = points.split_at(stride);
    let (third, fourth) = points.split_at(stride);
    let (first, second) = (&first[tiles.clone()], &second[tiles.clone()]);
    let (third, fourth) = (&third[tiles.clone()], &fourth[tiles]);
    let mut places = row.chunks_exact_mut(TILE);
    let whole = places.len();
    let tiles = first.iter().zip(second).zip(third).zip(fourth);
    for (place, (((&first, &second), &third), &fourth)) in places.by_ref().zip(tiles) {
        place[0] = first;
        place[1] = second;
        place[2] = third;
        place[3] = fourth;
    }
    let rest = places.into_remainder();
    if !rest.is_empty() {
        let last = [first[whole], second[whole], third[whole], fourth[whole]];
        rest.copy_from_slice(&last[..rest.len()]);
    }
}
