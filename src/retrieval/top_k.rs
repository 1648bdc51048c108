//! Exact top-K over all windows of a library.

use serde::{Deserialize, Serialize};

/// How a query and a candidate are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine similarity, -1..=1.
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

/// The `k` best rows of `table` (`rows x dim`, row-major) for `query` (`dim`), best first; ties by row.
/// Rows for which `keep` is false are passed over; a NaN score ranks last. One pass at memory speed.
pub fn top_k(
    table: &[f32],
    query: &[f32],
    k: usize,
    metric: Metric,
    keep: &(dyn Fn(usize) -> bool + Sync),
) -> Vec<Hit> {
    let _ = (table, query, k, metric, keep);
    Vec::new()
}
