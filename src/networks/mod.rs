//! The networks of the paper, one file each.
//!
//! A network is a `Config` (serde, with the reference's values as default) and a
//! struct with `new(&Config, VarBuilder)` and `forward`. Parameter paths equal the
//! reference checkpoint's. No file access outside [`weights`].

pub mod cbvmr;
pub mod cmmr;
pub mod layers;
pub mod mrcmv;
pub mod slowfast;
pub mod spleeter;
pub mod vggish;
pub mod weights;
