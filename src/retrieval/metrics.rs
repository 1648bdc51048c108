//! R@K and median rank, with the tie rule that lets no constant embedding score.

use serde::{Deserialize, Serialize};

use super::top_k::Metric;

/// Recall of one run, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// R@1.
    pub r1: f64,
    /// R@5.
    pub r5: f64,
    /// R@10.
    pub r10: f64,
    /// R@25.
    pub r25: f64,
    /// Median rank of the truth.
    pub median_rank: f64,
}

/// 1 + number of candidates other than `truth` scoring >= the truth's score; NaN anywhere ranks the truth
/// last among what it is compared with (reading, point 13).
pub fn rank_of(scores: &[f32], truth: usize) -> usize {
    let own = scores[truth];
    if own.is_nan() {
        return scores.len();
    }
    1 + scores
        .iter()
        .enumerate()
        .filter(|&(i, score)| i != truth && score.partial_cmp(&own) != Some(std::cmp::Ordering::Less))
        .count()
}

/// The rank of each query's own candidate among all of them. `queries` and `candidates` are row-major with `dim` columns;
/// candidate i is the truth of query i.
pub fn ranks(queries: &[f32], candidates: &[f32], dim: usize, metric: Metric) -> Vec<usize> {
    let candidates: Vec<&[f32]> = candidates.chunks_exact(dim).collect();
    queries
        .chunks_exact(dim)
        .enumerate()
        .map(|(truth, query)| {
            let scores: Vec<f32> = candidates
                .iter()
                .map(|candidate| similarity(query, candidate, metric))
                .collect();
            rank_of(&scores, truth)
        })
        .collect()
}

/// Similarity of two embeddings; higher is better. NaN where a cosine has no direction.
pub fn similarity(a: &[f32], b: &[f32], metric: Metric) -> f32 {
    let sum = |term: fn(f64, f64) -> f64| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| term(f64::from(a), f64::from(b)))
            .sum()
    };
    let score = match metric {
        Metric::Cosine => sum(|a, b| a * b) / (sum(|a, _| a * a) * sum(|_, b| b * b)).sqrt(),
        Metric::L2 => -sum(|a, b| (a - b) * (a - b)).sqrt(),
    };
    score as f32
}

/// Recall over the ranks of all queries (1-based).
pub fn recall(ranks: &[usize]) -> Recall {
    let at =
        |k: usize| 100.0 * ranks.iter().filter(|&&rank| rank <= k).count() as f64 / ranks.len().max(1) as f64;
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let median_rank = match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2] as f64,
        n => (sorted[n / 2 - 1] + sorted[n / 2]) as f64 / 2.0,
    };
    Recall {
        r1: at(1),
        r5: at(5),
        r10: at(10),
        r25: at(25),
        median_rank,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_embedding_scores_nothing() {
        let ranks: Vec<usize> = (0..20).map(|truth| rank_of(&[0.5; 20], truth)).collect();
        assert_eq!(recall(&ranks).r1, 0.0);
        assert_eq!(recall(&ranks).r10, 0.0);
    }

    #[test]
    fn each_query_is_ranked_against_all_candidates() {
        let candidates = [1.0, 0.0, 0.0, 2.0, -1.0, 0.0];
        let check = |queries: &[f32], metric: Metric, expected: &[usize]| {
            assert_eq!(ranks(queries, &candidates, 2, metric), expected);
        };
        check(&[1.0, 0.1, 0.0, 1.0, 1.0, 0.0], Metric::Cosine, &[1, 1, 3]);
        check(&[0.0, 1.9, 0.0, 1.9, 0.0, 0.0], Metric::L2, &[3, 1, 2]);
        // A query without direction ranks last.
        check(&[0.0, 0.0], Metric::Cosine, &[3]);
    }

    #[test]
    fn nan_never_helps() {
        assert_eq!(rank_of(&[f32::NAN, 0.1, 0.2], 0), 3);
        assert_eq!(rank_of(&[f32::NAN, 0.1, 0.2], 2), 2);
    }

    #[test]
    fn ranks_count_better_candidates() {
        assert_eq!(rank_of(&[0.9, 0.5, 0.7], 1), 3);
        let recall = recall(&[1, 3, 7, 30]);
        assert_eq!(
            (recall.r1, recall.r5, recall.r10, recall.r25, recall.median_rank),
            (25.0, 50.0, 75.0, 75.0, 5.0)
        );
    }
}
