//! Long work: how it reports, how it is cancelled, where it runs.
//!
//! A leaf: nothing here knows what the work is. Engine functions take a
//! [`Monitor`] and never a thread; the window runs them through a [`Runner`],
//! the command line on its own thread.

mod monitor;
mod runner;

pub use monitor::{CancelToken, Monitor, Report};
pub use runner::{JobEvent, JobId, JobState, JobStatus, Runner};
