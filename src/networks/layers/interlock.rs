//! The end of a transposed convolution of stride 2, and of a step up a U-net.

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::batch_norm::BatchNorm;
use super::storage::contiguous;
use crate::error::Result;

/// Interlocks the four phases of an image, norms it, and lays it behind `skip`.
///
/// # Shapes
/// `phases` [N, 4 O, H, W]: the outputs at even row and even column, even row and odd column, odd and even, odd and odd.
/// `skip` [N, C, 2 H, 2 W] -> [N, C + O, 2 H, 2 W].
///
/// # Errors
/// When the shapes do not fit each other or the device fails.
pub fn interlock(phases: &Tensor, norm: &BatchNorm, skip: &Tensor) -> Result<Tensor> {
    if matches!(phases.device(), Device::Cpu) && !phases.track_op() && !skip.track_op() && !norm.is_trained()
    {
        let (factor, shift) = norm.factor_and_shift()?;
        let operation = Interlock {
            factor: factor.to_vec1()?,
            shift: shift.to_vec1()?,
        };
        return Ok(phases
            .contiguous()?
            .apply_op2_no_bwd(&skip.contiguous()?, &operation)?);
    }
    let image = norm.forward(&interlocked(phases)?)?;
    Ok(Tensor::cat(&[skip, &image], 1)?)
}

/// Interlocks the four phases of an image, out of candle's own operations.
///
/// # Shapes
/// [N, 4 O, H, W] -> [N, O, 2 H, 2 W], as [`interlock`].
///
/// # Errors
/// When the device fails.
pub fn interlocked(phases: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = phases.dims4()?;
    Ok(phases
        .reshape(&[batch, 2, 2, channels / 4, height, width])?
        .permute([0, 3, 4, 1, 5, 2])?
        .contiguous()?
        .reshape((batch, channels / 4, 2 * height, 2 * width))?)
}

struct Interlock {
    factor: Vec<f32>,
    shift: Vec<f32>,
}

impl CustomOp2 for Interlock {
    fn name(&self) -> &'static str {
        "interlock"
    }

    fn cpu_fwd(
        &self,
        phases: &CpuStorage,
        phases_layout: &Layout,
        skip: &CpuStorage,
        skip_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (phases, shape) = contiguous(phases, phases_layout)?;
        let (skip, skip_shape) = contiguous(skip, skip_layout)?;
        let (batch, channels, height, width) = shape.dims4()?;
        let (skip_batch, skips, skip_height, skip_width) = skip_shape.dims4()?;
        let outputs = self.factor.len();
        if channels != 4 * outputs || (skip_batch, skip_height, skip_width) != (batch, 2 * height, 2 * width)
        {
            candle_core::bail!("{shape:?} cannot be interlocked to {outputs} channels behind {skip_shape:?}");
        }
        let plane = height * width;
        let mut y = vec![0.0; batch * (skips + outputs) * 4 * plane];
        y.par_chunks_mut((4 * plane).max(1))
            .enumerate()
            .for_each(|(index, y)| {
                let (item, channel) = (index / (skips + outputs), index % (skips + outputs));
                let Some(output) = channel.checked_sub(skips) else {
                    y.copy_from_slice(&skip[(item * skips + channel) * 4 * plane..][..4 * plane]);
                    return;
                };
                let (factor, shift) = (self.factor[output], self.shift[output]);
                for (row, y) in y.chunks_exact_mut(2 * width).enumerate() {
                    let part = |column: usize| {
                        let phase = row % 2 * 2 + column;
                        let start = ((item * 4 + phase) * outputs + output) * plane + row / 2 * width;
                        &phases[start..start + width]
                    };
                    for ((pair, &even), &odd) in y.chunks_exact_mut(2).zip(part(0)).zip(part(1)) {
                        pair[0] = even * factor + shift;
                        pair[1] = odd * factor + shift;
                    }
                }
            });
        let shape = Shape::from((batch, skips + outputs, 2 * height, 2 * width));
        Ok((CpuStorage::F32(y), shape))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::super::tests::{difference, noise};
    use super::*;

    #[test]
    fn both_paths_agree() -> Result<()> {
        for (height, width) in [(1, 1), (3, 5), (4, 2)] {
            let phases = noise(&[2, 12, height, width], 1);
            let skip = noise(&[2, 2, 2 * height, 2 * width], 2);
            let var = (noise(&[3], 6) + 2.0)?;
            let norm = BatchNorm::from_tensors(noise(&[3], 3), noise(&[3], 4), noise(&[3], 5), var, 1e-3);
            let fast = interlock(&phases, &norm, &skip)?;
            let tracked = Var::from_tensor(&phases)?;
            let slow = interlock(tracked.as_tensor(), &norm, &skip)?;
            assert!(difference(&fast, &slow) < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn phases_go_to_their_places() -> Result<()> {
        let phases = Tensor::arange(0_f32, 8.0, &Device::Cpu)?.reshape((1, 4, 1, 2))?;
        let image = interlocked(&phases)?.reshape((2, 4))?;
        assert_eq!(
            image.to_vec2::<f32>()?,
            [[0.0, 2.0, 1.0, 3.0], [4.0, 6.0, 5.0, 7.0]]
        );
        Ok(())
    }
}
