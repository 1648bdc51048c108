//! The library file.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Result;
use crate::signal::features::Description;

/// Names a track of one library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TrackId(pub i64);

/// A track as stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Track {
    /// Its name here.
    pub id: TrackId,
    /// Where its file was last seen.
    pub path: PathBuf,
    /// Title from the tags, else the file's stem.
    pub title: String,
    /// Artist from the tags.
    pub artist: Option<String>,
    /// Genre and other words to filter and search by.
    pub tags: Vec<String>,
    /// Licence line from the tags.
    pub licence: Option<String>,
    /// Length in seconds.
    pub duration_s: f64,
    /// Integrated loudness; `None` for silence.
    pub loudness_lufs: Option<f64>,
    /// Tempo, mode, energy.
    pub description: Description,
    /// Whether there is singing.
    pub has_vocals: bool,
    /// 400 waveform peaks, 0..=255 of full scale.
    pub peaks: Vec<u8>,
    /// The user's favourite.
    pub favourite: bool,
    /// Hidden from suggestions.
    pub hidden: bool,
    /// The file was not there at the last scan; the row stays.
    pub missing: bool,
    /// Why the last attempt to index it failed; `None` when it is indexed.
    pub problem: Option<String>,
}

/// What indexing found out about one file, ready to be stored in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRecord {
    /// The track without identity; `id`, `favourite` and `hidden` are ignored.
    pub track: Track,
    /// File size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
    /// Windows with features and embeddings.
    pub windows: Vec<StoredWindow>,
    /// The identity of the pack that made them.
    pub embedding_id: String,
    /// Whether the user asked for singing to be taken out ("yes"/"no"/"auto").
    pub songs: String,
}

/// One 32 s window of a track.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWindow {
    /// Start in the track, seconds.
    pub start_s: f64,
    /// VGGish rows [72 x 128], kept so that a library is re-embedded without decoding.
    pub vggish: Vec<f32>,
    /// E_M [d_E].
    pub embedding: Vec<f32>,
}

/// Names the window behind a row of an [`EmbeddingTable`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowRef {
    /// The track.
    pub track: TrackId,
    /// Start in the track, seconds.
    pub start_s: f64,
}

/// All embeddings made by one pack, in memory.
#[derive(Debug, Clone, Default)]
pub struct EmbeddingTable {
    /// d_E.
    pub dim: usize,
    /// `windows.len() x dim`, row-major.
    pub data: Vec<f32>,
    /// What each row is.
    pub windows: Vec<WindowRef>,
}

/// An open library.
#[derive(Debug)]
pub struct Library {}

impl Library {
    /// Opens or creates the library at `path`, migrating an older version.
    ///
    /// # Errors
    /// When it is from a newer version, damaged, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        crate::error::unbuilt("the library")
    }

    /// All tracks, by title.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn tracks(&self) -> Result<Vec<Track>> {
        crate::error::unbuilt("the library")
    }

    /// One track.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn track(&self, id: TrackId) -> Result<Option<Track>> {
        let _ = id;
        crate::error::unbuilt("the library")
    }

    /// Whether `path` is stored with this size, time, pack and songs setting, and without a problem: then
    /// `index` has nothing to do.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_current(
        &self,
        path: &Path,
        size: u64,
        modified_ns: i64,
        embedding_id: &str,
        songs: &str,
    ) -> Result<bool> {
        let _ = (path, size, modified_ns, embedding_id, songs);
        crate::error::unbuilt("the library")
    }

    /// Stores a track and its windows in one transaction, replacing what the path had. Once this returns, a
    /// `kill -9` does not lose it.
    ///
    /// # Errors
    /// When the disk is full or the library stays locked.
    pub fn put(&self, record: &TrackRecord) -> Result<TrackId> {
        let _ = record;
        crate::error::unbuilt("the library")
    }

    /// Records that `path` could not be indexed and why.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn put_problem(&self, path: &Path, size: u64, modified_ns: i64, problem: &str) -> Result<()> {
        let _ = (path, size, modified_ns, problem);
        crate::error::unbuilt("the library")
    }

    /// Marks tracks whose file is gone, and unmarks the ones that came back.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn refresh_missing(&self) -> Result<usize> {
        crate::error::unbuilt("the library")
    }

    /// Sets the favourite mark.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn set_favourite(&self, id: TrackId, favourite: bool) -> Result<()> {
        let _ = (id, favourite);
        crate::error::unbuilt("the library")
    }

    /// Sets the hidden mark.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn set_hidden(&self, id: TrackId, hidden: bool) -> Result<()> {
        let _ = (id, hidden);
        crate::error::unbuilt("the library")
    }

    /// Takes a track out of the library; its file stays.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn forget(&self, id: TrackId) -> Result<()> {
        let _ = id;
        crate::error::unbuilt("the library")
    }

    /// The embeddings made under `embedding_id`, of tracks that are neither missing nor hidden.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn embeddings(&self, embedding_id: &str) -> Result<EmbeddingTable> {
        let _ = embedding_id;
        crate::error::unbuilt("the library")
    }
}
