//! rodio, and nobody else: audio output, media clock, player.
//!
//! One mixer; its clock is the master. Without a device, or after one is lost, a silent clock runs
//! the same graph in real time and the player says so.
//!
//! Inside: `transport` holds the graph and is pulled block by block, by a sound device or by the silent clock, never
//! by both; `clock` makes a smooth time of those pulls; `device` is rodio; `driver` runs the two threads that
//! keep one of them pulling. What the window asks for waits in a mailbox until the next pull, so that neither waits for
//! the other.

mod clock;
mod device;
mod driver;
mod player;
mod transport;

pub use device::outputs;
pub use player::{OutputStatus, Player};

/// Frames a second of the graph.
const RATE: u32 = 44_100;

#[cfg(test)]
mod tests;
