//! The losses and the trainer: against a PyTorch twin, on tiny corpora, and through interruptions; corpora, fine-tuning and
//! evaluation through the engine.

#![allow(clippy::print_stdout, reason = "golden checks say how near they come")]

mod baselines;
mod corpora;
mod end_to_end;
mod engine;
mod heads;
mod interruptions;
mod made_up;
mod recognised;
mod redrawn;
mod refused;
mod runs;
mod table;
mod twin;

#[allow(dead_code, reason = "the tests of the networks use the rest of it")]
#[path = "../golden/mod.rs"]
mod golden;

use candle_core::{DType, Tensor};

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor
        .to_dtype(DType::F32)
        .and_then(|tensor| tensor.flatten_all())
        .and_then(|tensor| tensor.to_vec1())
        .expect("values")
}
