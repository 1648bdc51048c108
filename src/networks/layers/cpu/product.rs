//! Convolution as a product of matrices.
//!
//! Columns are outputs, whatever frame and row they are in; rows are output channels; what is summed runs over input
//! channels and taps. Of the im2col matrix only a part that fits the second-level cache exists at a time, laid out in the
//! order in which the inner loop reads it. Copying a sample costs as much as some products with it, which pays where it
//! is multiplied with many output channels.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

use super::axis::Axis;
use super::epilogue::Epilogue;
use super::kernel::Kernel;
use super::microkernel::{MAX_HEIGHT, Strip, tile_width};
use super::scratch::with_scratch;

/// Products that are summed before the sums go to memory.
const DEPTH: usize = 512;

/// Columns of a job: with [`DEPTH`] half of a common second-level cache.
const COLUMNS: usize = 240;

/// Jobs begin at multiples of this column: whole vectors, whatever the instruction set.
const LANES: usize = 16;

/// Whether this is the faster way to outputs of these sizes.
pub(super) fn wins(kernel: &Kernel, [_, _, width]: [usize; 3]) -> bool {
    if kernel.height < MAX_HEIGHT {
        return false;
    }
    if kernel.axes[1].taps.len() * kernel.axes[2].taps.len() == 1 {
        kernel.outputs >= 64 && kernel.inputs * kernel.taps() >= 32
    } else {
        // Rows so short that much of what lies between them would be computed in vain.
        kernel.outputs >= 256 && width < 16
    }
}

/// The right factor of a product, one for each item of a batch: [summed][column].
pub(super) trait Rows: Sync {
    /// Writes `columns` of row `sum` of the matrix of `item`.
    fn write(&self, item: usize, sum: usize, columns: Range<usize>, line: &mut [f32]);
}

/// Multiplies the weights [O, `summed`] of `kernels`, in turn, with the matrix of each of `batch` items, of `columns`
/// columns, into `y` [batch, O, columns].
pub(super) fn multiply<R: Rows>(
    kernels: &[Kernel],
    rows: &R,
    (batch, columns): (usize, usize),
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let Some(kernel) = kernels.first() else { return };
    let all_blocks = kernel.blocks();
    // Threads share the columns, and where these are few the output channels too.
    let threads = rayon::current_num_threads();
    let (mut across, mut down) = (columns.div_ceil(COLUMNS), 1);
    if batch * across < threads {
        down = threads.div_ceil(batch * across).min(all_blocks);
    } else if !batch.is_multiple_of(threads) {
        across = across.next_multiple_of(threads);
    }
    let width = columns.div_ceil(across).next_multiple_of(LANES);
    let across = columns.div_ceil(width);
    let blocks = all_blocks.div_ceil(down);
    let down = all_blocks.div_ceil(blocks);
    let mut jobs: Vec<Job<'_, R>> = (0..batch * down * across)
        .map(|index| {
            let (item, part) = (index / across / down, index / across % down);
            let first = index % across * width;
            Job {
                kernel: &kernels[item % kernels.len()],
                rows,
                item,
                columns: first..columns.min(first + width),
                blocks: part * blocks..all_blocks.min((part + 1) * blocks),
                start: item * kernel.outputs * columns + first,
                all_columns: columns,
                epilogue,
                y: Vec::with_capacity(blocks * kernel.height),
            }
        })
        .collect();
    for (index, row) in y.chunks_mut(columns).enumerate() {
        let (item, output) = (index / kernel.outputs, index % kernel.outputs);
        let first = (item * down + output / (blocks * kernel.height)) * across;
        for (part, job) in row.chunks_mut(width).zip(&mut jobs[first..]) {
            job.y.push(part);
        }
    }
    jobs.into_par_iter()
        .for_each(|job| with_scratch(&SCRATCH, |scratch| Run { job, scratch }.dispatch()));
}

/// Runs on `x` [N, C, T, H, W] of these sizes into `y` [N, O, T', H', W'] of `output`'s.
pub(super) fn run(
    kernel: &Kernel,
    x: &[f32],
    batch: usize,
    input: [usize; 3],
    output: [usize; 3],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let size = (batch, output.iter().product());
    let lines = Lines::new(kernel, x, input, output);
    multiply(std::slice::from_ref(kernel), &lines, size, epilogue, y);
}

/// The im2col matrix of a convolution: for each input channel and tap a row of samples, one for each output.
struct Lines<'a> {
    /// [N, C, T, H, W].
    x: &'a [f32],
    inputs: usize,
    /// Of each tap, the samples that the first output sees.
    taps: Vec<[isize; 3]>,
    stride: [usize; 3],
    /// Frames, rows and columns; where each output sees just its own place they are one long row.
    input: [usize; 3],
    output: [usize; 3],
}

impl<'a> Lines<'a> {
    fn new(kernel: &Kernel, x: &'a [f32], input: [usize; 3], output: [usize; 3]) -> Self {
        let [times, heights, widths] = &kernel.axes;
        let mut taps = Vec::with_capacity(kernel.taps());
        for time in 0..times.taps.len() {
            for height in 0..heights.taps.len() {
                for width in 0..widths.taps.len() {
                    taps.push([
                        times.position(time),
                        heights.position(height),
                        widths.position(width),
                    ]);
                }
            }
        }
        let own_place = |axis: usize| {
            let one: &Axis = &kernel.axes[axis];
            one.stride == 1 && one.taps.len() == 1 && one.position(0) == 0 && input[axis] == output[axis]
        };
        let long = |[frames, rows, columns]: [usize; 3]| {
            if !(own_place(1) && own_place(2)) {
                [frames, rows, columns]
            } else if own_place(0) {
                [1, 1, frames * rows * columns]
            } else {
                [frames, 1, rows * columns]
            }
        };
        Self {
            x,
            inputs: kernel.inputs,
            taps,
            stride: [times.stride, heights.stride, widths.stride],
            input: long(input),
            output: long(output),
        }
    }
}

impl Rows for Lines<'_> {
    #[inline(always)]
    fn write(&self, item: usize, sum: usize, columns: Range<usize>, line: &mut [f32]) {
        let [frames, rows, width] = self.input;
        let [_, output_rows, output_width] = self.output;
        let [time, height, left] = self.taps[sum % self.taps.len()];
        let volume = frames * rows * width;
        let x = &self.x[(item * self.inputs + sum / self.taps.len()) * volume..][..volume];
        let mut column = columns.start;
        while column < columns.end {
            let (row, first) = (column / output_width, column % output_width);
            let count = (output_width - first).min(columns.end - column);
            let places = &mut line[column - columns.start..][..count];
            column += count;
            let frame = (row / output_rows * self.stride[0]) as isize + time;
            let row = (row % output_rows * self.stride[1]) as isize + height;
            if frame < 0 || frame >= frames as isize || row < 0 || row >= rows as isize {
                places.fill(0.0);
                continue;
            }
            let x = &x[(frame as usize * rows + row as usize) * width..][..width];
            strided(
                x,
                (first * self.stride[2]) as isize + left,
                self.stride[2],
                places,
            );
        }
    }
}

/// Every `stride`th sample from `start` on, and zeros where there are none.
#[inline(always)]
fn strided(x: &[f32], start: isize, stride: usize, places: &mut [f32]) {
    let before = ((-start).max(0) as usize).div_ceil(stride).min(places.len());
    let (zeros, places) = places.split_at_mut(before);
    zeros.fill(0.0);
    let start = (start + (before * stride) as isize) as usize;
    let inside = x.len().saturating_sub(start).div_ceil(stride).min(places.len());
    let (places, zeros) = places.split_at_mut(inside);
    zeros.fill(0.0);
    let x = &x[start.min(x.len())..];
    if stride == 1 {
        places.copy_from_slice(&x[..inside]);
    } else {
        for (place, &sample) in places.iter_mut().zip(x.iter().step_by(stride)) {
            *place = sample;
        }
    }
}

/// Buffers that a thread uses for job after job.
#[derive(Default)]
struct Scratch {
    line: Vec<f32>,
    /// [tile of columns][summed][column].
    panel: Vec<f32>,
    /// [output channel][column] of a tile.
    strip: Vec<f32>,
    offsets: Vec<u32>,
}

thread_local! {
    /// Kept from run to run: fresh memory is slow to touch.
    static SCRATCH: Cell<Scratch> = const {
        Cell::new(Scratch {
            line: Vec::new(),
            panel: Vec::new(),
            strip: Vec::new(),
            offsets: Vec::new(),
        })
    };
}

/// Some output channels of some columns.
struct Job<'a, R> {
    kernel: &'a Kernel,
    rows: &'a R,
    /// Of the batch.
    item: usize,
    columns: Range<usize>,
    blocks: Range<usize>,
    /// Which of all outputs the first one of channel 0 is, and how far the channels are apart.
    start: usize,
    all_columns: usize,
    epilogue: Epilogue<'a>,
    /// The columns of each output channel.
    y: Vec<&'a mut [f32]>,
}

/// A job as an operation that is compiled for each instruction set.
struct Run<'a, 'b, R> {
    job: Job<'a, R>,
    scratch: &'b mut Scratch,
}

impl<R: Rows> SimdOp for Run<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { mut job, scratch } = self;
        let kernel = job.kernel;
        let height = kernel.height;
        let tile = tile_width(isa);
        let lanes = isa.f32().len();
        let depth = kernel.inputs * kernel.taps();
        let parts = depth.div_ceil(DEPTH);
        let share = depth.div_ceil(parts);
        let width = job.columns.len();
        scratch.line.resize(width.next_multiple_of(tile), 0.0);
        scratch.panel.resize(width.next_multiple_of(tile) * share, 0.0);
        scratch.strip.resize(height * tile, 0.0);
        for first in (0..depth).step_by(share) {
            let sums = first..depth.min(first + share);
            job.pack(sums.clone(), tile, lanes, scratch);
            for block in job.blocks.clone() {
                let weights = &kernel.weights[(block * depth + sums.start) * height..][..sums.len() * height];
                for column in (0..width).step_by(tile) {
                    let count = tile.min(width - column);
                    let wide = count.next_multiple_of(lanes);
                    if column == 0 || wide < tile {
                        scratch.offsets.clear();
                        scratch
                            .offsets
                            .extend((0..sums.len()).map(|sum| (sum * wide) as u32));
                    }
                    Strip {
                        weights,
                        height,
                        offsets: &scratch.offsets,
                        input: &scratch.panel[column * sums.len()..],
                        stride: tile,
                        add: false,
                    }
                    .run(isa, 0..wide, &mut scratch.strip);
                    job.finish(block, column, count, &sums, tile, &mut scratch.strip);
                }
            }
        }
    }
}

impl<R: Rows> Job<'_, R> {
    /// Lays the rows `sums` of the im2col matrix out tile by tile.
    #[inline(always)]
    fn pack(&self, sums: Range<usize>, tile: usize, lanes: usize, scratch: &mut Scratch) {
        let width = self.columns.len();
        for (index, sum) in sums.clone().enumerate() {
            self.rows
                .write(self.item, sum, self.columns.clone(), &mut scratch.line[..width]);
            for column in (0..width).step_by(tile) {
                let wide = tile.min((width - column).next_multiple_of(lanes));
                scratch.panel[column * sums.len() + index * wide..][..wide]
                    .copy_from_slice(&scratch.line[column..column + wide]);
            }
        }
    }

    /// Adds up the products of a tile, and at the end writes what follows from them.
    #[inline(always)]
    fn finish(
        &mut self,
        block: usize,
        column: usize,
        count: usize,
        sums: &Range<usize>,
        tile: usize,
        strip: &mut [f32],
    ) {
        let kernel = self.kernel;
        let depth = kernel.inputs * kernel.taps();
        let first = block * kernel.height;
        let outputs = kernel.height.min(kernel.outputs - first);
        for (output, products) in (first..first + outputs).zip(strip.chunks_exact_mut(tile)) {
            let y = &mut self.y[output - self.blocks.start * kernel.height][column..column + count];
            let products = &mut products[..count];
            if sums.start > 0 {
                for (product, &sum) in products.iter_mut().zip(y.iter()) {
                    *product += sum;
                }
            }
            if sums.end == depth {
                let start = self.start + output * self.all_columns + column;
                self.epilogue.write(products, output, start, y);
            } else {
                y.copy_from_slice(products);
            }
        }
    }
}
