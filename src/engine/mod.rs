//! The use cases: plain values in, plain values out, called by the window and the command line alike.
//!
//! Nothing here prints, draws or spawns; long functions take a [`crate::jobs::Monitor`].

pub mod cache;
mod candidates;
mod clips;
mod content;
pub mod corpus;
pub mod doctor;
pub mod embed;
pub mod evaluate;
pub mod export;
pub mod features;
pub mod fine_tune;
pub mod index;
mod matcher;
pub mod models;
mod pairs;
mod recognise;
pub mod reembed;
pub mod run_network;
pub mod separate;
mod session;
pub mod suggest;
mod track;

pub use session::{Engine, EngineOptions, program_folder};
