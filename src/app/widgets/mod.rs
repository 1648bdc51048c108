//! Drawn controls that egui does not bring, each with a name for assistive technology.

pub(super) mod balance;
pub(super) mod choice;
pub(super) mod icon;
pub(super) mod level_meter;
pub(super) mod score_bar;
pub(super) mod waveform;
