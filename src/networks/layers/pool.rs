//! Max pooling.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::{Isa, SimdOp};

use crate::error::{Error, Result};

/// The largest of each window along the last two axes of values that are not negative, as behind a ReLU: the padding
/// is zeros there, which is what PyTorch's minus infinity comes to.
///
/// # Shapes
/// [.., H, W] -> [.., H', W'] with H' = (H + 2 padding - kernel) / stride + 1.
///
/// # Errors
/// When the padded input is smaller than the window or the device fails.
pub fn max_pool(x: &Tensor, kernel: usize, stride: usize, padding: usize) -> Result<Tensor> {
    let pool = MaxPool {
        kernel,
        stride,
        padding,
    };
    let rank = x.rank();
    let outputs = (pool.outputs(x.dim(rank - 2)?), pool.outputs(x.dim(rank - 1)?));
    let (Some(height), Some(width)) = outputs else {
        return Err(Error::internal(format!(
            "an input of {:?} is smaller than a pooling window of {kernel}",
            x.dims()
        )));
    };
    // One pass on the CPU; elsewhere, and where a gradient must flow, the maximum of shifted inputs.
    if matches!(x.device(), Device::Cpu) && !x.track_op() {
        return Ok(x.contiguous()?.apply_op1_no_bwd(&pool)?);
    }
    let rows = pool.along(x, rank - 2, height)?;
    pool.along(&rows, rank - 1, width)
}

struct MaxPool {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl MaxPool {
    fn outputs(&self, inputs: usize) -> Option<usize> {
        Some((inputs + 2 * self.padding).checked_sub(self.kernel)? / self.stride + 1)
    }

    /// Pools one axis.
    fn along(&self, x: &Tensor, axis: usize, outputs: usize) -> Result<Tensor> {
        let padded = x.pad_with_zeros(axis, self.padding, self.padding)?.contiguous()?;
        let shifted = |tap: usize| -> Result<Tensor> {
            let indices: Vec<u32> = (0..outputs)
                .map(|output| (output * self.stride + tap) as u32)
                .collect();
            Ok(padded.index_select(&Tensor::new(indices, x.device())?, axis)?)
        };
        let mut largest = shifted(0)?;
        for tap in 1..self.kernel {
            largest = largest.maximum(&shifted(tap)?)?;
        }
        Ok(largest)
    }

    /// The inputs that an output sees, one after the other.
    fn inside(&self, output: usize, inputs: usize) -> Range<usize> {
        let start = output * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(inputs)
    }
}

/// One plane of `input` into `output`, compiled for each instruction set.
struct Plane<'a> {
    pool: &'a MaxPool,
    input: &'a [f32],
    width: usize,
    output: &'a mut [f32],
    output_width: usize,
}

impl SimdOp for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let MaxPool {
            kernel,
            stride,
            padding,
        } = *self.pool;
        let height = self.input.len() / self.width;
        // The largest of each column, zeros beside them.
        let mut columns = vec![0.0_f32; (padding + self.width).max(self.output_width * stride + kernel)];
        for (y, row) in self.output.chunks_exact_mut(self.output_width).enumerate() {
            let inside = &mut columns[padding..padding + self.width];
            inside.fill(0.0);
            for line in self.pool.inside(y, height) {
                let line = &self.input[line * self.width..][..self.width];
                for (largest, &value) in inside.iter_mut().zip(line) {
                    *largest = larger(*largest, value);
                }
            }
            row.fill(0.0);
            for tap in 0..kernel {
                let seen = &columns[tap..];
                if stride == 2 {
                    // In pairs, which compilers know how to do many at a time.
                    for (largest, pair) in row.iter_mut().zip(seen.chunks_exact(2)) {
                        *largest = larger(*largest, pair[0]);
                    }
                } else {
                    for (largest, &value) in row.iter_mut().zip(seen.iter().step_by(stride)) {
                        *largest = larger(*largest, value);
                    }
                }
            }
        }
    }
}

/// The larger of two, in the form that vectors have.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (input, shape) = super::storage::contiguous(storage, layout)?;
        let dims = shape.dims();
        let (height, width) = (dims[dims.len() - 2], dims[dims.len() - 1]);
        let outputs = (self.outputs(height), self.outputs(width));
        let (Some(output_height), Some(output_width)) = outputs else {
            candle_core::bail!("a pooling window of {} does not fit {dims:?}", self.kernel)
        };
        let planes: usize = dims[..dims.len() - 2].iter().product();
        let mut output = vec![0.0; planes * output_height * output_width];
        output
            .par_chunks_mut(output_height * output_width)
            .zip(input.par_chunks(height * width))
            .for_each(|(output, input)| {
                let plane = Plane {
                    pool: self,
                    input,
                    width,
                    output,
                    output_width,
                };
                plane.dispatch();
            });
        let mut dims = dims.to_vec();
        let rank = dims.len();
        dims[rank - 2] = output_height;
        dims[rank - 1] = output_width;
        Ok((CpuStorage::F32(output), Shape::from(dims)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use proptest::prelude::*;

    use super::super::tests::{difference, noise};
    use super::*;

    proptest! {
        #[test]
        fn both_paths_agree(
            size in (1_usize..9, 1_usize..9),
            kernel in 1_usize..4,
            stride in 1_usize..4,
            padding in 0_usize..2,
        ) {
            let padding = padding.min(kernel - 1);
            prop_assume!(size.0.min(size.1) + 2 * padding >= kernel);
            let x = noise(&[2, 3, size.0, size.1], 1).relu().expect("relu");
            let fast = max_pool(&x, kernel, stride, padding).expect("pool");
            let tracked = Var::from_tensor(&x).expect("variable");
            let slow = max_pool(tracked.as_tensor(), kernel, stride, padding).expect("pool");
            prop_assert_eq!(difference(&fast, &slow), 0.0);
        }
    }

    #[test]
    fn gradients_reach_the_largest() -> Result<()> {
        let x = Var::from_tensor(&Tensor::new(
            &[[1.0_f32, 3.0, 2.0], [0.0, 1.0, 5.0]],
            &Device::Cpu,
        )?)?;
        let y = max_pool(x.as_tensor(), 2, 1, 0)?;
        assert_eq!(y.to_vec2::<f32>()?, [[3.0, 5.0]]);
        let gradients = y.sum_all()?.backward()?;
        let gradient = gradients.get(&x).expect("a gradient").to_vec2::<f32>()?;
        assert_eq!(gradient, [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        Ok(())
    }
}
