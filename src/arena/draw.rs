//! Chance, with a stream of its own for every thing that is drawn.
//!
//! A stream depends on the corpus's seed and on a name alone, so that no side of a video learns what another drew, and
//! an item comes out the same however many others are made and in whatever order.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The stream called `name` of the corpus with `seed`.
pub(super) fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{seed} {name}")).into())
}

/// A draw from the normal distribution with mean 0 and standard deviation 1 (Box and Muller).
pub(super) fn gaussian(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// One of `list`, which is not empty.
pub(super) fn pick<'a, T>(rng: &mut impl Rng, list: &'a [T]) -> &'a T {
    &list[rng.random_range(0..list.len())]
}

/// Seconds until the next of events that come `per_s` times a second on average, independently of each other.
pub(super) fn wait_s(rng: &mut impl Rng, per_s: f32) -> f32 {
    -(1.0 - rng.random::<f32>()).ln() / per_s.max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_seed_and_name() {
        let first = |seed, name| stream(seed, name).random::<u64>();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn the_normal_draws_are_normal() {
        let mut rng = stream(0, "normal");
        let draws: Vec<f32> = (0..4000).map(|_| gaussian(&mut rng)).collect();
        let mean = draws.iter().sum::<f32>() / 4000.0;
        let power = draws.iter().map(|x| x * x).sum::<f32>() / 4000.0;
        assert!(mean.abs() < 0.06 && (power - 1.0).abs() < 0.1, "{mean} {power}");
    }
}
