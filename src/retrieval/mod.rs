//! Ranking, and how good a ranking is. Never sees a path.

mod bootstrap;
mod metrics;
mod top_k;

pub use bootstrap::{Intervals, bootstrap, luck};
pub use metrics::{Recall, rank_of, ranks, recall, similarity};
pub use top_k::{Hit, Metric, top_k};
