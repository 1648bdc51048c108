//! Winograd's F(4, 3) along time: half the products for kernels of three frames.
//!
//! Four output frames see six input frames. Six mixtures of these are multiplied with six mixtures of the kernel's three
//! taps, and the four outputs are mixtures of the products. See [`super::winograd`] for the same in a plane. The
//! mixtures of the input are made while they are laid out for the product of matrices ([`super::product`]), which has to
//! copy them anyway.

use std::ops::Range;

use rayon::prelude::*;

use super::super::geometry::Geometry;
use super::axis::Axis;
use super::epilogue::Epilogue;
use super::kernel::Kernel;
use super::product::{self, Rows};
use super::winograd::{self, INPUT, OUTPUT, SEEN, TILE};

/// A convolution along time with mixed weights.
#[derive(Debug)]
pub(super) struct Temporal {
    /// One for each point: [O, C].
    points: Vec<Kernel>,
    inputs: usize,
    outputs: usize,
    /// Zeros before the first frame.
    padding: usize,
}

impl Temporal {
    /// Whether the algorithm fits `geometry` and pays for its mixtures.
    pub(super) fn wins(inputs: usize, outputs: usize, geometry: &Geometry) -> bool {
        geometry.kernel == [3, 1, 1]
            && geometry.stride == [1; 3]
            && geometry.dilation[0] == 1
            && geometry.padding[1..] == [(0, 0); 2]
            && inputs >= 64
            && outputs >= 64
    }

    /// Tiles that cover the output frames.
    pub(super) fn tiles(frames: usize) -> usize {
        frames.div_ceil(TILE)
    }

    /// Mixes `weights` [O, C, 3].
    pub(super) fn new(weights: &[f32], inputs: usize, outputs: usize, geometry: &Geometry) -> Self {
        let own_place = || Axis::new(1, &[0]);
        let points = winograd::kernel()
            .iter()
            .map(|mixture| {
                let mixed: Vec<f32> = weights
                    .chunks_exact(3)
                    .map(|taps| {
                        let parts = taps
                            .iter()
                            .zip(mixture)
                            .map(|(&tap, &share)| f64::from(tap) * share);
                        parts.sum::<f64>() as f32
                    })
                    .collect();
                Kernel::along(&mixed, inputs, outputs, std::array::from_fn(|_| own_place()))
            })
            .collect();
        Self {
            points,
            inputs,
            outputs,
            padding: geometry.padding[0].0,
        }
    }

    /// Runs on `x` [N, C, T, H, W] of these sizes into [N, O, T', H, W] of `output`'s.
    pub(super) fn run(
        &self,
        x: &[f32],
        batch: usize,
        [frames, ..]: [usize; 3],
        [output_frames, height, width]: [usize; 3],
        epilogue: Epilogue<'_>,
    ) -> Vec<f32> {
        let plane = height * width;
        let tiles = Self::tiles(output_frames);
        let columns = tiles * plane;
        // [N, point, O, tile, H W].
        let mut products = vec![0.0; batch * SEEN * self.outputs * columns];
        let mixed = Mixed {
            x,
            inputs: self.inputs,
            frames,
            plane,
            padding: self.padding,
        };
        product::multiply(
            &self.points,
            &mixed,
            (batch * SEEN, columns),
            Epilogue::NONE,
            &mut products,
        );
        let mut y = vec![0.0; batch * self.outputs * output_frames * plane];
        y.par_chunks_mut(plane).enumerate().for_each(|(index, y)| {
            let (channel, frame) = (index / output_frames, index % output_frames);
            let (item, output) = (channel / self.outputs, channel % self.outputs);
            let part = |point: usize| {
                let row = (item * SEEN + point) * self.outputs + output;
                &products[row * columns + frame / TILE * plane..][..plane]
            };
            mix(
                &OUTPUT[frame % TILE],
                std::array::from_fn(|point| Some(part(point))),
                y,
            );
            epilogue.write_in_place(output, index * plane, y);
        });
        y
    }
}

/// The mixtures of the inputs, [point][C][tile, H W] of each item.
struct Mixed<'a> {
    x: &'a [f32],
    inputs: usize,
    frames: usize,
    /// Samples of a frame.
    plane: usize,
    padding: usize,
}

impl Rows for Mixed<'_> {
    #[inline(always)]
    fn write(&self, item: usize, sum: usize, columns: Range<usize>, line: &mut [f32]) {
        let (item, point) = (item / SEEN, item % SEEN);
        let plane = self.plane;
        let x = &self.x[(item * self.inputs + sum) * self.frames * plane..][..self.frames * plane];
        let mut column = columns.start;
        while column < columns.end {
            let (tile, first) = (column / plane, column % plane);
            let count = (plane - first).min(columns.end - column);
            let mut seen = [None; SEEN];
            for (index, samples) in seen.iter_mut().enumerate() {
                let frame = (tile * TILE + index).checked_sub(self.padding);
                if let Some(frame) = frame.filter(|&frame| frame < self.frames) {
                    *samples = Some(&x[frame * plane + first..][..count]);
                }
            }
            mix(&INPUT[point], seen, &mut line[column - columns.start..][..count]);
            column += count;
        }
    }
}

/// The sum of `parts`, each times its share.
#[inline(always)]
fn mix(shares: &[f32; SEEN], parts: [Option<&[f32]>; SEEN], sum: &mut [f32]) {
    sum.fill(0.0);
    for (&share, part) in shares.iter().zip(parts) {
        let Some(part) = part.filter(|_| share != 0.0) else {
            continue;
        };
        for (sum, &value) in sum.iter_mut().zip(part) {
            *sum += share * value;
        }
    }
}
