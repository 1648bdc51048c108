//! Exact top-K over all windows of a library.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};
use serde::{Deserialize, Serialize};

/// How a query and a candidate are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine similarity, -1..=1; NaN for a vector of zeros.
    Cosine,
    /// Negative Euclidean distance.
    L2,
}

/// One row of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Row of the table.
    pub row: usize,
    /// Higher is better.
    pub score: f32,
}

/// Rows that one task scores: with d_E = 512, 2 MiB of the table, long against the cost of a task and short against
/// the whole.
const BLOCK_ROWS: usize = 1024;

/// The `k` best rows of `table` (`rows x dim`, row-major) for `query` (`dim`), best first; ties by row.
/// Rows for which `keep` is false are passed over; a NaN score ranks last. One pass at memory speed.
pub fn top_k(
    table: &[f32],
    query: &[f32],
    k: usize,
    metric: Metric,
    keep: &(dyn Fn(usize) -> bool + Sync),
) -> Vec<Hit> {
    let dim = query.len();
    if dim == 0 || k == 0 {
        return Vec::new();
    }
    debug_assert!(
        table.len().is_multiple_of(dim),
        "the table has rows of another length"
    );
    let norm = dot(query, query).sqrt();
    let mut best = table
        .par_chunks(BLOCK_ROWS * dim)
        .enumerate()
        .fold(BinaryHeap::new, |mut heap, (block, rows)| {
            let sums = Sums { query, rows, metric }.dispatch();
            for (i, (sum, squares)) in sums.into_iter().enumerate() {
                let row = block * BLOCK_ROWS + i;
                if keep(row) {
                    let score = match metric {
                        Metric::Cosine => sum / (norm * squares.sqrt()),
                        Metric::L2 => -sum.sqrt(),
                    };
                    offer(&mut heap, Ranked(Hit { row, score }), k);
                }
            }
            heap
        })
        .reduce(BinaryHeap::new, |mut all, other| {
            for hit in other {
                offer(&mut all, hit, k);
            }
            all
        })
        .into_vec();
    best.sort_unstable();
    best.into_iter().map(|ranked| ranked.0).collect()
}

/// Keeps the `k` best; the heap's greatest is the worst of them.
fn offer(heap: &mut BinaryHeap<Ranked>, hit: Ranked, k: usize) {
    if heap.len() < k {
        heap.push(hit);
    } else if let Some(mut worst) = heap.peek_mut()
        && hit < *worst
    {
        *worst = hit;
    }
}

/// A hit in the order of the answer: less is better.
struct Ranked(Hit);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others) = (self.0.score, other.0.score);
        own.is_nan()
            .cmp(&others.is_nan())
            // Equal where one of them is NaN, because then both are.
            .then_with(|| others.partial_cmp(&own).unwrap_or(Ordering::Equal))
            .then_with(|| self.0.row.cmp(&other.0.row))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What each row of a block is scored by, reading it once: `query . row` and `row . row`, or `|query - row|^2` and nothing.
/// Compiled for each instruction set, because the one that all processors have keeps less than half of the memory's speed.
struct Sums<'a> {
    query: &'a [f32],
    rows: &'a [f32],
    metric: Metric,
}

impl SimdOp for Sums<'_> {
    type Output = Vec<(f32, f32)>;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> Vec<(f32, f32)> {
        let (query, dim) = (self.query, self.query.len());
        let mut sums = Vec::with_capacity(self.rows.len() / dim);
        for row in self.rows.chunks_exact(dim) {
            sums.push(match self.metric {
                Metric::Cosine => sums_of::<I, true>(isa, query, row),
                Metric::L2 => sums_of::<I, false>(isa, query, row),
            });
        }
        sums
    }
}

/// Two vectors at a time, so that no addition waits for the one before. No closure may see the sums: it would not be compiled
/// for the instruction set, and they would live in memory.
#[inline(always)]
fn sums_of<I: Isa, const COSINE: bool>(isa: I, query: &[f32], row: &[f32]) -> (f32, f32) {
    let ops = isa.f32();
    let wide = ops.len();
    let (mut sum, mut sum_after) = (ops.zero(), ops.zero());
    let (mut square, mut square_after) = (ops.zero(), ops.zero());
    let (queries, rows) = (query.chunks_exact(2 * wide), row.chunks_exact(2 * wide));
    let rest = queries.remainder().iter().zip(rows.remainder());
    for (query, row) in queries.zip(rows) {
        let ((query, query_after), (row, row_after)) = (query.split_at(wide), row.split_at(wide));
        let (query, query_after) = (ops.load(query), ops.load(query_after));
        let (row, row_after) = (ops.load(row), ops.load(row_after));
        if COSINE {
            sum = ops.mul_add(query, row, sum);
            sum_after = ops.mul_add(query_after, row_after, sum_after);
            square = ops.mul_add(row, row, square);
            square_after = ops.mul_add(row_after, row_after, square_after);
        } else {
            let (gap, gap_after) = (ops.sub(query, row), ops.sub(query_after, row_after));
            sum = ops.mul_add(gap, gap, sum);
            sum_after = ops.mul_add(gap_after, gap_after, sum_after);
        }
    }
    let mut sum = ops.sum(ops.add(sum, sum_after));
    let mut square = ops.sum(ops.add(square, square_after));
    for (&query, &row) in rest {
        if COSINE {
            sum += query * row;
            square += row * row;
        } else {
            sum += (query - row) * (query - row);
        }
    }
    (sum, square)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All rows sorted, scored in double precision.
    fn naive(table: &[f32], query: &[f32], metric: Metric, keep: &dyn Fn(usize) -> bool) -> Vec<Hit> {
        let score = |row: &[f32]| {
            let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                query
                    .iter()
                    .zip(row)
                    .map(|(&q, &r)| f(f64::from(q), f64::from(r)))
                    .sum()
            };
            match metric {
                Metric::Cosine => sum(&|q, r| q * r) / (sum(&|q, _| q * q) * sum(&|_, r| r * r)).sqrt(),
                Metric::L2 => -sum(&|q, r| (q - r) * (q - r)).sqrt(),
            }
        };
        let mut hits: Vec<Hit> = table
            .chunks(query.len())
            .enumerate()
            .filter(|&(row, _)| keep(row))
            .map(|(row, values)| Hit {
                row,
                score: score(values) as f32,
            })
            .collect();
        hits.sort_by(|a, b| match (a.score.is_nan(), b.score.is_nan()) {
            (false, false) => b.score.total_cmp(&a.score),
            (a, b) => a.cmp(&b),
        });
        hits
    }

    proptest! {
        /// Small whole numbers, so that scores tie often and sums are exact.
        #[test]
        fn agrees_with_sorting_everything(
            (dim, values, query) in (1_usize..40).prop_flat_map(|dim| (
                Just(dim),
                proptest::collection::vec(
                    prop_oneof![20 => (-3_i8..4).prop_map(f32::from), 1 => Just(f32::NAN)], 0..dim * 60),
                proptest::collection::vec((-3_i8..4).prop_map(f32::from), dim),
            )),
            k in 0_usize..80,
            skip in 1_usize..7,
            l2 in any::<bool>(),
        ) {
            let table = &values[..values.len() / dim * dim];
            let metric = if l2 { Metric::L2 } else { Metric::Cosine };
            let keep = |row: usize| row % skip != 1;
            let expected = naive(table, &query, metric, &keep);
            let found = top_k(table, &query, k, metric, &keep);
            prop_assert_eq!(found.len(), k.min(expected.len()));
            for (found, expected) in found.iter().zip(&expected) {
                let both_nan = found.score.is_nan() && expected.score.is_nan();
                prop_assert!(both_nan || (found.score - expected.score).abs() < 1e-5);
            }
            if metric == Metric::L2 {
                // Exact sums: the rows themselves agree, ties included.
                let rows = |hits: &[Hit]| hits.iter().map(|hit| hit.row).collect::<Vec<_>>();
                prop_assert_eq!(rows(&found), rows(&expected[..found.len()]));
            }
        }
    }

    #[test]
    fn ties_go_by_row_across_blocks() {
        let table = vec![1.0; 2 * (BLOCK_ROWS * 3 + 5)];
        let hits = top_k(&table, &[2.0, 2.0], 2000, Metric::Cosine, &|row| row != 1);
        let rows: Vec<usize> = hits.iter().map(|hit| hit.row).collect();
        let expected: Vec<usize> = std::iter::once(0).chain(2..2001).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn zeros_and_nan_rank_last() {
        let table = [0.0, 0.0, -1.0, 0.0, f32::NAN, 1.0, 1.0, 0.0];
        let hits = top_k(&table, &[1.0, 0.0], 9, Metric::Cosine, &|_| true);
        let rows: Vec<usize> = hits.iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [3, 1, 0, 2]);
        assert!(hits[2].score.is_nan() && hits[3].score.is_nan());
    }
}
