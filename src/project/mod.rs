//! One edit: which video, which candidate, how mixed; saved, undone, redone.
//!
//! Plain data. Nothing here decodes, mixes or draws: the window changes an [`Edit`] through a [`History`] and turns it
//! into sound and files elsewhere.

mod edit;
mod file;
mod history;

pub use edit::{Edit, Marks, Pick};
pub use file::{autosave_path, load, save};
pub use history::History;
