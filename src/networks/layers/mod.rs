//! Layers that the networks share. The one [`Conv`] every network uses lives here.
//!
//! All layers take and give f32 tensors with the batch first and channels second, as PyTorch does. A layer whose
//! parameters are plain tensors prepares them once, when it is built; one whose parameters are variables of a
//! training run reads them anew in each forward pass, and gradients flow to them.

mod batch_norm;
mod composed;
mod conv;
mod cpu;
mod geometry;
mod interlock;
mod linear;
mod pool;
mod softmax;
mod storage;
#[cfg(test)]
mod tests;

pub use batch_norm::BatchNorm;
pub use conv::{Activation, Conv};
pub use geometry::Geometry;
pub use interlock::{interlock, interlocked};
pub use linear::Linear;
pub use pool::max_pool;
pub use softmax::scaled_softmax;
