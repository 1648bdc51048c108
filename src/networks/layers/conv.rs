//! The one convolution that every network uses.

use candle_core::{Device, Tensor};

use super::batch_norm::{BatchNorm, per_channel};
use super::composed;
use super::cpu::{Follow, Packed, Scaled, Trained};
use super::geometry::Geometry;
use crate::error::Result;

/// What follows a convolution, done in the same pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// max(x, 0).
    Relu,
}

/// A convolution in two or three dimensions with the batch norm, the sum and the activation behind it.
///
/// Batch norm is folded into the weights when the layer is built, and on the CPU the weights are packed then, unless a
/// parameter is a variable of a training run: then all are read anew in each forward pass, and gradients flow to them.
#[derive(Debug)]
pub struct Conv {
    geometry: Geometry,
    activation: Activation,
    weights: Weights,
}

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one a layer, never moved in a loop; a box would only add a hop"
)]
enum Weights {
    /// On the CPU, where nothing is trained.
    Packed(Packed),
    /// Weight [O, C, kt, kh, kw], bias [O], and batch norm where it could not be folded once for all.
    Plain(Tensor, Option<Tensor>, Option<BatchNorm>),
}

impl Conv {
    /// Takes PyTorch's weights: `weight` [O, C, kh, kw] or [O, C, kt, kh, kw], whose kernel sizes are `geometry`'s,
    /// and `bias` `[O]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn new(
        weight: &Tensor,
        bias: Option<Tensor>,
        norm: Option<BatchNorm>,
        geometry: Geometry,
        activation: Activation,
    ) -> Result<Self> {
        let (outputs, inputs) = (weight.dim(0)?, weight.dim(1)?);
        let [time, height, width] = geometry.kernel;
        let weight = weight.reshape((outputs, inputs, time, height, width))?;
        let trained = weight.track_op()
            || bias.as_ref().is_some_and(Tensor::track_op)
            || norm.as_ref().is_some_and(BatchNorm::is_trained);
        let (weight, bias, norm) = match norm {
            Some(norm) if !trained => {
                let (weight, bias) = fold(&weight, bias.as_ref(), &norm)?;
                (weight, Some(bias), None)
            }
            norm => (weight, bias, norm),
        };
        let weights = if matches!(weight.device(), Device::Cpu) && !trained {
            Weights::Packed(Packed::new(&weight, bias.as_ref(), geometry)?)
        } else {
            Weights::Plain(weight, bias, norm)
        };
        Ok(Self {
            geometry,
            activation,
            weights,
        })
    }

    /// # Shapes
    /// [N, C, H, W] -> [N, O, H', W'], or [N, C, T, H, W] -> [N, O, T', H', W'].
    ///
    /// # Errors
    /// When the input is smaller than the kernel or the device fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }

    /// As [`Conv::forward`], with `sum` added before the activation: the end of a residual block.
    ///
    /// # Shapes
    /// `sum` has the output's shape.
    ///
    /// # Errors
    /// As [`Conv::forward`].
    pub fn forward_add(&self, x: &Tensor, sum: &Tensor) -> Result<Tensor> {
        self.run(x, Some(sum))
    }

    fn run(&self, x: &Tensor, sum: Option<&Tensor>) -> Result<Tensor> {
        if x.rank() == 4 {
            let sum = sum.map(|sum| sum.unsqueeze(2)).transpose()?;
            return Ok(self.volume(&x.unsqueeze(2)?, sum.as_ref())?.squeeze(2)?);
        }
        self.volume(x, sum)
    }

    fn volume(&self, x: &Tensor, sum: Option<&Tensor>) -> Result<Tensor> {
        let (weight, bias) = match &self.weights {
            Weights::Packed(packed) => {
                if !x.track_op() && !sum.is_some_and(Tensor::track_op) {
                    return packed.run(x, sum, self.activation == Activation::Relu);
                }
                // Something before this layer is trained, and its gradient must pass.
                packed.unpack()?
            }
            Weights::Plain(weight, bias, Some(norm)) => {
                let (weight, bias) = fold(weight, bias.as_ref(), norm)?;
                (weight, Some(bias))
            }
            Weights::Plain(weight, bias, None) => (weight.clone(), bias.clone()),
        };
        if !matches!(x.device(), Device::Cpu) {
            let y = composed::convolve(x, &weight, &self.geometry)?;
            return Ok(followed(y, bias.as_ref(), sum, self.activation)?);
        }
        let y = x
            .contiguous()?
            .apply_op2(&weight.contiguous()?, Trained(self.geometry))?;
        let follow = Follow {
            relu: self.activation == Activation::Relu,
        };
        Ok(match (bias, sum) {
            (Some(bias), Some(sum)) => y.apply_op3(&bias.contiguous()?, &sum.contiguous()?, follow)?,
            (Some(bias), None) => y.apply_op2(&bias.contiguous()?, follow)?,
            (None, sum) => followed(y, None, sum, self.activation)?,
        })
    }
}

/// What follows a convolution, out of candle's own operations.
fn followed(
    mut y: Tensor,
    bias: Option<&Tensor>,
    sum: Option<&Tensor>,
    activation: Activation,
) -> candle_core::Result<Tensor> {
    if let Some(bias) = bias {
        y = y.broadcast_add(&per_channel(bias, 5)?)?;
    }
    if let Some(sum) = sum {
        y = (y + sum)?;
    }
    match activation {
        Activation::None => Ok(y),
        Activation::Relu => y.relu(),
    }
}

/// Weight and bias of a convolution that does what the given one and the batch norm behind it do.
fn fold(weight: &Tensor, bias: Option<&Tensor>, norm: &BatchNorm) -> Result<(Tensor, Tensor)> {
    let (factor, shift) = norm.factor_and_shift()?;
    let weight = if matches!(weight.device(), Device::Cpu) {
        weight.contiguous()?.apply_op2(&factor, Scaled)?
    } else {
        weight.broadcast_mul(&factor.reshape((factor.elem_count(), 1, 1, 1, 1))?)?
    };
    let bias = match bias {
        Some(bias) => ((bias * &factor)? + &shift)?,
        None => shift,
    };
    Ok((weight, bias))
}
