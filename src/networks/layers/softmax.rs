//! The softmax of attention.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Device, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::storage::contiguous;
use crate::error::Result;

/// softmax(scale x) along the last axis, with a gradient. On the CPU one pass each way; candle's own operations make
/// five, and its fused one has no gradient.
///
/// # Shapes
/// [.., N] -> the same.
///
/// # Errors
/// When the device fails.
pub fn scaled_softmax(x: &Tensor, scale: f64) -> Result<Tensor> {
    if matches!(x.device(), Device::Cpu) {
        return Ok(x.contiguous()?.apply_op1(Softmax { scale: scale as f32 })?);
    }
    Ok(candle_nn::ops::softmax(&(x * scale)?, D::Minus1)?)
}

#[derive(Debug, Clone, Copy)]
struct Softmax {
    scale: f32,
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, shape) = contiguous(x, layout)?;
        let row = row(shape);
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(row * ROWS)
            .zip(x.par_chunks(row * ROWS))
            .for_each(|(y, x)| {
                for (y, x) in y.chunks_exact_mut(row).zip(x.chunks_exact(row)) {
                    let largest = x
                        .iter()
                        .fold(f32::NEG_INFINITY, |largest, &x| largest.max(x * self.scale));
                    let mut sum = 0.0;
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = (x * self.scale - largest).exp();
                        sum += *y;
                    }
                    let share = 1.0 / sum;
                    y.iter_mut().for_each(|y| *y *= share);
                }
            });
        Ok((CpuStorage::F32(y), shape.clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, dy: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let gradient = Gradient { scale: self.scale };
        Ok(Some(y.apply_op2_no_bwd(&dy.contiguous()?, &gradient)?))
    }
}

/// From the softmax and its gradient: scale y (dy - sum of y dy).
struct Gradient {
    scale: f32,
}

impl CustomOp2 for Gradient {
    fn name(&self) -> &'static str {
        "gradient of a softmax"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        dy: &CpuStorage,
        dy_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (y, shape) = contiguous(y, y_layout)?;
        let (dy, _) = contiguous(dy, dy_layout)?;
        let row = row(shape);
        let mut dx = vec![0.0; y.len()];
        dx.par_chunks_mut(row * ROWS)
            .zip(y.par_chunks(row * ROWS))
            .zip(dy.par_chunks(row * ROWS))
            .for_each(|((dx, y), dy)| {
                let rows = y.chunks_exact(row).zip(dy.chunks_exact(row));
                for (dx, (y, dy)) in dx.chunks_exact_mut(row).zip(rows) {
                    let sum: f32 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
                    for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = self.scale * y * (dy - sum);
                    }
                }
            });
        Ok((CpuStorage::F32(dx), shape.clone()))
    }
}

/// Rows that a thread takes at a time.
const ROWS: usize = 64;

/// Values of a row.
fn row(shape: &Shape) -> usize {
    shape.dims().last().copied().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::super::tests::{difference, noise};
    use super::*;

    #[test]
    fn values_and_gradients_are_those_of_candles_operations() -> Result<()> {
        for shape in [&[2, 3, 5][..], &[1, 1], &[4, 200, 7]] {
            let x = Var::from_tensor(&(noise(shape, 1) * 20.0)?)?;
            let weights = noise(shape, 2);
            let ours = scaled_softmax(x.as_tensor(), 0.3)?;
            let theirs = candle_nn::ops::softmax(&(x.as_tensor() * 0.3)?, D::Minus1)?;
            assert!(difference(&ours, &theirs) < 1e-6);
            let gradient = |y: Tensor| -> Result<Tensor> {
                let gradients = (y * &weights)?.sum_all()?.backward()?;
                Ok(gradients.get(&x).expect("a gradient").clone())
            };
            let (ours, theirs) = (gradient(ours)?, gradient(theirs)?);
            assert!(shape == [1, 1] || difference(&ours, &theirs) < 1e-5);
        }
        Ok(())
    }
}
