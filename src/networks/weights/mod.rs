//! Packs: the weights of all networks of one model, with their configs and checksums.
//!
//! [`Pack`] finds, verifies and loads; [`PackWriter`] writes one atomically; [`Parameters`] is one
//! safetensors file in memory, checked, and the source that a network's `new` reads from. A parameter that is
//! missing, left over, misshapen or not finite is an error that names it.

mod adopt;
pub mod checkpoint;
mod pack;
mod parameters;
mod write;

pub use adopt::{Adopted, Network, adopt, recognise};
pub(crate) use pack::MANIFEST;
pub use pack::{NetworkEntry, Pack, PackManifest};
pub use parameters::{Parameters, optional_parameter, parameter};
pub use write::{PackAbout, PackWriter};
