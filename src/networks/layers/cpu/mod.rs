//! Convolution on the CPU: weights packed once, everything that follows done in the same pass, all in safe code on top of
//! `rten-simd`, which compiles it for AVX-512, AVX2 and NEON and chooses when the program runs.
//!
//! Which algorithm for which shape:
//! - 3 x 3 of stride 1 between at least 32 channels: [`winograd`].
//! - Three frames of stride 1 between at least 64 channels: [`temporal`].
//! - One place of a plane to at least 64 channels (pointwise convolutions, connected layers, other kernels along time), and
//!   planes less than 16 wide to at least 256 channels: [`product`].
//! - All others, and all with few output channels: [`direct`].
//!
//! README.md beside this file has the figures behind these rules, and what was tried and lost.
//!
//! Training goes the same ways ([`trained`]): the gradient of an input is a convolution again ([`backward`]). What else a
//! layer does there is done in few passes ([`follow`], [`scaled`]).

mod axis;
mod backward;
mod direct;
mod epilogue;
mod follow;
mod kernel;
mod microkernel;
mod plan;
mod points;
mod product;
mod scaled;
mod scratch;
mod shortcut;
mod temporal;
#[cfg(test)]
mod tests;
mod trained;
mod winograd;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Shape, Tensor};

use self::epilogue::Epilogue;
pub(super) use self::follow::Follow;
use self::kernel::Kernel;
pub(super) use self::scaled::Scaled;
use self::shortcut::Shortcut;
pub(super) use self::trained::Trained;
use super::geometry::Geometry;
use super::storage::contiguous;
use crate::error::Result;

/// Weights and bias of a convolution, packed for the CPU.
#[derive(Debug)]
pub(super) struct Packed {
    geometry: Geometry,
    kernel: Kernel,
    /// A faster way, where there is one.
    shortcut: Option<Shortcut>,
    bias: Option<Vec<f32>>,
}

impl Packed {
    /// Packs `weight` [O, C, kt, kh, kw] and `bias` [O].
    ///
    /// # Errors
    /// When they are not of f32.
    pub(super) fn new(weight: &Tensor, bias: Option<&Tensor>, geometry: Geometry) -> Result<Self> {
        let (outputs, inputs) = (weight.dim(0)?, weight.dim(1)?);
        let weights: Vec<f32> = weight.flatten_all()?.to_vec1()?;
        Ok(Self {
            geometry,
            kernel: Kernel::new(&weights, inputs, outputs, &geometry),
            shortcut: Shortcut::new(&weights, inputs, outputs, &geometry),
            bias: bias.map(Tensor::to_vec1).transpose()?,
        })
    }

    /// The weights [O, C, kt, kh, kw] and the bias [O] that were packed.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn unpack(&self) -> Result<(Tensor, Option<Tensor>)> {
        let [time, height, width] = self.geometry.kernel;
        let shape = (self.kernel.outputs, self.kernel.inputs, time, height, width);
        let weight = Tensor::from_vec(self.kernel.unpack(), shape, &Device::Cpu)?;
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
        if channels != packed.kernel.inputs {
            candle_core::bail!(
                "a convolution of {} channels was given {channels}",
                packed.kernel.inputs
            );
        }
        let input = [frames, height, width];
        let output = packed.geometry.output(input).map_err(candle_core::Error::wrap)?;
        let [frames, height, width] = output;
        let result = Shape::from((batch, packed.kernel.outputs, frames, height, width));
        if let Some((_, shape)) = sum.filter(|(_, shape)| *shape != &result) {
            candle_core::bail!("a convolution gives {result:?} and cannot be added to {shape:?}");
        }
        let epilogue = Epilogue {
            bias: packed.bias.as_deref(),
            sum: sum.map(|(sum, _)| sum),
            floor: if self.relu { 0.0 } else { f32::NEG_INFINITY },
        };
        let shortcut = packed
            .shortcut
            .as_ref()
            .filter(|shortcut| shortcut.pays(batch, output));
        let y = match shortcut {
            Some(shortcut) => shortcut.run(x, batch, input, output, epilogue),
            None => packed.kernel.run(x, batch, input, output, epilogue),
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
