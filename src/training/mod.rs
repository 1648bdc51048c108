//! Corpora, losses, schedule and trainer (3.3 and 4 of the paper).

mod config;
pub mod corpus;
mod schedule;

pub use config::{Config, OptimizerConfig};
pub use schedule::MarginSchedule;
