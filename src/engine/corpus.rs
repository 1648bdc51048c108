//! Looking a corpus over, and making one from the published lists.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Result;
use crate::jobs::Monitor;

/// An item that can be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedItem {
    /// Its id.
    pub id: String,
    /// "train", "val" or "test"; items drawn from train for validation say "val".
    pub split: String,
    /// Length of the video, seconds; items under 32 s repeat.
    pub duration_s: f64,
    /// Whether the video has a picture.
    pub picture: bool,
    /// Whether the voice-over is there apart from the mix.
    pub clean_voice: bool,
    /// Whether the music is there apart from the mix.
    pub clean_bgm: bool,
}

/// What a corpus holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CorpusReport {
    /// The corpus's name.
    pub name: String,
    /// Usable training items.
    pub train: usize,
    /// Usable validation items.
    pub val: usize,
    /// Usable test items.
    pub test: usize,
    /// Every usable item.
    pub items: Vec<CheckedItem>,
    /// Every other one, and why: id (or its place in the list) and a sentence.
    pub rejected: Vec<(String, String)>,
}

/// Looks every item of the corpus in `folder` over: files there, readable, with sound that is not silent.
///
/// # Errors
/// When `corpus.json` is missing or is not JSON of the right shape; cancelled.
pub fn check_corpus(folder: &Path, monitor: &Monitor) -> Result<CorpusReport> {
    let _ = (folder, monitor);
    crate::error::unbuilt("the corpus check")
}

/// A published corpus to make from downloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// `hok400` or `cfm400`.
    pub name: String,
    /// Folder with `training_part_*.txt` and `test_part_*.txt`.
    pub lists: PathBuf,
    /// Folder with the downloads, each named by the video id in its URL.
    pub videos: PathBuf,
    /// The corpus folder to make.
    pub out: PathBuf,
}

/// What an import found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// The file written.
    pub corpus: PathBuf,
    /// Training items found.
    pub train: usize,
    /// Test items found.
    pub test: usize,
    /// URLs whose video is not in the folder.
    pub missing: Vec<String>,
}

/// Writes `corpus.json` for the videos of a published list that are there, with the published splits.
///
/// # Errors
/// When the lists cannot be read, no video is there, or the disk refuses.
pub fn import_corpus(request: &ImportRequest) -> Result<ImportReport> {
    let _ = request;
    crate::error::unbuilt("the corpus import")
}
