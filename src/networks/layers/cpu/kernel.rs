//! The weights of a convolution, packed for the inner loop.

use super::super::geometry::Geometry;
use super::axis::Axis;
use super::epilogue::Epilogue;
use super::microkernel::block_height;
use super::{direct, product};

/// Packed weights, and how they read the input.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) axes: [Axis; 3],
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Output channels of a block of weights.
    pub(super) height: usize,
    /// [block][input][tap][height].
    pub(super) weights: Vec<f32>,
}

impl Kernel {
    /// Packs `weights` [O, C, kt, kh, kw].
    pub(super) fn new(weights: &[f32], inputs: usize, outputs: usize, geometry: &Geometry) -> Self {
        let axes = std::array::from_fn(|axis| Axis::of(geometry, axis));
        Self::along(weights, inputs, outputs, axes)
    }

    /// Packs `weights` [O, C, kt, kh, kw] of a convolution along these axes.
    pub(super) fn along(weights: &[f32], inputs: usize, outputs: usize, axes: [Axis; 3]) -> Self {
        let height = block_height(outputs);
        let depth = inputs * taps(&axes);
        let mut packed = vec![0.0; outputs.next_multiple_of(height) * depth];
        for (output, row) in weights.chunks_exact(depth).enumerate() {
            let block = &mut packed[output / height * depth * height..][..depth * height];
            for (place, &weight) in block.iter_mut().skip(output % height).step_by(height).zip(row) {
                *place = weight;
            }
        }
        Self {
            axes,
            inputs,
            outputs,
            height,
            weights: packed,
        }
    }

    /// Blocks of weights.
    pub(super) fn blocks(&self) -> usize {
        self.outputs.div_ceil(self.height)
    }

    /// The weights [O, C, kt, kh, kw] as they were before they were packed.
    pub(super) fn unpack(&self) -> Vec<f32> {
        let depth = self.inputs * self.taps();
        (0..self.outputs)
            .flat_map(|output| {
                let block = &self.weights[output / self.height * depth * self.height..];
                block[output % self.height..]
                    .iter()
                    .step_by(self.height)
                    .take(depth)
            })
            .copied()
            .collect()
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        taps(&self.axes)
    }

    /// Runs on `x` [N, C, T, H, W] of these sizes into [N, O, T', H', W'] of `output`'s.
    pub(super) fn run(
        &self,
        x: &[f32],
        batch: usize,
        input: [usize; 3],
        output: [usize; 3],
        epilogue: Epilogue<'_>,
    ) -> Vec<f32> {
        let mut y = vec![0.0; batch * self.outputs * output.iter().product::<usize>()];
        if product::wins(self, output) {
            product::run(self, x, batch, input, output, epilogue, &mut y);
        } else {
            direct::run(self, x, batch, input, output, epilogue, &mut y);
        }
        y
    }
}

fn taps(axes: &[Axis; 3]) -> usize {
    axes.iter().map(|axis| axis.taps.len()).product()
}
