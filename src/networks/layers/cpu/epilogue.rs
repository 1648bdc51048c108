//! What follows the products.

/// What follows the products.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    /// Added to each output channel.
    pub(super) bias: Option<&'a [f32]>,
    /// Added to each output.
    pub(super) sum: Option<&'a [f32]>,
    /// Outputs below it become it: 0 for ReLU, minus infinity for none.
    pub(super) floor: f32,
}

impl Epilogue<'_> {
    /// Nothing.
    pub(super) const NONE: Self = Self {
        bias: None,
        sum: None,
        floor: f32::NEG_INFINITY,
    };

    /// Writes a run of outputs of channel `channel`, the first of which is output `start` of all, from its products.
    #[inline(always)]
    pub(super) fn write(&self, products: &[f32], channel: usize, start: usize, y: &mut [f32]) {
        let bias = self.bias.map_or(0.0, |bias| bias[channel]);
        match self.sum {
            Some(sum) => {
                let sum = &sum[start..start + y.len()];
                for ((y, &product), &sum) in y.iter_mut().zip(products).zip(sum) {
                    *y = at_least(product + bias + sum, self.floor);
                }
            }
            None => {
                for (y, &product) in y.iter_mut().zip(products) {
                    *y = at_least(product + bias, self.floor);
                }
            }
        }
    }
}

/// max(x, floor) that lets NaN through, as PyTorch's ReLU does.
#[inline(always)]
pub(super) fn at_least(x: f32, floor: f32) -> f32 {
    if x < floor { floor } else { x }
}
