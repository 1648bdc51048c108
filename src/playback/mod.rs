//! rodio, and nobody else: audio output, media clock, player.
//!
//! One mixer; its clock is the master. Without a device, or after one is lost, a silent clock runs
//! the same graph in real time and the player says so.

mod player;

pub use player::{OutputStatus, Player, outputs};
