//! Convolution out of candle's own operations: the path of CUDA and Metal.
//!
//! candle has no 3-D convolution, and none is needed: a kernel of one time step folds time into the batch, a longer
//! one stacks the frames it sees on the channel axis first.

use candle_core::Tensor;

use super::geometry::Geometry;
use crate::error::Result;

/// # Shapes
/// `x` [N, C, T, H, W], `weight` [O, C, kt, kh, kw] -> [N, O, T', H', W'].
///
/// # Errors
/// When the input is smaller than the kernel or the device fails.
pub(super) fn convolve(x: &Tensor, weight: &Tensor, geometry: &Geometry) -> Result<Tensor> {
    let (batch, channels, time, height, width) = x.dims5()?;
    let [out_time, out_height, out_width] = geometry.output([time, height, width])?;
    let outputs = weight.dim(0)?;
    let [taps, kernel_height, kernel_width] = geometry.kernel;

    let x = exactly(x, 2, geometry, 0, out_time)?;
    let x = exactly(&x, 3, geometry, 1, out_height)?;
    let x = exactly(&x, 4, geometry, 2, out_width)?;
    // index_select reads a narrowed tensor as if it were a whole one.
    let frames = stack_frames(&x.contiguous()?, geometry, out_time)?;
    let (_, _, _, height, width) = frames.dims5()?;
    // [N, C kt, T', H, W] -> [N T', C kt, H, W]; channels run over C first, as the kernel does below.
    let frames =
        frames
            .transpose(1, 2)?
            .contiguous()?
            .reshape((batch * out_time, channels * taps, height, width))?;
    let kernel = weight.reshape((outputs, channels * taps, kernel_height, kernel_width))?;
    // The input is already padded, and the stride and dilation of height and width are the same.
    let planes = frames.conv2d(&kernel, 0, geometry.stride[1], geometry.dilation[1], 1)?;
    Ok(planes
        .reshape((batch, out_time, outputs, out_height, out_width))?
        .transpose(1, 2)?
        .contiguous()?)
}

/// Pads `axis` and drops what no output sees. Besides saving work this leaves no remainder after the last stride:
/// candle's gradient of a strided convolution is wrong where height and width leave different ones.
fn exactly(x: &Tensor, axis: usize, geometry: &Geometry, along: usize, outputs: usize) -> Result<Tensor> {
    let (before, after) = geometry.padding[along];
    let needed = (outputs - 1) * geometry.stride[along] + geometry.reach(along);
    Ok(x.pad_with_zeros(axis, before, after)?.narrow(axis, 0, needed)?)
}

/// [N, C, T, H, W] -> [N, C kt, T', H, W]: the frames that each output sees, on the channel axis.
fn stack_frames(x: &Tensor, geometry: &Geometry, out_time: usize) -> Result<Tensor> {
    let [taps, ..] = geometry.kernel;
    let (batch, channels, _, height, width) = x.dims5()?;
    if taps == 1 && geometry.stride[0] == 1 {
        return Ok(x.clone());
    }
    let shifted = (0..taps)
        .map(|tap| strided(x, 2, tap * geometry.dilation[0], geometry.stride[0], out_time))
        .collect::<Result<Vec<_>>>()?;
    Ok(Tensor::stack(&shifted, 2)?.reshape((batch, channels * taps, out_time, height, width))?)
}

/// Every `stride`th slice of `axis`, `count` of them, from `start`.
fn strided(x: &Tensor, axis: usize, start: usize, stride: usize, count: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(x.narrow(axis, start, count)?);
    }
    let indices: Vec<u32> = (0..count).map(|i| (start + i * stride) as u32).collect();
    Ok(x.index_select(&Tensor::new(indices, x.device())?, axis)?)
}
