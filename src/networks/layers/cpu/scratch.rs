//! Buffers that a thread uses for job after job: fresh memory is slow to touch.

use std::cell::Cell;
use std::thread::LocalKey;

/// Lends `work` the buffers that this thread `kept`, and keeps them again.
pub(super) fn with_scratch<S: Default>(kept: &'static LocalKey<Cell<S>>, work: impl FnOnce(&mut S)) {
    let mut scratch = kept.take();
    work(&mut scratch);
    kept.set(scratch);
}
