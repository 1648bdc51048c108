//! Packs: the weights of all networks of one model, with their configs and checksums.

mod pack;

pub use pack::{NetworkEntry, Pack, PackManifest};
