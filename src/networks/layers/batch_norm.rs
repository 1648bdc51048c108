//! Batch norm with fixed statistics.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor};
use candle_nn::{Init, VarBuilder};
use rayon::prelude::*;

use super::storage::contiguous;
use crate::error::Result;
use crate::networks::weights::parameter;

/// Batch norm over channels with the running statistics of training. They stay as they are in fine-tuning too: a
/// few clips a step could not estimate better ones; gamma and beta are trained.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    var: Tensor,
    eps: f64,
}

impl BatchNorm {
    /// Reads PyTorch's `weight`, `bias`, `running_mean` and `running_var` `[channels]` at `vb`.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(channels: usize, eps: f64, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            gamma: parameter(vb, channels, "weight", Init::Const(1.0))?,
            beta: parameter(vb, channels, "bias", Init::Const(0.0))?,
            mean: parameter(vb, channels, "running_mean", Init::Const(0.0))?,
            var: parameter(vb, channels, "running_var", Init::Const(1.0))?,
            eps,
        })
    }

    /// Takes the four parameters `[C]` under whatever names a checkpoint has for them.
    pub fn from_tensors(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: f64) -> Self {
        Self {
            gamma,
            beta,
            mean,
            var,
            eps,
        }
    }

    /// As a factor and a shift a channel: gamma / sqrt(var + eps), and beta - mean x factor.
    ///
    /// # Errors
    /// When the device fails.
    pub fn factor_and_shift(&self) -> Result<(Tensor, Tensor)> {
        let factor = (&self.gamma / (self.var.detach() + self.eps)?.sqrt()?)?;
        let shift = (&self.beta - (self.mean.detach() * &factor)?)?;
        Ok((factor, shift))
    }

    /// # Shapes
    /// [N, C, ..] -> the same.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_leaky(x, 1.0)
    }

    /// As [`BatchNorm::forward`], with values below zero multiplied by `slope` behind it.
    ///
    /// # Shapes
    /// [N, C, ..] -> the same.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward_leaky(&self, x: &Tensor, slope: f64) -> Result<Tensor> {
        let (factor, shift) = self.factor_and_shift()?;
        if matches!(x.device(), Device::Cpu) && !x.track_op() && !self.is_trained() {
            let line = Lines {
                factor: factor.to_vec1()?,
                shift: shift.to_vec1()?,
                slope: slope as f32,
            };
            return Ok(x.contiguous()?.apply_op1_no_bwd(&line)?);
        }
        let y = x
            .broadcast_mul(&per_channel(&factor, x.rank())?)?
            .broadcast_add(&per_channel(&shift, x.rank())?)?;
        Ok(if slope < 1.0 {
            candle_nn::ops::leaky_relu(&y, slope)?
        } else {
            y
        })
    }

    /// Whether gamma or beta is being trained.
    pub(super) fn is_trained(&self) -> bool {
        self.gamma.track_op() || self.beta.track_op()
    }
}

/// factor x + shift of each channel, and what follows, in one pass; candle's broadcasts make two, one value at a time.
struct Lines {
    factor: Vec<f32>,
    shift: Vec<f32>,
    /// 1 for nothing.
    slope: f32,
}

impl CustomOp1 for Lines {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, shape) = contiguous(x, layout)?;
        let channels = shape.dims().get(1).copied().unwrap_or(0);
        if channels != self.factor.len() {
            candle_core::bail!(
                "a batch norm of {} channels was given {shape:?}",
                self.factor.len()
            );
        }
        let plane: usize = shape.dims()[2..].iter().product();
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(plane.max(1))
            .zip(x.par_chunks(plane.max(1)))
            .enumerate()
            .for_each(|(index, (y, x))| {
                let (factor, shift) = (self.factor[index % channels], self.shift[index % channels]);
                for (y, x) in y.iter_mut().zip(x) {
                    let value = x * factor + shift;
                    *y = if value < 0.0 { value * self.slope } else { value };
                }
            });
        Ok((CpuStorage::F32(y), shape.clone()))
    }
}

/// [C] as [1, C, 1, ..] of `rank` axes, to broadcast over a tensor of channels second.
pub(super) fn per_channel(values: &Tensor, rank: usize) -> candle_core::Result<Tensor> {
    let mut shape = vec![1; rank];
    shape[1] = values.elem_count();
    values.reshape(shape)
}
