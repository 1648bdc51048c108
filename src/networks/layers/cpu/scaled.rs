//! Weights that a batch norm is folded into in training.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::super::storage::contiguous;

/// Weights [O, ..], each output channel times its factor [O], with gradients for both; candle's broadcast takes one value
/// at a time.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Scaled;

impl CustomOp2 for Scaled {
    fn name(&self) -> &'static str {
        "scaled weights"
    }

    fn cpu_fwd(
        &self,
        weights: &CpuStorage,
        weights_layout: &Layout,
        factors: &CpuStorage,
        factors_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (weights, shape) = contiguous(weights, weights_layout)?;
        let (factors, _) = contiguous(factors, factors_layout)?;
        let row = row(shape, factors)?;
        let mut scaled = vec![0.0; weights.len()];
        scaled
            .par_chunks_mut(row)
            .zip(weights.par_chunks(row))
            .zip(factors)
            .for_each(|((scaled, weights), factor)| {
                for (scaled, weight) in scaled.iter_mut().zip(weights) {
                    *scaled = weight * factor;
                }
            });
        Ok((CpuStorage::F32(scaled), shape.clone()))
    }

    fn bwd(
        &self,
        weights: &Tensor,
        factors: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        Ok((
            weights
                .track_op()
                .then(|| gradient.apply_op2_no_bwd(factors, &Self))
                .transpose()?,
            factors
                .track_op()
                .then(|| gradient.apply_op2_no_bwd(weights, &RowProducts))
                .transpose()?,
        ))
    }
}

/// The scalar product of each row of two [O, ..]: [O].
struct RowProducts;

impl CustomOp2 for RowProducts {
    fn name(&self) -> &'static str {
        "products of rows"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (a, shape) = contiguous(a, a_layout)?;
        let (b, _) = contiguous(b, b_layout)?;
        let rows = shape.dims().first().copied().unwrap_or(1);
        let row = (a.len() / rows.max(1)).max(1);
        let products: Vec<f32> = a
            .par_chunks(row)
            .zip(b.par_chunks(row))
            .map(|(a, b)| product(a, b))
            .collect();
        Ok((CpuStorage::F32(products), Shape::from(rows)))
    }
}

/// The scalar product, some values at a time: faster than one after the other, and more exact.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, b) = (a.chunks_exact(sums.len()), b.chunks_exact(sums.len()));
    let rest = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b);
    let rest: f32 = rest.sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Weights of an output channel.
fn row(shape: &Shape, factors: &[f32]) -> candle_core::Result<usize> {
    let outputs = shape.dims().first().copied().unwrap_or(0);
    if outputs == 0 || outputs != factors.len() {
        candle_core::bail!("{} factors do not go with weights {shape:?}", factors.len());
    }
    Ok((shape.elem_count() / outputs).max(1))
}
