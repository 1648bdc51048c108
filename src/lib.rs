//! Undertone: background music for videos with a voice-over.
//!
//! A tour, from the top. [`app`] is the window and [`cli`] the command line;
//! both call [`engine`], where each use case is one function over plain
//! values: separate, embed, index, suggest, fine-tune, evaluate, export.
//! The engine leans on [`library`] (the user's tracks and their embeddings in
//! SQLite), [`retrieval`] (ranking and its metrics), [`training`] (corpora,
//! losses, trainer), [`project`] (one edit) and [`arena`] (a corpus made by
//! lot). Under those, [`mix`] is the
//! mix as a graph that playback hears and export writes, and [`networks`]
//! holds the networks of the MRCMV paper, one file each. At the bottom,
//! [`signal`] is arithmetic on samples and [`media`] is GStreamer.
//! [`playback`] is rodio and serves the window alone.
//!
//! Imports point down this list only; `ARCHITECTURE.md` states the invariants
//! and `tests/architecture.rs` enforces them.

pub mod app;
pub mod cli;
pub mod engine;

pub mod arena;
pub mod library;
pub mod playback;
pub mod project;
pub mod retrieval;
pub mod training;

pub mod mix;
pub mod networks;

pub mod media;
pub mod signal;

pub mod checksum;
pub mod device;
pub mod error;
pub mod files;
pub mod jobs;
pub mod settings;
pub mod words;
