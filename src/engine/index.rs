//! Adding music to the library.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use super::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;

/// Whether singing is taken out before embedding (reading, point 12).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Songs {
    /// Where singing is found.
    #[default]
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

impl FromStr for Songs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--songs {text}: choose auto, yes or no"),
            )),
        }
    }
}

/// What indexing did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IndexReport {
    /// Files now in the library with embeddings of this pack.
    pub indexed: usize,
    /// Files that were current already.
    pub unchanged: usize,
    /// Windows written.
    pub windows: usize,
    /// Files that failed and why.
    pub failed: Vec<FailedFile>,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedFile {
    /// The file.
    pub path: PathBuf,
    /// One sentence.
    pub reason: String,
}

/// Adds files and folders to the library. A file that fails is reported and the run goes on; every finished track is
/// committed at once, so that an interruption loses nothing reported done.
///
/// # Errors
/// When no path exists, the library cannot be written, or cancelled.
pub fn index(engine: &Engine, paths: &[PathBuf], songs: Songs, monitor: &Monitor) -> Result<IndexReport> {
    let _ = (engine, paths, songs, monitor);
    crate::error::unbuilt("indexing")
}
