//! How sure a recall is, and what luck alone would score.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::metrics::{Recall, recall};

/// Lower and upper end of a 95 % interval, by the name of the figure: `r1`, `r5`, `r10`, `r25`.
pub type Intervals = BTreeMap<String, [f64; 2]>;

/// How often the queries are drawn anew.
const DRAWS: usize = 2000;

/// 95 % intervals of the recall over `ranks`, by drawing the queries anew with replacement.
pub fn bootstrap(ranks: &[usize], seed: u64) -> Intervals {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draws: Vec<Recall> = (0..DRAWS)
        .map(|_| {
            let drawn: Vec<usize> = ranks
                .iter()
                .map(|_| ranks[rng.random_range(0..ranks.len())])
                .collect();
            recall(&drawn)
        })
        .collect();
    intervals(&draws)
}

/// What luck scores where the truth of query i is equally likely at each of the first `pools[i]` ranks: the mean over
/// many orders, and the interval in which 95 % of them lie.
pub fn luck(pools: &[usize], seed: u64) -> (Recall, Intervals) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draws: Vec<Recall> = (0..DRAWS)
        .map(|_| {
            let ranks: Vec<usize> = pools
                .iter()
                .map(|&pool| rng.random_range(1..=pool.max(1)))
                .collect();
            recall(&ranks)
        })
        .collect();
    let mean = |figure: fn(&Recall) -> f64| draws.iter().map(figure).sum::<f64>() / DRAWS as f64;
    let recall = Recall {
        r1: mean(|recall| recall.r1),
        r5: mean(|recall| recall.r5),
        r10: mean(|recall| recall.r10),
        r25: mean(|recall| recall.r25),
        median_rank: mean(|recall| recall.median_rank),
    };
    (recall, intervals(&draws))
}

fn intervals(draws: &[Recall]) -> Intervals {
    let figures: [(&str, fn(&Recall) -> f64); 4] = [
        ("r1", |recall| recall.r1),
        ("r5", |recall| recall.r5),
        ("r10", |recall| recall.r10),
        ("r25", |recall| recall.r25),
    ];
    figures
        .into_iter()
        .map(|(name, figure)| {
            let mut values: Vec<f64> = draws.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
            (name.to_owned(), [at(0.025), at(0.975)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_the_recall_and_repeat() {
        let ranks: Vec<usize> = (1..=100).collect();
        let intervals = bootstrap(&ranks, 1);
        let [low, high] = intervals["r10"];
        // 10 % of 100 queries: a standard error of 3.
        assert!(
            (3.0..=6.0).contains(&low) && (14.0..=17.0).contains(&high),
            "{low} {high}"
        );
        assert_eq!(intervals, bootstrap(&ranks, 1));
        assert_eq!(bootstrap(&[1; 20], 1)["r1"], [100.0, 100.0]);
    }

    #[test]
    fn luck_is_what_it_is() {
        let (chance, intervals) = luck(&[100; 160], 1);
        assert!(
            (chance.r1 - 1.0).abs() < 0.1 && (chance.r25 - 25.0).abs() < 0.5,
            "{chance:?}"
        );
        assert!((chance.median_rank - 50.5).abs() < 1.0);
        let [low, high] = intervals["r25"];
        assert!(low < 20.0 && high > 30.0);
        assert_eq!(luck(&[1; 5], 1).0.r1, 100.0);
    }
}
