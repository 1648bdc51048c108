//! Embeddings of a new pack from what an older one heard.

use rusqlite::params;

use super::record::{StoredWindow, TrackId};
use super::rows::{insert_windows, upsert_model};
use super::store::Library;
use crate::error::Result;

/// A track whose sound was heard as a pack hears it, and that has no embeddings of that pack yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The track.
    pub track: TrackId,
    /// Under which its windows are stored.
    pub embedding_id: String,
    /// How its singing was treated.
    songs: String,
}

impl Library {
    /// Tracks without windows under `embedding_id` that have some under an identity beginning with `listening_id`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn heard_alike(&self, listening_id: &str, embedding_id: &str) -> Result<Vec<Heard>> {
        self.rows(
            "SELECT track_id, max(embedding_id), songs FROM embedded
             JOIN model ON model.id = embedded.model_id
             WHERE substr(embedding_id, 1, length(?1)) = ?1 AND track_id NOT IN
               (SELECT track_id FROM embedded JOIN model ON model.id = embedded.model_id WHERE embedding_id = ?2)
             GROUP BY track_id ORDER BY track_id",
            params![listening_id, embedding_id],
            |row| {
                Ok(Heard {
                    track: TrackId(row.get(0)?),
                    embedding_id: row.get(1)?,
                    songs: row.get(2)?,
                })
            },
        )
    }

    /// Stores windows made anew under `embedding_id`, of several tracks, in one transaction. Older ones stay, so that a
    /// return to the older pack costs nothing.
    ///
    /// # Errors
    /// When the disk is full or the library stays locked.
    pub fn put_carried(&self, embedding_id: &str, tracks: &[(Heard, Vec<StoredWindow>)]) -> Result<()> {
        self.write(|transaction| {
            let model = upsert_model(transaction, embedding_id)?;
            for (heard, windows) in tracks {
                // Another program may have been faster, or the track may have been taken out.
                let inserted = transaction.execute(
                    "INSERT OR IGNORE INTO embedded (track_id, model_id, songs)
                     SELECT id, ?2, ?3 FROM track WHERE id = ?1",
                    params![heard.track.0, model, heard.songs],
                )?;
                if inserted > 0 {
                    insert_windows(transaction, heard.track.0, model, windows)?;
                }
            }
            Ok(())
        })
    }
}
