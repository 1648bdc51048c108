//! Corpora, losses, schedule and trainer (3.3 and 4 of the paper).
//!
//! [`corpus`] reads `corpus.json`; [`sampler`] draws what each batch holds; a [`Learner`] turns a batch into
//! embeddings; [`losses`] are eq. 5-7; [`train`] moves the [`Variables`] along them and keeps a checkpoint. The loop
//! knows neither media nor packs: whoever calls it brings the features, as [`Heads`] does from a cache.

mod baselines;
mod checkpoint;
mod config;
mod contrastive;
pub mod corpus;
mod end_to_end;
mod heads;
mod learner;
pub mod losses;
mod objective;
mod optimizer;
pub mod published;
pub mod ranking;
mod rhythm;
mod run_folder;
pub mod sampler;
mod schedule;
mod trainer;
mod variables;

pub use baselines::{CbvmrSides, CmmrStreams, tag_names, tag_targets};
pub use checkpoint::{Checkpoint, Partial, Progress};
pub use config::{Config, ObjectiveConfig, OptimizerConfig, RateSchedule};
pub use contrastive::contrastive;
pub use end_to_end::{EndToEnd, Stored, Together};
pub use heads::{Cut, Example, Heads};
pub use learner::Learner;
pub use objective::Objective;
pub use optimizer::Optimizer;
pub use run_folder::checkpoint_path;
pub use schedule::MarginSchedule;
pub use trainer::{Epoch, Outcome, Redraw, Run, train};
pub use variables::Variables;
