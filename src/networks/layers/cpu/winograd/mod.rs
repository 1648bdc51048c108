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

use self::tiles::{deal, gather_row};
pub(super) use self::transform::{INPUT, OUTPUT, kernel};
use self::transform::{kernel_transform, transform_inputs, transform_outputs};
use super::super::geometry::Geometry;
use super::epilogue::{Epilogue, at_least};
use super::microkernel::{MAX_HEIGHT, Strip};
use super::scratch::with_scratch;

/// Outputs of a tile along one axis.
pub(super) const TILE: usize = 4;

/// Inputs of a tile along one axis.
pub(super) const SEEN: usize = 6;

/// Values of a transformed tile.
const POINTS: usize = SEEN * SEEN;

/// Tiles are rounded up to it: the width of a tile of the inner loop on AVX-512, and a multiple of all others.
const LANES: usize = 48;

/// A 3 x 3 convolution of stride 1 with transformed weights.
#[derive(Debug)]
pub(super) struct Winograd {
    inputs: usize,
    outputs: usize,
    /// Zeros above and left.
    padding: [usize; 2],
    /// [point][block of outputs][input][output].
    weights: Vec<f32>,
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
        let rows = outputs.next_multiple_of(MAX_HEIGHT);
        let mut packed = vec![0.0; POINTS * rows * inputs];
        packed
            .par_chunks_mut(rows * inputs)
            .zip(kernel_transform())
            .for_each(|(packed, transform)| {
                for (index, kernel) in weights.chunks_exact(9).enumerate() {
                    let (output, input) = (index / inputs, index % inputs);
                    let block = output / MAX_HEIGHT * MAX_HEIGHT * inputs;
                    let products = kernel.iter().zip(&transform).map(|(&g, &t)| f64::from(g) * t);
                    packed[block + input * MAX_HEIGHT + output % MAX_HEIGHT] = products.sum::<f64>() as f32;
                }
            });
        Self {
            inputs,
            outputs,
            padding: [geometry.padding[1].0, geometry.padding[2].0],
            weights: packed,
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
        let rows_a_job = self.rows_a_job(rows, grid.across);
        let mut y = vec![0.0; batch * self.outputs * frames * height * width];
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
                    y: (0..self.outputs * rows).map(|_| Default::default()).collect(),
                }
            })
            .collect();
        for (index, plane) in y.chunks_mut(height * width).enumerate() {
            let (item, output, frame) = (
                index / frames / self.outputs,
                index / frames % self.outputs,
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

    /// As many rows of tiles as fill the vectors and use a fetched weight often, and leave work for every thread.
    fn rows_a_job(&self, rows: usize, across: usize) -> usize {
        let wanted = (TRANSFORMED / (POINTS * (self.inputs + self.outputs))).clamp(2 * LANES, 4 * LANES);
        let threads = rayon::current_num_threads();
        let rounds = (rows * across).div_ceil(wanted * threads);
        rows.div_ceil(rounds * threads).max(1)
    }
}

/// Floats of the transformed inputs and outputs of a job, where there is a choice: most of a common second-level cache.
const TRANSFORMED: usize = 512 * 1024;

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
    /// Some rows of one channel of one image, with zeros around.
    padded: Vec<f32>,
    /// Tiles of one channel, [6 x 6][tile] before and [4 x 4][tile] behind the products.
    tiles: Vec<f32>,
    /// [point][input][tile].
    inputs: Vec<f32>,
    /// [point][output][tile].
    products: Vec<f32>,
    offsets: Vec<u32>,
}

thread_local! {
    /// Kept from run to run: fresh memory is slow to touch.
    static SCRATCH: Cell<Scratch> = const {
        Cell::new(Scratch {
            padded: Vec::new(),
            tiles: Vec::new(),
            inputs: Vec::new(),
            products: Vec::new(),
            offsets: Vec::new(),
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
        let tiles = job.rows * job.grid.across;
        let stride = tiles.next_multiple_of(LANES);
        let rows = layer.outputs.next_multiple_of(MAX_HEIGHT);
        // Some floats more than a round number, lest all points of a tile fall into the same set of the cache.
        let input_point = layer.inputs * stride + LANES;
        let product_point = rows * stride + LANES;
        scratch.tiles.resize(POINTS * stride, 0.0);
        scratch.inputs.resize(POINTS * input_point, 0.0);
        scratch.products.resize(POINTS * product_point, 0.0);
        scratch.offsets.clear();
        scratch
            .offsets
            .extend((0..layer.inputs).map(|input| (input * stride) as u32));

        for input in 0..layer.inputs {
            job.gather(input, stride, &mut scratch.padded, &mut scratch.tiles);
            let inputs = &mut scratch.inputs[input * stride..];
            transform_inputs(isa, &scratch.tiles, stride, inputs, input_point);
        }
        let block = layer.inputs * MAX_HEIGHT;
        for point in 0..POINTS {
            let inputs = &scratch.inputs[point * input_point..];
            let products = &mut scratch.products[point * product_point..];
            let weights = &layer.weights[point * rows * layer.inputs..][..rows * layer.inputs];
            for (weights, strip) in weights
                .chunks_exact(block)
                .zip(products.chunks_exact_mut(MAX_HEIGHT * stride))
            {
                Strip {
                    weights,
                    height: MAX_HEIGHT,
                    offsets: &scratch.offsets,
                    input: inputs,
                    stride,
                    add: false,
                }
                .run(isa, 0..tiles, strip);
            }
        }
        let Epilogue { bias, sum, floor } = job.epilogue;
        // Where something else is added, the floor comes after it.
        let floor = if sum.is_some() { f32::NEG_INFINITY } else { floor };
        for output in 0..layer.outputs {
            let products = &scratch.products[output * stride..];
            let follows = (bias.map_or(0.0, |bias| bias[output]), floor);
            transform_outputs(isa, products, product_point, follows, &mut scratch.tiles, stride);
            job.scatter(output, stride, &scratch.tiles);
        }
    }
}

impl Job<'_> {
    /// Copies what the tiles see of channel `input`: [6 x 6][tile].
    #[inline(always)]
    fn gather(&self, input: usize, stride: usize, padded: &mut Vec<f32>, tiles: &mut [f32]) {
        let Grid {
            frames,
            input: [height, width],
            down,
            across,
            ..
        } = self.grid;
        let [top, left] = self.layer.padding;
        let wide = across * TILE + SEEN - TILE;
        let mut row = self.first;
        while row < self.first + self.rows {
            // The rows of tiles that are in the same image.
            let (image, start) = (row / down, row % down);
            let count = (down - start).min(self.first + self.rows - row);
            let (item, frame) = (image / frames, image % frames);
            let plane = ((item * self.layer.inputs + input) * frames + frame) * height * width;
            let plane = &self.x[plane..][..height * width];
            let high = count * TILE + SEEN - TILE;
            padded.resize(high * wide, 0.0);
            for (index, line) in padded.chunks_exact_mut(wide).enumerate() {
                let sample = (start * TILE + index).checked_sub(top).filter(|&y| y < height);
                match sample {
                    Some(y) => {
                        let end = (left + width).min(wide);
                        line[..left].fill(0.0);
                        line[left..end].copy_from_slice(&plane[y * width..][..end - left]);
                        line[end..].fill(0.0);
                    }
                    None => line.fill(0.0),
                }
            }
            let first = (row - self.first) * across;
            for y in 0..SEEN {
                for (index, line) in padded[y * wide..].chunks(TILE * wide).take(count).enumerate() {
                    let place = first + index * across;
                    let points = &mut tiles[y * SEEN * stride..][..SEEN * stride];
                    deal(&line[..wide], points, stride, place..place + across);
                }
            }
            row += count;
        }
    }

    /// Writes the tiles of channel `output`: [4 x 4][tile].
    #[inline(always)]
    fn scatter(&mut self, output: usize, stride: usize, tiles: &[f32]) {
        let Grid {
            frames,
            output: [height, width],
            down,
            across,
            ..
        } = self.grid;
        let Epilogue { sum, floor, .. } = self.epilogue;
        for index in 0..self.rows {
            let (image, start) = ((self.first + index) / down, (self.first + index) % down);
            let (item, frame) = (image / frames, image % frames);
            let plane = ((item * self.layer.outputs + output) * frames + frame) * height;
            let rows = &mut self.y[output * self.rows + index];
            let sum = sum.map(|sum| &sum[(plane + start * TILE) * width..][..rows.len()]);
            for (y, row) in rows.chunks_exact_mut(width).enumerate() {
                let points = &tiles[y * TILE * stride..][..TILE * stride];
                gather_row(points, stride, index * across..(index + 1) * across, row);
                if let Some(sum) = sum {
                    for (place, sum) in row.iter_mut().zip(&sum[y * width..]) {
                        *place = at_least(*place + sum, floor);
                    }
                }
            }
        }
    }
}
