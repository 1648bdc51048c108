//! The user's tracks and their embeddings, in SQLite, and nobody else sees SQL.
//!
//! One row a track, one row a 32 s window (hop 8 s), embeddings under the identity of the pack
//! that made them. WAL mode, so that the window reads while a job writes and two programs can share
//! the file. A file from a newer version is refused, never changed. Users' media is only read.

mod carry;
mod file;
mod record;
mod rows;
mod scan;
mod store;
mod tags;

pub use carry::Heard;
pub use record::{EmbeddingTable, StoredWindow, Track, TrackId, TrackRecord, WindowRef};
pub use scan::{Scan, ScanEntry, scan};
pub use store::Library;
pub(crate) use tags::split_words;
pub use tags::{FileTags, file_tags, title_of};
