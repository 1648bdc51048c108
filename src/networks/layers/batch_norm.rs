//! Batch norm with fixed statistics.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

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
        let (factor, shift) = self.factor_and_shift()?;
        Ok(x.broadcast_mul(&per_channel(&factor, x.rank())?)?
            .broadcast_add(&per_channel(&shift, x.rank())?)?)
    }

    /// Whether gamma or beta is being trained.
    pub(super) fn is_trained(&self) -> bool {
        self.gamma.track_op() || self.beta.track_op()
    }
}

/// [C] as [1, C, 1, ..] of `rank` axes, to broadcast over a tensor of channels second.
pub(super) fn per_channel(values: &Tensor, rank: usize) -> candle_core::Result<Tensor> {
    let mut shape = vec![1; rank];
    shape[1] = values.elem_count();
    values.reshape(shape)
}
