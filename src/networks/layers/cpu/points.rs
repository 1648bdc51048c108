//! Products over channels at each point of a transformed tile, which both of Winograd's algorithms end in.
//!
//! Tiles that lie beside each other are columns. Some output channels at a time are multiplied at all points, so that
//! their products are transformed back before they leave the second-level cache.

use rayon::prelude::*;
use rten_simd::Isa;
use rten_simd::ops::BitOps;

use super::microkernel::{MAX_HEIGHT, SLACK, Strip};

/// Weights of a convolution, transformed to `count` points.
#[derive(Debug)]
pub(super) struct Points {
    pub(super) count: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// [point][block of outputs][input][output].
    weights: Vec<f32>,
}

/// Buffers that a thread uses for job after job.
#[derive(Default)]
pub(super) struct Buffers {
    /// [point][input][column].
    pub(super) inputs: Vec<f32>,
    /// [point][output of a group][column].
    pub(super) products: Vec<f32>,
    offsets: Vec<u32>,
}

impl Buffers {
    pub(super) const EMPTY: Self = Self {
        inputs: Vec::new(),
        products: Vec::new(),
        offsets: Vec::new(),
    };
}

/// How the buffers are laid out for some columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    columns: usize,
    /// Floats from channel to channel.
    pub(super) stride: usize,
    /// Output channels of a group.
    pub(super) group: usize,
    /// Floats from point to point.
    pub(super) inputs: usize,
    pub(super) products: usize,
}

/// Columns of a job: as wide as the inner loop on AVX-512. With more, the transformed inputs leave the second-level
/// cache, with fewer the weights are fetched too often.
pub(super) const COLUMNS: usize = 48;

/// Floats of the products of a group: less than half of a common second-level cache.
const PRODUCTS: usize = 80 * 1024;

/// Floats between points beyond a round number, lest all of them fall into the same set of the cache.
const GAP: usize = 48;

impl Points {
    /// Transforms `weights` [O, C, taps] by `transform`: for each point, what it takes of each tap.
    pub(super) fn new<const TAPS: usize>(
        weights: &[f32],
        inputs: usize,
        outputs: usize,
        transform: &[[f64; TAPS]],
    ) -> Self {
        let rows = outputs.next_multiple_of(MAX_HEIGHT);
        let mut packed = vec![0.0; transform.len() * rows * inputs];
        packed
            .par_chunks_mut((rows * inputs).max(1))
            .zip(transform)
            .for_each(|(packed, transform)| {
                for (output, kernels) in weights.chunks_exact((inputs * TAPS).max(1)).enumerate() {
                    let block = &mut packed[output / MAX_HEIGHT * MAX_HEIGHT * inputs..];
                    let places = block[output % MAX_HEIGHT..].iter_mut().step_by(MAX_HEIGHT);
                    for (place, kernel) in places.zip(kernels.as_chunks::<TAPS>().0) {
                        let mut sum = 0.0;
                        for (&weight, &share) in kernel.iter().zip(transform) {
                            sum += f64::from(weight) * share;
                        }
                        *place = sum as f32;
                    }
                }
            });
        Self {
            count: transform.len(),
            inputs,
            outputs,
            weights: packed,
        }
    }

    /// Lays the buffers out for `columns` columns.
    pub(super) fn lay_out<I: Isa>(&self, isa: I, columns: usize, buffers: &mut Buffers) -> Layout {
        let stride = columns.next_multiple_of(isa.f32().len());
        let rows = self.outputs.next_multiple_of(MAX_HEIGHT);
        let group = (PRODUCTS / (self.count * stride) / MAX_HEIGHT * MAX_HEIGHT).clamp(MAX_HEIGHT, rows);
        let layout = Layout {
            columns,
            stride,
            group,
            inputs: self.inputs * stride + GAP,
            products: group * stride + GAP,
        };
        buffers.inputs.resize(self.count * layout.inputs + SLACK, 0.0);
        buffers.products.resize(self.count * layout.products + SLACK, 0.0);
        buffers.offsets.clear();
        buffers
            .offsets
            .extend((0..self.inputs).map(|input| (input * stride) as u32));
        layout
    }

    /// Multiplies at all points for the group of output channels that begins with `first`.
    #[inline(always)]
    pub(super) fn multiply<I: Isa>(&self, isa: I, first: usize, layout: &Layout, buffers: &mut Buffers) {
        let rows = self.outputs.next_multiple_of(MAX_HEIGHT);
        let blocks = layout.group.min(rows - first) / MAX_HEIGHT;
        let block = self.inputs * MAX_HEIGHT;
        for point in 0..self.count {
            let inputs = &buffers.inputs[point * layout.inputs..];
            let products = &mut buffers.products[point * layout.products..];
            let weights = &self.weights[(point * rows + first) * self.inputs..];
            for (index, weights) in weights.chunks_exact(block).take(blocks).enumerate() {
                Strip {
                    weights,
                    height: MAX_HEIGHT,
                    offsets: &buffers.offsets,
                    input: inputs,
                    stride: layout.stride,
                    add: false,
                }
                .run(
                    isa,
                    0..layout.columns,
                    &mut products[index * MAX_HEIGHT * layout.stride..],
                );
            }
        }
    }
}
