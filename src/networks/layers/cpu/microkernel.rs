//! The innermost loop: a tile of outputs held in registers.

use rten_simd::Isa;
use rten_simd::ops::{BitOps, NumOps};

/// Floats after the last column that a tile may read or write.
pub(super) const SLACK: usize = 96;

/// Rows of a block of packed weights at most.
pub(super) const MAX_HEIGHT: usize = 8;

/// Rows of a block of packed weights for `rows` outputs: the fewest that hold them, at most [`MAX_HEIGHT`].
pub(super) fn block_height(rows: usize) -> usize {
    rows.next_power_of_two().min(MAX_HEIGHT)
}

/// Columns of a tile of [`MAX_HEIGHT`] rows.
pub(super) fn tile_width<I: Isa>(isa: I) -> usize {
    3 * isa.f32().len()
}

/// Adds products to a strip of output rows.
///
/// For each of the `height` rows i and each column j of `columns`,
/// `strip[i * stride + j] (+)= sum over k of weights[k * height + i] * input[offsets[k] + j]`.
/// Columns are rounded up to whole tiles, so that up to [`SLACK`] floats behind the last one are read and written.
pub(super) struct Strip<'a> {
    /// Packed weights [k][height].
    pub(super) weights: &'a [f32],
    /// Rows of a block of weights: 1, 2, 4 or 8.
    pub(super) height: usize,
    /// Where the input of each k starts.
    pub(super) offsets: &'a [u32],
    /// The input.
    pub(super) input: &'a [f32],
    /// Distance between the rows of the strip.
    pub(super) stride: usize,
    /// Whether to add to what the strip holds.
    pub(super) add: bool,
}

impl Strip<'_> {
    /// Runs over `columns` of `strip`.
    #[inline(always)]
    pub(super) fn run<I: Isa>(&self, isa: I, columns: std::ops::Range<usize>, strip: &mut [f32]) {
        // As many accumulators as leave registers for the inputs and a weight: AVX-512 and NEON have 32 registers,
        // AVX2 and SSE 16. A wide vector tells AVX-512, a narrow one may be either; NEON is the one that matters.
        let many_registers = isa.f32().len() != 8;
        match (self.height, many_registers) {
            (1, _) => self.columns::<I, 1, 1, 4>(isa, columns, strip),
            (2, _) => self.columns::<I, 2, 2, 4>(isa, columns, strip),
            (4, true) => self.columns::<I, 4, 4, 5>(isa, columns, strip),
            (4, false) => self.columns::<I, 4, 4, 3>(isa, columns, strip),
            (_, true) => self.columns::<I, 8, 8, 3>(isa, columns, strip),
            (_, false) => self.columns::<I, 8, 4, 3>(isa, columns, strip),
        }
    }

    /// `ROWS` of the `HEIGHT` rows at a time, `VECTORS` vectors wide.
    #[inline(always)]
    fn columns<I: Isa, const HEIGHT: usize, const ROWS: usize, const VECTORS: usize>(
        &self,
        isa: I,
        columns: std::ops::Range<usize>,
        strip: &mut [f32],
    ) {
        let lanes = isa.f32().len();
        let mut column = columns.start;
        while column < columns.end {
            let vectors = (columns.end - column).div_ceil(lanes);
            for first in (0..HEIGHT).step_by(ROWS) {
                match vectors {
                    1 => self.tile::<I, HEIGHT, ROWS, 1>(isa, first, column, strip),
                    2 => self.tile::<I, HEIGHT, ROWS, 2>(isa, first, column, strip),
                    _ => self.tile::<I, HEIGHT, ROWS, VECTORS>(isa, first, column, strip),
                }
            }
            column += lanes * if vectors < 3 { vectors } else { VECTORS };
        }
    }

    #[inline(always)]
    fn tile<I: Isa, const HEIGHT: usize, const ROWS: usize, const VECTORS: usize>(
        &self,
        isa: I,
        first: usize,
        column: usize,
        strip: &mut [f32],
    ) {
        let ops = isa.f32();
        let lanes = ops.len();
        let width = lanes * VECTORS;
        let mut sums = [[ops.zero(); VECTORS]; ROWS];
        let input = &self.input[column..];
        for (&offset, weights) in self.offsets.iter().zip(self.weights.chunks_exact(HEIGHT)) {
            let offset = offset as usize;
            let values: [I::F32; VECTORS] = ops.load_many(&input[offset..offset + width]);
            for (sums, &weight) in sums.iter_mut().zip(&weights[first..first + ROWS]) {
                let weight = ops.splat(weight);
                for (sum, &value) in sums.iter_mut().zip(&values) {
                    *sum = ops.mul_add(weight, value, *sum);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let start = (first + row) * self.stride + column;
            let row = &mut strip[start..start + width];
            for (sum, part) in sums.iter().zip(row.chunks_exact_mut(lanes)) {
                let total = if self.add {
                    ops.add(*sum, ops.load(part))
                } else {
                    *sum
                };
                ops.store(total, part);
            }
        }
    }
}
