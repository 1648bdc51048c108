//! Convolution on the CPU: weights packed once, everything that follows done in the same pass, all in safe code on top of
//! `rten-simd`, which compiles it for AVX-512, AVX2 and NEON and chooses when the program runs.
//!
//! Which algorithm for which shape:
//! - 3 x 3 of stride 1 between at least 32 channels: [`winograd`].
//! - All others: [`direct`]. Pointwise convolutions and connected layers are its special case without a halo.
//!
//! Training goes the same ways ([`trained`]): the gradient of an input is a convolution again ([`backward`]).

mod axis;
mod backward;
mod direct;
mod microkernel;
mod plan;
mod trained;
mod winograd;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Shape, Tensor};

use self::direct::{Direct, Epilogue};
pub(super) use self::trained::Trained;
use self::winograd::Winograd;
use super::geometry::Geometry;
use super::storage::contiguous;
use crate::error::Result;

/// Weights and bias of a convolution, packed for the CPU.
#[derive(Debug)]
pub(super) struct Packed {
    geometry: Geometry,
    inputs: usize,
    outputs: usize,
    algorithm: Algorithm,
    bias: Option<Vec<f32>>,
}

#[derive(Debug)]
enum Algorithm {
    Direct(Direct),
    /// With the weights as they were.
    Winograd(Winograd, Tensor),
}

impl Packed {
    /// Packs `weight` [O, C, kt, kh, kw] and `bias` [O].
    ///
    /// # Errors
    /// When they are not of f32.
    pub(super) fn new(weight: &Tensor, bias: Option<&Tensor>, geometry: Geometry) -> Result<Self> {
        let (outputs, inputs) = (weight.dim(0)?, weight.dim(1)?);
        let weights: Vec<f32> = weight.flatten_all()?.to_vec1()?;
        let algorithm = if Winograd::wins(inputs, outputs, &geometry) {
            let winograd = Winograd::new(&weights, inputs, outputs, &geometry);
            Algorithm::Winograd(winograd, weight.clone())
        } else {
            Algorithm::Direct(Direct::new(&weights, inputs, outputs, &geometry))
        };
        Ok(Self {
            geometry,
            inputs,
            outputs,
            algorithm,
            bias: bias.map(Tensor::to_vec1).transpose()?,
        })
    }

    /// The weights [O, C, kt, kh, kw] and the bias [O] that were packed.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn unpack(&self) -> Result<(Tensor, Option<Tensor>)> {
        let weight = match &self.algorithm {
            Algorithm::Direct(direct) => {
                let [time, height, width] = self.geometry.kernel;
                let shape = (self.outputs, self.inputs, time, height, width);
                Tensor::from_vec(direct.unpack(), shape, &Device::Cpu)?
            }
            Algorithm::Winograd(_, weight) => weight.clone(),
        };
        let bias = self.bias.as_deref();
        let bias = bias.map(|bias| Tensor::new(bias, &Device::Cpu)).transpose()?;
        Ok((weight, bias))
    }

    /// # Shapes
    /// `x` [N, C, T, H, W], `sum` as the result -> [N, O, T', H', W'].
    ///
    /// # Errors
    /// When the input is smaller than the kernel or has other channels. No gradient flows.
    pub(super) fn run(&self, x: &Tensor, sum: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        let operation = Convolution { packed: self, relu };
        let x = x.contiguous()?;
        Ok(match sum {
            Some(sum) => x.apply_op2_no_bwd(&sum.contiguous()?, &operation)?,
            None => x.apply_op1_no_bwd(&operation)?,
        })
    }
}

struct Convolution<'a> {
    packed: &'a Packed,
    relu: bool,
}

impl Convolution<'_> {
    fn forward(
        &self,
        (x, shape): (&[f32], &Shape),
        sum: Option<(&[f32], &Shape)>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (batch, channels, frames, height, width) = shape.dims5()?;
        let packed = self.packed;
        if channels != packed.inputs {
            candle_core::bail!("a convolution of {} channels was given {channels}", packed.inputs);
        }
        let input = [frames, height, width];
        let output = packed.geometry.output(input).map_err(candle_core::Error::wrap)?;
        let [frames, height, width] = output;
        let result = Shape::from((batch, packed.outputs, frames, height, width));
        if let Some((_, shape)) = sum.filter(|(_, shape)| *shape != &result) {
            candle_core::bail!("a convolution gives {result:?} and cannot be added to {shape:?}");
        }
        let epilogue = Epilogue {
            bias: packed.bias.as_deref(),
            sum: sum.map(|(sum, _)| sum),
            floor: if self.relu { 0.0 } else { f32::NEG_INFINITY },
        };
        let y = match &packed.algorithm {
            Algorithm::Direct(direct) => direct.run(x, batch, input, output, epilogue),
            Algorithm::Winograd(winograd, _) => winograd.run(x, batch, input, output, epilogue),
        };
        Ok((CpuStorage::F32(y), result))
    }
}

impl CustomOp1 for Convolution<'_> {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward(contiguous(x, layout)?, None)
    }
}

impl CustomOp2 for Convolution<'_> {
    fn name(&self) -> &'static str {
        "convolution and sum"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        sum: &CpuStorage,
        sum_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward(contiguous(x, x_layout)?, Some(contiguous(sum, sum_layout)?))
    }
}
