//! The convolution of a training run: weights that change from step to step, and gradients.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use super::super::geometry::Geometry;
use super::super::storage::contiguous;
use super::backward::{self, Sizes};

/// A convolution of `x` [N, C, T, H, W] and weights [O, C, kt, kh, kw], both contiguous, with gradients for both.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Trained(pub(in super::super) Geometry);

impl Trained {
    fn sizes(&self, x: &Shape, weight: &Shape) -> candle_core::Result<Sizes> {
        let (batch, inputs, frames, height, width) = x.dims5()?;
        let (outputs, channels, ..) = weight.dims5()?;
        if channels != inputs {
            candle_core::bail!("a convolution of {channels} channels was given {inputs}");
        }
        let input = [frames, height, width];
        let output = self.0.output(input).map_err(candle_core::Error::wrap)?;
        Ok(Sizes {
            geometry: self.0,
            batch,
            inputs,
            outputs,
            input,
            output,
        })
    }
}

impl CustomOp2 for Trained {
    fn name(&self) -> &'static str {
        "trained convolution"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, x_shape) = contiguous(x, x_layout)?;
        let (weight, weight_shape) = contiguous(weight, weight_layout)?;
        let sizes = self.sizes(x_shape, weight_shape)?;
        let [frames, height, width] = sizes.output;
        let y = backward::convolve(&sizes, x, weight);
        let shape = (sizes.batch, sizes.outputs, frames, height, width);
        Ok((CpuStorage::F32(y), Shape::from(shape)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = self.sizes(x.shape(), weight.shape())?;
        let dy = dy.contiguous()?;
        let gradient = |other: &Tensor, of: Of, shape: &Shape| {
            let operation = Gradient {
                sizes: sizes.clone(),
                of,
                shape: shape.clone(),
            };
            dy.apply_op2_no_bwd(other, &operation)
        };
        Ok((
            x.track_op()
                .then(|| gradient(weight, Of::Input, x.shape()))
                .transpose()?,
            weight
                .track_op()
                .then(|| gradient(x, Of::Weight, weight.shape()))
                .transpose()?,
        ))
    }
}

#[derive(Clone, Copy)]
enum Of {
    Input,
    Weight,
}

/// From the gradient of the output and the other operand.
struct Gradient {
    sizes: Sizes,
    of: Of,
    shape: Shape,
}

impl CustomOp2 for Gradient {
    fn name(&self) -> &'static str {
        "gradient of a convolution"
    }

    fn cpu_fwd(
        &self,
        dy: &CpuStorage,
        dy_layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (dy, _) = contiguous(dy, dy_layout)?;
        let (other, _) = contiguous(other, other_layout)?;
        let gradient = match self.of {
            Of::Input => backward::input_gradient(&self.sizes, dy, other),
            Of::Weight => backward::weight_gradient(&self.sizes, other, dy),
        };
        Ok((CpuStorage::F32(gradient), self.shape.clone()))
    }
}
