//! The gradient of the input.

use rayon::prelude::*;

use super::super::super::geometry::Geometry;
use super::super::axis::Axis;
use super::super::epilogue::Epilogue;
use super::super::kernel::Kernel;
use super::{Sizes, convolve};

/// The gradient of the input [N, C, T, H, W] from that of the output, `dy` [N, O, T', H', W'].
///
/// Inputs of one phase within the stride are seen by the same taps, each by one output more for each input more: the
/// gradient of each phase is a convolution of stride 1 over `dy`, and the phases interlock. No size or stride is a
/// special case, unlike in candle's own gradient.
pub(in super::super) fn input_gradient(sizes: &Sizes, dy: &[f32], weights: &[f32]) -> Vec<f32> {
    if let Some(turned) = turned(sizes) {
        let weights = turn(sizes, weights, &[0, 1, 2].map(|axis| all_taps(sizes, axis)));
        return convolve(&turned, dy, &weights);
    }
    let [frames, rows, columns] = sizes.input;
    let stride = sizes.geometry.stride;
    let mut dx = vec![0.0; sizes.batch * sizes.inputs * frames * rows * columns];
    for phase in phases(stride) {
        let taps: [Vec<(usize, isize)>; 3] =
            std::array::from_fn(|axis| seen_by(&sizes.geometry, axis, phase[axis]));
        let count: [usize; 3] = std::array::from_fn(|axis| {
            sizes.input[axis]
                .saturating_sub(phase[axis])
                .div_ceil(stride[axis])
        });
        // Inputs that no output sees have no gradient.
        if taps.iter().any(Vec::is_empty) || count.contains(&0) {
            continue;
        }
        let positions = |axis: usize| -> Vec<isize> { taps[axis].iter().map(|&(_, at)| at).collect() };
        let axes = std::array::from_fn(|axis| Axis::new(1, &positions(axis)));
        let chosen = std::array::from_fn(|axis| taps[axis].iter().map(|&(tap, _)| tap).collect());
        let weights = turn(sizes, weights, &chosen);
        let part = Kernel::along(&weights, sizes.outputs, sizes.inputs, axes).run(
            dy,
            sizes.batch,
            sizes.output,
            count,
            Epilogue::NONE,
        );
        interlock(&part, count, &mut dx, sizes.input, phase, stride);
    }
    dx
}

/// For stride 1 and no more padding than the kernel reaches, the convolution that `dy` goes through.
fn turned(sizes: &Sizes) -> Option<Sizes> {
    let geometry = &sizes.geometry;
    if geometry.stride != [1; 3] {
        return None;
    }
    let mut turned = *geometry;
    for axis in 0..3 {
        let reach = geometry.reach(axis) - 1;
        let (before, after) = geometry.padding[axis];
        turned.padding[axis] = (reach.checked_sub(before)?, reach.checked_sub(after)?);
    }
    Some(Sizes {
        geometry: turned,
        batch: sizes.batch,
        inputs: sizes.outputs,
        outputs: sizes.inputs,
        input: sizes.output,
        output: sizes.input,
    })
}

/// Taps of `axis` from last to first.
fn all_taps(sizes: &Sizes, axis: usize) -> Vec<usize> {
    (0..sizes.geometry.kernel[axis]).rev().collect()
}

/// The taps through which outputs see the inputs at `phase` within the stride, and which output that is for the first
/// such input.
fn seen_by(geometry: &Geometry, axis: usize, phase: usize) -> Vec<(usize, isize)> {
    let stride = geometry.stride[axis] as isize;
    (0..geometry.kernel[axis])
        .filter_map(|tap| {
            let offset =
                phase as isize + geometry.padding[axis].0 as isize - (tap * geometry.dilation[axis]) as isize;
            (offset % stride == 0).then_some((tap, offset / stride))
        })
        .collect()
}

/// All phases within a stride.
fn phases([frames, rows, columns]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..frames * rows * columns).map(move |i| [i / columns / rows, i / columns % rows, i % columns])
}

/// Weights [O, C, kt, kh, kw] as [C, O, chosen taps].
fn turn(sizes: &Sizes, weights: &[f32], taps: &[Vec<usize>; 3]) -> Vec<f32> {
    let [_, high, wide] = sizes.geometry.kernel;
    let kernel: usize = sizes.geometry.kernel.iter().product();
    let mut turned = Vec::with_capacity(weights.len());
    for input in 0..sizes.inputs {
        for output in 0..sizes.outputs {
            let weights = &weights[(output * sizes.inputs + input) * kernel..][..kernel];
            for &frame in &taps[0] {
                for &row in &taps[1] {
                    turned.extend(
                        taps[2]
                            .iter()
                            .map(|column| weights[(frame * high + row) * wide + column]),
                    );
                }
            }
        }
    }
    turned
}

/// Puts the volumes of `part` into every `stride`th place of those of `whole`, from `phase` on.
fn interlock(
    part: &[f32],
    [frames, rows, columns]: [usize; 3],
    whole: &mut [f32],
    size: [usize; 3],
    phase: [usize; 3],
    stride: [usize; 3],
) {
    let [_, high, wide] = size;
    part.par_chunks(frames * rows * columns)
        .zip(whole.par_chunks_mut(size.iter().product()))
        .for_each(|(part, whole)| {
            for (index, values) in part.chunks_exact(columns).enumerate() {
                let frame = phase[0] + index / rows * stride[0];
                let row = phase[1] + index % rows * stride[1];
                let places = whole[(frame * high + row) * wide..][..wide].iter_mut();
                for (place, value) in places.skip(phase[2]).step_by(stride[2]).zip(values) {
                    *place = *value;
                }
            }
        });
}
