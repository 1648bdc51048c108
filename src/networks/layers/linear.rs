//! A fully connected layer.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::error::Result;
use crate::networks::weights::parameter;

/// y = x W^T + b, with PyTorch's `weight` [out, in] and `bias` `[out]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Reads `weight` and `bias` at `vb`.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let bias = parameter(vb, outputs, "bias", uniform(inputs))?;
        Ok(Self {
            bias: Some(bias),
            ..Self::without_bias(inputs, outputs, vb)?
        })
    }

    /// Reads `weight` at `vb`.
    ///
    /// # Errors
    /// When it is missing or misshapen.
    pub fn without_bias(inputs: usize, outputs: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: parameter(vb, (outputs, inputs), "weight", uniform(inputs))?,
            bias: None,
        })
    }

    /// # Shapes
    /// [.., in] -> [.., out].
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let inputs = shape.pop().unwrap_or(1);
        let rows = x.elem_count() / inputs.max(1);
        let y = x.reshape((rows, inputs))?.matmul(&self.weight.t()?)?;
        let y = match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        shape.push(self.weight.dim(0)?);
        Ok(y.reshape(shape)?)
    }
}

/// How PyTorch's `Linear` starts: uniform within 1 / sqrt(inputs).
fn uniform(inputs: usize) -> Init {
    let bound = 1.0 / (inputs as f64).sqrt();
    Init::Uniform {
        lo: -bound,
        up: bound,
    }
}
