//! Winograd's F(4, 3) along time: half the products for kernels of three frames.
//!
//! Four output frames see six input frames. Six mixtures of these are multiplied with six mixtures of the kernel's three
//! taps, and the four outputs are mixtures of the products. See [`super::winograd`] for the same in a plane. A column is
//! one place of a frame through a tile of frames.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

use super::super::geometry::Geometry;
use super::epilogue::{Epilogue, at_least};
use super::points::{Buffers, COLUMNS, Layout, Points};
use super::scratch::with_scratch;
use super::winograd::{self, SEEN, TILE, input_transform, output_transform};

/// A convolution along time with mixed weights.
#[derive(Debug)]
pub(super) struct Temporal {
    points: Points,
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
        Self {
            points: Points::new(weights, inputs, outputs, &winograd::kernel()),
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
        let columns = Self::tiles(output_frames) * plane;
        let outputs = self.points.outputs;
        let threads = rayon::current_num_threads();
        // As many columns a job as fill the inner loop, and work for every thread.
        let jobs = (batch * columns.div_ceil(COLUMNS)).next_multiple_of(threads);
        let width = columns
            .div_ceil((jobs / batch.max(1)).max(1))
            .next_multiple_of(VECTOR);
        let jobs_an_item = columns.div_ceil(width);
        let mut jobs: Vec<Job<'_>> = (0..batch * jobs_an_item)
            .map(|index| {
                let first = index % jobs_an_item * width;
                Job {
                    layer: self,
                    x,
                    frames,
                    output_frames,
                    plane,
                    epilogue,
                    item: index / jobs_an_item,
                    columns: first..columns.min(first + width),
                    y: Vec::new(),
                }
            })
            .collect();
        let mut y = vec![0.0; batch * outputs * output_frames * plane];
        for (index, mut rest) in y.chunks_mut(plane).enumerate() {
            let (item, frame) = (index / output_frames / outputs, index % output_frames);
            let mut column = frame / TILE * plane;
            while !rest.is_empty() {
                let job = &mut jobs[item * jobs_an_item + column / width];
                let (part, behind) = rest.split_at_mut(rest.len().min(job.columns.end - column));
                column += part.len();
                job.y.push(part);
                rest = behind;
            }
        }
        jobs.into_par_iter()
            .for_each(|job| with_scratch(&SCRATCH, |scratch| Run { job, scratch }.dispatch()));
        y
    }
}

/// Columns of a vector on AVX-512.
const VECTOR: usize = 16;

/// Buffers that a thread uses for job after job.
#[derive(Default)]
struct Scratch {
    /// Of one channel the six frames before the products, and the four behind them: [frame][column].
    tiles: Vec<f32>,
    buffers: Buffers,
}

thread_local! {
    /// Kept from run to run: fresh memory is slow to touch.
    static SCRATCH: Cell<Scratch> = const {
        Cell::new(Scratch {
            tiles: Vec::new(),
            buffers: Buffers::EMPTY,
        })
    };
}

/// Some columns of one item: [tile of frames, place], flat.
struct Job<'a> {
    layer: &'a Temporal,
    x: &'a [f32],
    frames: usize,
    output_frames: usize,
    /// Places of a frame.
    plane: usize,
    epilogue: Epilogue<'a>,
    item: usize,
    columns: Range<usize>,
    /// For each output channel and output frame the places to write, in order.
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
        let Scratch { tiles, buffers } = scratch;
        let points = &job.layer.points;
        let layout = points.lay_out(isa, job.columns.len(), buffers);
        tiles.resize(SEEN * layout.stride, 0.0);
        // As in the plane: what an earlier job left behind the last column would go round.
        for frame in tiles.chunks_exact_mut(layout.stride) {
            frame[job.columns.len()..].fill(0.0);
        }
        for input in 0..points.inputs {
            job.gather(input, layout.stride, tiles);
            mix_inputs(isa, tiles, &mut buffers.inputs[input * layout.stride..], &layout);
        }
        let mut written = 0;
        for first in (0..points.outputs).step_by(layout.group) {
            points.multiply(isa, first, &layout, buffers);
            for output in first..points.outputs.min(first + layout.group) {
                let products = &buffers.products[(output - first) * layout.stride..];
                mix_outputs(isa, products, tiles, &layout);
                written = job.scatter(output, written, layout.stride, tiles);
            }
        }
    }
}

/// Six frames into the six mixtures that are multiplied.
#[inline(always)]
fn mix_inputs<I: Isa>(isa: I, tiles: &[f32], inputs: &mut [f32], layout: &Layout) {
    let ops = isa.f32();
    for column in (0..layout.stride).step_by(ops.len()) {
        let mut seen = [ops.zero(); SEEN];
        for (frame, value) in seen.iter_mut().enumerate() {
            *value = ops.load(&tiles[frame * layout.stride + column..]);
        }
        for (point, value) in input_transform(isa, seen).into_iter().enumerate() {
            ops.store(value, &mut inputs[point * layout.inputs + column..]);
        }
    }
}

/// Six products into four frames.
#[inline(always)]
fn mix_outputs<I: Isa>(isa: I, products: &[f32], tiles: &mut [f32], layout: &Layout) {
    let ops = isa.f32();
    for column in (0..layout.stride).step_by(ops.len()) {
        let mut parts = [ops.zero(); SEEN];
        for (point, value) in parts.iter_mut().enumerate() {
            *value = ops.load(&products[point * layout.products + column..]);
        }
        for (frame, value) in output_transform(isa, parts).into_iter().enumerate() {
            ops.store(value, &mut tiles[frame * layout.stride + column..]);
        }
    }
}

impl Job<'_> {
    /// The tiles of frames that the job has columns of, and which columns of its own and places of a frame these are.
    #[inline(always)]
    fn parts(&self) -> impl Iterator<Item = (usize, Range<usize>, usize)> + use<> {
        let (columns, plane) = (self.columns.clone(), self.plane);
        (columns.start / plane..columns.end.div_ceil(plane)).map(move |tile| {
            let start = columns.start.max(tile * plane);
            let end = columns.end.min((tile + 1) * plane);
            (
                tile,
                start - columns.start..end - columns.start,
                start - tile * plane,
            )
        })
    }

    /// Copies what the columns see of channel `input`: [6][column].
    #[inline(always)]
    fn gather(&self, input: usize, stride: usize, tiles: &mut [f32]) {
        let volume = self.frames * self.plane;
        let x = &self.x[(self.item * self.layer.points.inputs + input) * volume..][..volume];
        for (tile, columns, place) in self.parts() {
            for (index, line) in tiles.chunks_exact_mut(stride).enumerate() {
                let line = &mut line[columns.clone()];
                let frame = (tile * TILE + index).checked_sub(self.layer.padding);
                match frame.filter(|&frame| frame < self.frames) {
                    Some(frame) => line.copy_from_slice(&x[frame * self.plane + place..][..line.len()]),
                    None => line.fill(0.0),
                }
            }
        }
    }

    /// Writes the frames of channel `output`, [4][column], to the places from `written` on; returns where the next
    /// channel's begin.
    #[inline(always)]
    fn scatter(&mut self, output: usize, mut written: usize, stride: usize, tiles: &[f32]) -> usize {
        let Epilogue { bias, sum, floor } = self.epilogue;
        let bias = bias.map_or(0.0, |bias| bias[output]);
        let channel = self.item * self.layer.points.outputs + output;
        for (tile, columns, place) in self.parts() {
            let frames = tile * TILE..self.output_frames.min((tile + 1) * TILE);
            for (frame, line) in frames.zip(tiles.chunks_exact(stride)) {
                let line = &line[columns.clone()];
                let y = &mut *self.y[written];
                written += 1;
                match sum {
                    Some(sum) => {
                        let start = (channel * self.output_frames + frame) * self.plane + place;
                        for ((y, &value), &sum) in y.iter_mut().zip(line).zip(&sum[start..]) {
                            *y = at_least(value + bias + sum, floor);
                        }
                    }
                    None => {
                        for (y, &value) in y.iter_mut().zip(line) {
                            *y = at_least(value + bias, floor);
                        }
                    }
                }
            }
        }
        written
    }
}
