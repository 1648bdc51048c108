//! Gradients of a convolution, out of convolutions and the same inner loop.

mod input;
mod weight;

pub(super) use self::input::input_gradient;
pub(super) use self::weight::weight_gradient;
use super::super::geometry::Geometry;
use super::epilogue::Epilogue;
use super::kernel::Kernel;
use super::shortcut::Shortcut;

/// A convolution and the sizes it was run with.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    pub(super) geometry: Geometry,
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Frames, rows and columns.
    pub(super) input: [usize; 3],
    pub(super) output: [usize; 3],
}

/// Runs a convolution whose weights [O, C, kt, kh, kw] are used once.
pub(super) fn convolve(sizes: &Sizes, x: &[f32], weights: &[f32]) -> Vec<f32> {
    let Sizes {
        geometry,
        batch,
        inputs,
        outputs,
        input,
        output,
    } = sizes;
    let shortcut = Shortcut::pays_once(geometry, *batch, *output)
        .then(|| Shortcut::new(weights, *inputs, *outputs, geometry))
        .flatten();
    match shortcut {
        Some(shortcut) => shortcut.run(x, *batch, *input, *output, Epilogue::NONE),
        None => {
            Kernel::new(weights, *inputs, *outputs, geometry).run(x, *batch, *input, *output, Epilogue::NONE)
        }
    }
}
