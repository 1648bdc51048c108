//! Long work: how it reports, how it is cancelled, where it runs.
//!
//! A leaf: nothing here knows what the work is. Engine functions take a
//! [`Monitor`] and never a thread; the window runs them through a [`Runner`],
//! the command line on its own thread.

mod monitor;
mod runner;
pub mod testing;

pub use monitor::{CancelToken, Monitor, Report};
pub use runner::{JobEvent, JobId, JobState, JobStatus, Runner};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};

/// Runs `beside` on a thread of its own while `here` runs on this one, and returns what both gave.
///
/// Not rayon's `join`: one side usually waits for a decoder, and would keep a worker from the networks.
///
/// # Errors
/// When the system refuses a thread or `beside` panics.
pub fn join<A: Send, B>(
    name: &str,
    beside: impl FnOnce() -> A + Send,
    here: impl FnOnce() -> B,
) -> Result<(A, B)> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, beside)
            .map_err(no_thread)?;
        let second = here();
        let first = thread.join().map_err(|_| {
            Error::internal(format!(
                "the {name} thread stopped by a fault of the program; the log has the details"
            ))
        })?;
        Ok((first, second))
    })
}

/// Runs `work` on a thread that nobody waits for. What it sends comes out of the receiver, which holds up to `ahead` of it;
/// when the receiver is dropped, sending fails and `work` should end.
///
/// # Errors
/// When the system refuses a thread.
pub fn feed<T: Send + 'static>(
    name: &str,
    ahead: usize,
    work: impl FnOnce(&Sender<T>) + Send + 'static,
) -> Result<Receiver<T>> {
    let (sender, receiver) = bounded(ahead);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(&sender))
        .map_err(no_thread)?;
    Ok(receiver)
}

fn no_thread(source: std::io::Error) -> Error {
    Error::internal("the system refused another thread; close some programs").with_source(source)
}
