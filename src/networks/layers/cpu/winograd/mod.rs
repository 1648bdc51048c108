//! Winograd's F(4 x 4, 3 x 3): a quarter of the products for 3 x 3 kernels of stride 1.
//!
//! Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016. Each 4 x 4 tile of outputs sees 6 x 6
//! inputs. Both are transformed, 36 matrix products over channels take the place of 144 products an output tile, and a
//! second transform gives the outputs. Tiles of all images lie beside each other, so that small images fill the vectors
//! too.

mod tiles;
mod transform;

use std::cell::Cell;

use rayon::prelude::*;
use rten_simd::{Isa, SimdOp};

use self::tiles::{Lines, deal, weave};
pub(super) use self::transform::{input_transform, kernel, output_transform};
use self::transform::{kernel_transform, transform_inputs, transform_outputs};
use super::super::geometry::Geometry;
use super::epilogue::{Epilogue, at_least};
use super::points::{Buffers, COLUMNS, Points};
use super::scratch::with_scratch;

/// Outputs of a tile along one axis.
pub(super) const TILE: usize = 4;

/// Inputs of a tile along one axis.
pub(super) const SEEN: usize = 6;

/// Values of a transformed tile.
const POINTS: usize = SEEN * SEEN;

/// A 3 x 3 convolution of stride 1 with transformed weights.
#[derive(Debug)]
pub(super) struct Winograd {
    points: Points,
    /// Zeros above and left.
    padding: [usize; 2],
}

impl Winograd {
    /// Whether the algorithm fits `geometry` and pays for its transforms.
    pub(super) fn wins(inputs: usize, outputs: usize, geometry: &Geometry) -> bool {
        geometry.kernel == [1, 3, 3]
            && geometry.stride == [1; 3]
            && geometry.dilation == [1; 3]
            && geometry.padding[0] == (0, 0)
            && inputs >= 32
            && outputs >= 32
    }

    /// Tiles that cover an image of outputs.
    pub(super) fn tiles(height: usize, width: usize) -> usize {
        height.div_ceil(TILE) * width.div_ceil(TILE)
    }

    /// Transforms `weights` [O, C, 3, 3].
    pub(super) fn new(weights: &[f32], inputs: usize, outputs: usize, geometry: &Geometry) -> Self {
        Self {
            points: Points::new(weights, inputs, outputs, &kernel_transform()),
            padding: [geometry.padding[1].0, geometry.padding[2].0],
        }
    }

    /// Runs on `x` [N, C, T, H, W] of these sizes into [N, O, T, H', W'] of `output`'s.
    pub(super) fn run(
        &self,
        x: &[f32],
        batch: usize,
        input: [usize; 3],
        output: [usize; 3],
        epilogue: Epilogue<'_>,
    ) -> Vec<f32> {
        let [frames, height, width] = output;
        let grid = Grid {
            frames,
            input: [input[1], input[2]],
            output: [height, width],
            down: height.div_ceil(TILE),
            across: width.div_ceil(TILE),
        };
        // A job takes whole rows of tiles, through all images.
        let rows = batch * frames * grid.down;
        let rows_a_job = Self::rows_a_job(rows, grid.across);
        let mut y = vec![0.0; batch * self.points.outputs * frames * height * width];
        let mut jobs: Vec<Job<'_>> = (0..rows)
            .step_by(rows_a_job)
            .map(|first| {
                let rows = rows_a_job.min(rows - first);
                Job {
                    layer: self,
                    grid,
                    x,
                    epilogue,
                    first,
                    rows,
                    y: (0..self.points.outputs * rows)
                        .map(|_| Default::default())
                        .collect(),
                }
            })
            .collect();
        for (index, plane) in y.chunks_mut(height * width).enumerate() {
            let (item, output, frame) = (
                index / frames / self.points.outputs,
                index / frames % self.points.outputs,
                index % frames,
            );
            let first = (item * frames + frame) * grid.down;
            for (row, outputs) in (first..).zip(plane.chunks_mut(TILE * width)) {
                let job = &mut jobs[row / rows_a_job];
                job.y[output * job.rows + row - job.first] = outputs;
            }
        }
        jobs.into_par_iter()
            .for_each(|job| with_scratch(&SCRATCH, |scratch| Run { job, scratch }.dispatch()));
        y
    }

    /// About [`COLUMNS`] tiles in whole rows, and work for every thread.
    fn rows_a_job(rows: usize, across: usize) -> usize {
        let threads = rayon::current_num_threads();
        // To fetch the weights costs about as much as to multiply them with a vector of tiles.
        let cost = |count: usize| {
            let vectors = (count * across).div_ceil(VECTOR);
            rows.div_ceil(count).div_ceil(threads) * (vectors + 1)
        };
        (1..=(COLUMNS / across).clamp(1, rows))
            .rev()
            .min_by_key(|&count| cost(count))
            .unwrap_or(1)
    }
}

/// Tiles of a vector on AVX-512.
const VECTOR: usize = 16;

/// Sizes of the images and of the tiles that cover their outputs.
#[derive(Debug, Clone, Copy)]
struct Grid {
    frames: usize,
    input: [usize; 2],
    output: [usize; 2],
    /// Rows and columns of tiles.
    down: usize,
    across: usize,
}

/// Buffers that a thread uses for job after job.
#[derive(Default)]
struct Scratch {
    lines: Lines,
    /// Tiles of one channel, [6 x 6][tile] before and [4 x 4][tile] behind the products.
    tiles: Vec<f32>,
    buffers: Buffers,
}

thread_local! {
    /// Kept from run to run: fresh memory is slow to touch.
    static SCRATCH: Cell<Scratch> = const {
        Cell::new(Scratch {
            lines: Lines::EMPTY,
            tiles: Vec::new(),
            buffers: Buffers::EMPTY,
        })
    };
}

/// Some rows of tiles.
struct Job<'a> {
    layer: &'a Winograd,
    grid: Grid,
    x: &'a [f32],
    epilogue: Epilogue<'a>,
    /// First row of tiles, counted through all images.
    first: usize,
    rows: usize,
    /// [output channel][row of tiles]: the rows to write.
    y: Vec<&'a mut [f32]>,
}

/// A job as an operation that is compiled for each instruction set.
struct Run<'a, 'b> {
    job: Job<'a>,
    scratch: &'b mut Scratch,
}

impl SimdOp for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { mut job, scratch } = self;
        let layer = job.layer;
        let points = &layer.points;
        let tiles = job.rows * job.grid.across;
        let layout = points.lay_out(isa, tiles, &mut scratch.buffers);
        let stride = layout.stride;
        scratch.lines.prepare(tiles);
        scratch.tiles.resize(POINTS * stride, 0.0);
        // Vectors reach beyond the last tile. What an earlier job left there would go round from job to job, and numbers
        // that have become too small to be normal take a hundred times as long.
        for point in scratch.tiles.chunks_exact_mut(stride) {
            point[tiles..].fill(0.0);
        }
        for input in 0..points.inputs {
            job.gather(input, stride, &mut scratch.lines, &mut scratch.tiles);
            let inputs = &mut scratch.buffers.inputs[input * stride..];
            transform_inputs(isa, &scratch.tiles, stride, inputs, layout.inputs);
        }
        let Epilogue { bias, sum, floor } = job.epilogue;
        // Where something else is added, the floor comes after it.
        let floor = if sum.is_some() { f32::NEG_INFINITY } else { floor };
        for first in (0..points.outputs).step_by(layout.group) {
            points.multiply(isa, first, &layout, &mut scratch.buffers);
            for output in first..points.outputs.min(first + layout.group) {
                let products = &scratch.buffers.products[(output - first) * stride..];
                let follows = (bias.map_or(0.0, |bias| bias[output]), floor);
                transform_outputs(
                    isa,
                    products,
                    layout.products,
                    follows,
                    &mut scratch.tiles,
                    stride,
                );
                job.scatter(output, stride, &mut scratch.lines, &scratch.tiles);
            }
        }
    }
}

impl Job<'_> {
    /// Copies what the tiles see of channel `input`: [6 x 6][tile].
    #[inline(always)]
    fn gather(&self, input: usize, stride: usize, lines: &mut Lines, tiles: &mut [f32]) {
        let Grid {
            frames,
            input: [height, width],
            down,
            across,
            ..
        } = self.grid;
        let [top, left] = self.layer.padding;
        let wide = across * TILE;
        // Of a row of samples, those in the line, and those that only its last tile sees.
        let inside = left.min(wide)..(left + width).min(wide);
        for (y, points) in tiles.chunks_exact_mut(SEEN * stride).enumerate() {
            for (index, line) in lines.whole.chunks_exact_mut(wide).take(self.rows).enumerate() {
                let (image, start) = ((self.first + index) / down, (self.first + index) % down);
                let (item, frame) = (image / frames, image % frames);
                let sample = (start * TILE + y).checked_sub(top).filter(|&y| y < height);
                let Some(row) = sample else {
                    line.fill(0.0);
                    lines.beyond[index] = [0.0; 2];
                    continue;
                };
                let plane = ((item * self.layer.points.inputs + input) * frames + frame) * height;
                let x = &self.x[(plane + row) * width..][..width];
                line[inside.clone()].copy_from_slice(&x[..inside.len()]);
                for (beyond, sample) in lines.beyond[index].iter_mut().zip(wide..) {
                    *beyond = sample
                        .checked_sub(left)
                        .and_then(|sample| x.get(sample))
                        .copied()
                        .unwrap_or(0.0);
                }
            }
            deal(lines, self.rows, across, points, stride);
        }
    }

    /// Writes the tiles of channel `output`: [4 x 4][tile].
    #[inline(always)]
    fn scatter(&mut self, output: usize, stride: usize, lines: &mut Lines, tiles: &[f32]) {
        let Grid {
            frames,
            output: [height, width],
            down,
            across,
            ..
        } = self.grid;
        let Epilogue { sum, floor, .. } = self.epilogue;
        for (y, points) in tiles.chunks_exact(TILE * stride).take(TILE).enumerate() {
            weave(points, stride, &mut lines.whole[..self.rows * across * TILE]);
            for (index, line) in lines
                .whole
                .chunks_exact(across * TILE)
                .take(self.rows)
                .enumerate()
            {
                let (image, start) = ((self.first + index) / down, (self.first + index) % down);
                let (item, frame) = (image / frames, image % frames);
                let rows = &mut self.y[output * self.rows + index];
                let Some(row) = rows.chunks_exact_mut(width).nth(y) else {
                    continue;
                };
                match sum {
                    Some(sum) => {
                        let plane = ((item * self.layer.points.outputs + output) * frames + frame) * height;
                        let sum = &sum[(plane + start * TILE + y) * width..][..width];
                        for ((place, value), sum) in row.iter_mut().zip(line).zip(sum) {
                            *place = at_least(value + sum, floor);
                        }
                    }
                    None => row.copy_from_slice(&line[..width]),
                }
            }
        }
    }
}
