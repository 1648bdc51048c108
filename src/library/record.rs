//! What a library holds, as plain values.

use std::path::PathBuf;

use serde::Serialize;

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
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub path: PathBuf,
    /// Title from the tags, else the file's stem.
    pub title: String,
    /// Artist from the tags.
    pub artist: Option<String>,
    /// Genre and other words to filter and search by, sorted.
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
    /// VGGish rows [72 x 128], kept so that a library is re-embedded without decoding. Stored as
    /// half floats: 18 KB a window instead of 37, at 11 bits of precision.
    pub vggish: Vec<f32>,
    /// E_M `[d_E]`, stored as it is.
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingTable {
    /// d_E.
    pub dim: usize,
    /// `windows.len() x dim`, row-major.
    pub data: Vec<f32>,
    /// What each row is, by track and start.
    pub windows: Vec<WindowRef>,
}
