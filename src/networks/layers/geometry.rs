//! The shape of a convolution along time, height and width.

use crate::error::{Error, Result};

/// Kernel, stride, dilation and zero padding along time, height and width; a 2-D convolution is one with a single
/// time step. Stride and dilation are the same along height and width, as in every network here, and none has groups:
/// each output channel sees all input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub(super) kernel: [usize; 3],
    pub(super) stride: [usize; 3],
    pub(super) dilation: [usize; 3],
    /// Zeros before and after the input.
    pub(super) padding: [(usize, usize); 3],
}

impl Geometry {
    /// A kernel of `height` x `width`, stride 1, no padding.
    pub fn plane(height: usize, width: usize) -> Self {
        Self::volume([1, height, width])
    }

    /// A kernel along time, height and width, stride 1, no padding.
    pub fn volume(kernel: [usize; 3]) -> Self {
        Self {
            kernel,
            stride: [1; 3],
            dilation: [1; 3],
            padding: [(0, 0); 3],
        }
    }

    /// The stride along height and width.
    #[must_use]
    pub fn with_stride(mut self, stride: usize) -> Self {
        self.stride = [self.stride[0], stride, stride];
        self
    }

    /// The stride along time.
    #[must_use]
    pub fn with_time_stride(mut self, stride: usize) -> Self {
        self.stride[0] = stride;
        self
    }

    /// The dilation along height and width.
    #[must_use]
    pub fn with_dilation(mut self, dilation: usize) -> Self {
        self.dilation = [self.dilation[0], dilation, dilation];
        self
    }

    /// As many zeros on each side as centre the kernel, as PyTorch's networks pad: half the dilated kernel.
    #[must_use]
    pub fn centred(mut self) -> Self {
        self.padding = std::array::from_fn(|axis| {
            let half = self.dilation[axis] * (self.kernel[axis] - 1) / 2;
            (half, half)
        });
        self
    }

    /// Zeros above, below, left and right.
    #[must_use]
    pub fn with_plane_padding(mut self, height: (usize, usize), width: (usize, usize)) -> Self {
        self.padding = [self.padding[0], height, width];
        self
    }

    /// TensorFlow's `same` for an input of `height` x `width`: as many zeros that ceil(size / stride) outputs come
    /// out, the odd one below and right.
    #[must_use]
    pub fn same(mut self, height: usize, width: usize) -> Self {
        for (axis, size) in [(1, height), (2, width)] {
            let reach = self.reach(axis);
            let outputs = size.div_ceil(self.stride[axis]);
            let zeros = ((outputs.max(1) - 1) * self.stride[axis] + reach).saturating_sub(size);
            self.padding[axis] = (zeros / 2, zeros - zeros / 2);
        }
        self
    }

    /// Output sizes along time, height and width for an input of these sizes.
    ///
    /// # Errors
    /// When the padded input is smaller than the kernel.
    pub fn output(&self, input: [usize; 3]) -> Result<[usize; 3]> {
        let mut output = [0; 3];
        for axis in 0..3 {
            let (before, after) = self.padding[axis];
            let padded = input[axis] + before + after;
            let reach = self.reach(axis);
            if padded < reach {
                return Err(Error::internal(format!(
                    "an input of {input:?} is smaller than the kernel {:?} of a convolution",
                    self.kernel
                )));
            }
            output[axis] = (padded - reach) / self.stride[axis] + 1;
        }
        Ok(output)
    }

    /// Input samples that one output sees along `axis`, dilation included.
    pub(super) fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Kernel size along time, height and width.
    pub fn kernel(&self) -> [usize; 3] {
        self.kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_pads_as_tensorflow_does() {
        let check = |size: usize, kernel: usize, stride: usize, expected: (usize, usize)| {
            let geometry = Geometry::plane(kernel, kernel)
                .with_stride(stride)
                .same(size, size);
            assert_eq!(geometry.padding[1], expected, "{size} {kernel} {stride}");
            let output = geometry.output([1, size, size]).expect("an output");
            assert_eq!(output[1], size.div_ceil(stride));
        };
        check(512, 5, 2, (1, 2));
        check(7, 5, 2, (2, 2));
        check(8, 3, 1, (1, 1));
        check(1, 1, 2, (0, 0));
        check(5, 2, 3, (0, 0));
    }

    #[test]
    fn a_kernel_larger_than_the_input_is_refused() {
        assert!(Geometry::plane(3, 3).output([1, 2, 5]).is_err());
        assert_eq!(
            Geometry::plane(3, 3).centred().output([1, 2, 5]).expect("fits"),
            [1, 2, 5]
        );
    }
}
