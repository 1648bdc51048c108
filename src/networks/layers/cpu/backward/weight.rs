//! The gradient of the weights.

use std::ops::Range;

use rayon::prelude::*;
use rten_simd::{Isa, SimdOp};

use super::super::microkernel::{SLACK, Strip, block_height};
use super::Sizes;

/// The gradient of the weights [O, C, kt, kh, kw] from that of the output, `dy` [N, O, T', H', W'].
///
/// With channels last, the samples that an output sees through one row of the kernel lie beside each other, so each row
/// of the kernel is a product of `dy` and the input as it stands. Threads add up blocks of outputs apart.
pub(in super::super) fn weight_gradient(sizes: &Sizes, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let [frames, rows, _] = sizes.output;
    let blocks: Vec<Block> = (0..sizes.batch * frames)
        .flat_map(|plane| {
            (0..rows).step_by(ROWS).map(move |row| Block {
                item: plane / frames,
                frame: plane % frames,
                rows: row..(row + ROWS).min(rows),
            })
        })
        .collect();
    let height = block_height(sizes.outputs);
    let [deep, high, wide] = sizes.geometry.kernel;
    let row = Row::of(sizes);
    let sums = || vec![0.0; sizes.outputs.div_ceil(height) * deep * high * row.strip(height)];
    let share = blocks.len().div_ceil(rayon::current_num_threads()).max(1);
    let total = blocks
        .par_chunks(share)
        .map(|blocks| {
            let mut sums = sums();
            Sum {
                sizes,
                x,
                dy,
                blocks,
                sums: &mut sums,
            }
            .dispatch();
            sums
        })
        .reduce_with(|mut total, part| {
            for (total, part) in total.iter_mut().zip(part) {
                *total += part;
            }
            total
        })
        .unwrap_or_else(sums);
    // [block of outputs][kernel row][strip] -> [O, C, kernel row, tap].
    let taps = deep * high * wide;
    let mut gradient = vec![0.0; sizes.outputs * sizes.inputs * taps];
    gradient
        .par_chunks_mut((sizes.inputs * taps).max(1))
        .enumerate()
        .for_each(|(output, gradient)| {
            for kernel_row in 0..deep * high {
                let strip = &total[(output / height * deep * high + kernel_row) * row.strip(height)..];
                for tap in 0..wide {
                    let values = &strip[row.place(output % height, tap)..][..sizes.inputs];
                    let places = gradient.iter_mut().skip(kernel_row * wide + tap).step_by(taps);
                    for (place, value) in places.zip(values) {
                        *place = *value;
                    }
                }
            }
        });
    gradient
}

/// Output rows of a block.
const ROWS: usize = 8;

/// Some rows of outputs of one frame.
#[derive(Debug, Clone)]
struct Block {
    item: usize,
    frame: usize,
    rows: Range<usize>,
}

/// The gradient of one row of a kernel: [output in block][piece][value].
#[derive(Debug, Clone, Copy)]
struct Row {
    inputs: usize,
    /// Samples that lie beside each other are one piece: the whole row, or where dilation keeps them apart one tap.
    pieces: usize,
    /// Values of a piece, and the distance between two pieces: a tile may overrun its own.
    length: usize,
    stride: usize,
}

impl Row {
    fn of(sizes: &Sizes) -> Self {
        let (taps, inputs) = (sizes.geometry.kernel[2], sizes.inputs);
        let together = sizes.geometry.dilation[2] == 1;
        let (pieces, length) = if together {
            (1, taps * inputs)
        } else {
            (taps, inputs)
        };
        Self {
            inputs,
            pieces,
            length,
            stride: length + SLACK,
        }
    }

    /// Values of all outputs of a block.
    fn strip(&self, height: usize) -> usize {
        height * self.pieces * self.stride
    }

    /// Where the values of an output of a block and a tap are in a strip, one for each input.
    fn place(&self, output: usize, tap: usize) -> usize {
        let value = tap * self.inputs;
        (output * self.pieces + value / self.length) * self.stride + value % self.length
    }
}

/// The gradients that some blocks of outputs give, added up.
struct Sum<'a> {
    sizes: &'a Sizes,
    x: &'a [f32],
    dy: &'a [f32],
    blocks: &'a [Block],
    sums: &'a mut [f32],
}

impl SimdOp for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Sizes {
            geometry,
            inputs,
            outputs,
            output,
            ..
        } = self.sizes;
        let height = block_height(*outputs);
        let [deep, high, _] = geometry.kernel;
        let row = Row::of(self.sizes);
        let columns = output[2];
        let strip = row.strip(height);
        let (mut samples, mut offsets, mut gradients) = (Vec::new(), Vec::new(), Vec::new());
        for block in self.blocks {
            let depth = block.rows.len() * columns;
            self.pack_gradients(block, height, &mut gradients);
            for time in 0..deep {
                let extent = self.pack_samples(block, time, &mut samples);
                offsets.clear();
                for y in 0..block.rows.len() {
                    let line = y * geometry.stride[1] * extent;
                    offsets.extend((0..columns).map(|x| ((line + x * geometry.stride[2]) * inputs) as u32));
                }
                for kernel_row in 0..high {
                    for piece in 0..row.pieces {
                        let shift = kernel_row * geometry.dilation[1] * extent + piece * geometry.dilation[2];
                        for (index, weights) in gradients.chunks_exact(depth * height).enumerate() {
                            let number = (index * deep + time) * high + kernel_row;
                            Strip {
                                weights,
                                height,
                                offsets: &offsets,
                                input: &samples[shift * inputs..],
                                stride: row.pieces * row.stride,
                                add: true,
                            }
                            .run(
                                isa,
                                0..row.length,
                                &mut self.sums[number * strip + piece * row.stride..],
                            );
                        }
                    }
                }
            }
        }
    }
}

impl Sum<'_> {
    /// The block's part of `dy` as weights: [block of outputs][place][output in block].
    fn pack_gradients(&self, block: &Block, height: usize, packed: &mut Vec<f32>) {
        let [frames, rows, columns] = self.sizes.output;
        let depth = block.rows.len() * columns;
        let outputs = self.sizes.outputs;
        packed.clear();
        packed.resize(outputs.next_multiple_of(height) * depth, 0.0);
        for output in 0..outputs {
            let start = (((block.item * outputs + output) * frames + block.frame) * rows + block.rows.start)
                * columns;
            let places = packed[output / height * height * depth + output % height..].iter_mut();
            for (place, value) in places.step_by(height).zip(&self.dy[start..start + depth]) {
                *place = *value;
            }
        }
    }

    /// The samples that the block sees at tap `time`, channels last, zeros included: [row][column][input]. Returns the
    /// columns.
    fn pack_samples(&self, block: &Block, time: usize, samples: &mut Vec<f32>) -> usize {
        let Sizes {
            geometry,
            inputs,
            input: [frames, height, width],
            output,
            ..
        } = self.sizes;
        let needed =
            |axis: usize, outputs: usize| (outputs - 1) * geometry.stride[axis] + geometry.reach(axis);
        let (rows, columns) = (needed(1, block.rows.len()), needed(2, output[2]));
        samples.clear();
        samples.resize(rows * columns * inputs + SLACK, 0.0);
        let place = |axis: usize, at: usize, size: usize| {
            at.checked_sub(geometry.padding[axis].0).filter(|&at| at < size)
        };
        let at = block.frame * geometry.stride[0] + time * geometry.dilation[0];
        let Some(frame) = place(0, at, *frames) else {
            return columns;
        };
        let left = geometry.padding[2].0;
        let inside = columns.saturating_sub(left).min(*width);
        if inside == 0 {
            return columns;
        }
        for row in 0..rows {
            let Some(y) = place(1, block.rows.start * geometry.stride[1] + row, *height) else {
                continue;
            };
            for input in 0..*inputs {
                let line = (((block.item * inputs + input) * frames + frame) * height + y) * width;
                let line = &self.x[line..line + inside];
                let places = samples[(row * columns + left) * inputs + input..].iter_mut();
                for (place, sample) in places.step_by(*inputs).zip(line) {
                    *place = *sample;
                }
            }
        }
        columns
    }
}
