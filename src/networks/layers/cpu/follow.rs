//! What follows a convolution in training, in one pass forward and few back.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::super::storage::contiguous;
use super::epilogue::Epilogue;

/// Adds a bias [O] and perhaps a sum [N, O, ..] to `x` [N, O, ..], with ReLU behind it, with gradients for all; candle's
/// own operations would write a tensor for each.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Follow {
    pub(in super::super) relu: bool,
}

impl Follow {
    fn forward(
        self,
        (x, shape): (&[f32], &Shape),
        (bias, bias_shape): (&[f32], &Shape),
        sum: Option<(&[f32], &Shape)>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (channels, plane) = channels_and_plane(shape)?;
        if channels != bias.len() || sum.is_some_and(|(_, sum)| sum != shape) {
            let sum = sum.map(|(_, shape)| shape);
            candle_core::bail!("a bias {bias_shape:?} and a sum {sum:?} do not go with {shape:?}");
        }
        let epilogue = Epilogue {
            bias: Some(bias),
            sum: sum.map(|(sum, _)| sum),
            floor: if self.relu { 0.0 } else { f32::NEG_INFINITY },
        };
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(plane)
            .zip(x.par_chunks(plane))
            .enumerate()
            .for_each(|(index, (y, x))| epilogue.write(x, index % channels, index * plane, y));
        Ok((CpuStorage::F32(y), shape.clone()))
    }

    /// What of `dy` passes to the inputs, and its sum in each channel where the bias is trained.
    fn backward(
        self,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Tensor, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let passed = if self.relu {
            dy.apply_op2_no_bwd(&y.contiguous()?, &Passed)?
        } else {
            dy
        };
        let sums = bias.track_op().then(|| passed.apply_op1_no_bwd(&ChannelSums));
        Ok((passed, sums.transpose()?))
    }
}

impl CustomOp2 for Follow {
    fn name(&self) -> &'static str {
        "bias and activation"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward(contiguous(x, x_layout)?, contiguous(bias, bias_layout)?, None)
    }

    fn bwd(
        &self,
        _: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let (passed, sums) = self.backward(bias, y, dy)?;
        Ok((Some(passed), sums))
    }
}

impl CustomOp3 for Follow {
    fn name(&self) -> &'static str {
        "bias, sum and activation"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
        sum: &CpuStorage,
        sum_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward(
            contiguous(x, x_layout)?,
            contiguous(bias, bias_layout)?,
            Some(contiguous(sum, sum_layout)?),
        )
    }

    fn bwd(
        &self,
        _: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (passed, sums) = self.backward(bias, y, dy)?;
        Ok((Some(passed.clone()), sums, Some(passed)))
    }
}

/// The gradients behind a ReLU that let something through.
struct Passed;

impl CustomOp2 for Passed {
    fn name(&self) -> &'static str {
        "gradient of an activation"
    }

    fn cpu_fwd(
        &self,
        dy: &CpuStorage,
        dy_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (dy, shape) = contiguous(dy, dy_layout)?;
        let (y, _) = contiguous(y, y_layout)?;
        let mut dx = vec![0.0; dy.len()];
        dx.par_chunks_mut(PART)
            .zip(dy.par_chunks(PART))
            .zip(y.par_chunks(PART))
            .for_each(|((dx, dy), y)| {
                for ((dx, &dy), &y) in dx.iter_mut().zip(dy).zip(y) {
                    *dx = if y > 0.0 { dy } else { 0.0 };
                }
            });
        Ok((CpuStorage::F32(dx), shape.clone()))
    }
}

/// Values that a thread takes at a time.
const PART: usize = 16 * 1024;

/// [N, O, ..] -> [O].
struct ChannelSums;

impl CustomOp1 for ChannelSums {
    fn name(&self) -> &'static str {
        "sums of channels"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, shape) = contiguous(x, layout)?;
        let (channels, plane) = channels_and_plane(shape)?;
        let sums: Vec<f32> = (0..channels)
            .into_par_iter()
            .map(|channel| {
                let planes = x.chunks_exact(plane).skip(channel).step_by(channels);
                planes.map(sum).sum()
            })
            .collect();
        Ok((CpuStorage::F32(sums), Shape::from(channels)))
    }
}

/// The sum of many values, some at a time: faster than one after the other, and more exact.
fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let whole = values.chunks_exact(sums.len());
    let rest: f32 = whole.remainder().iter().sum();
    for part in whole {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Channels, and values of a channel of an item, of [N, O, ..].
fn channels_and_plane(shape: &Shape) -> candle_core::Result<(usize, usize)> {
    match shape.dims() {
        [_, channels, rest @ ..] => Ok((*channels, rest.iter().product::<usize>().max(1))),
        _ => candle_core::bail!("{shape:?} has no channels"),
    }
}
