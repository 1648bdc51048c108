//! Reading and writing tracks, windows and embeddings.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Params, Row, Transaction, TransactionBehavior, params};

use super::file;
use super::record::{EmbeddingTable, StoredWindow, Track, TrackId, TrackRecord, WindowRef};
use super::rows::{
    floats, halves, insert_windows, path_from_bytes, path_to_bytes, replace_tags, track_of_row, upsert_model,
    upsert_track,
};
use super::tags::title_of;
use crate::error::{Error, Result};
use crate::settings::Folders;

const TRACK_COLUMNS: &str = "id, path, title, artist, licence, duration_s, loudness_lufs, tempo_bpm, major, tonic, \
                             energy, brightness_hz, has_vocals, peaks, favourite, hidden, missing, problem";

/// An open library.
///
/// One thread uses it at a time; others open their own. Several programs may have the same file open.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    connection: Connection,
}

impl Library {
    /// Opens or creates the library at `path` (and its folder), migrating an older version.
    ///
    /// # Errors
    /// When it is from a newer version, not a library, damaged, locked for ten seconds, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Folders::ensure(folder)?;
        }
        Ok(Self {
            path: path.to_owned(),
            connection: file::open(path)?,
        })
    }

    /// All tracks, by title.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn tracks(&self) -> Result<Vec<Track>> {
        let mut tags: HashMap<i64, Vec<String>> = HashMap::new();
        for (id, tag) in self.rows("SELECT track_id, tag FROM tag ORDER BY tag", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })? {
            tags.entry(id).or_default().push(tag);
        }
        let sql = format!("SELECT {TRACK_COLUMNS} FROM track ORDER BY title COLLATE NOCASE, id");
        let mut tracks = self.rows(&sql, (), track_of_row)?;
        for track in &mut tracks {
            track.tags = tags.remove(&track.id.0).unwrap_or_default();
        }
        Ok(tracks)
    }

    /// One track.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn track(&self, id: TrackId) -> Result<Option<Track>> {
        let sql = format!("SELECT {TRACK_COLUMNS} FROM track WHERE id = ?1");
        let Some(mut track) = self.rows(&sql, [id.0], track_of_row)?.pop() else {
            return Ok(None);
        };
        track.tags = self.rows(
            "SELECT tag FROM tag WHERE track_id = ?1 ORDER BY tag",
            [id.0],
            |row| row.get(0),
        )?;
        Ok(Some(track))
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
        let found = self.rows(
            "SELECT 1 FROM track
             JOIN embedded ON embedded.track_id = track.id
             JOIN model ON model.id = embedded.model_id
             WHERE path = ?1 AND size = ?2 AND modified_ns = ?3 AND embedding_id = ?4 AND songs = ?5
               AND problem IS NULL AND missing = 0",
            params![
                path_to_bytes(path),
                size.cast_signed(),
                modified_ns,
                embedding_id,
                songs
            ],
            |_| Ok(()),
        )?;
        Ok(!found.is_empty())
    }

    /// Stores a track and its windows in one transaction, replacing what the path had. Embeddings that other packs
    /// made of the same, unchanged file stay. Once this returns, a `kill -9` does not lose it.
    ///
    /// # Errors
    /// When the disk is full or the library stays locked.
    pub fn put(&self, record: &TrackRecord) -> Result<TrackId> {
        self.write(|transaction| {
            let id = upsert_track(transaction, record)?;
            let model = upsert_model(transaction, &record.embedding_id)?;
            replace_tags(transaction, id, &record.track.tags)?;
            transaction.execute(
                "DELETE FROM embedded WHERE track_id = ?1 AND model_id = ?2",
                [id, model],
            )?;
            transaction.execute(
                "INSERT INTO embedded (track_id, model_id, songs) VALUES (?1, ?2, ?3)",
                params![id, model, record.songs],
            )?;
            insert_windows(transaction, id, model, &record.windows)?;
            Ok(TrackId(id))
        })
    }

    /// Records that `path` could not be indexed and why. What was known of it stays.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn put_problem(&self, path: &Path, size: u64, modified_ns: i64, problem: &str) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO track (path, size, modified_ns, title, problem) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (path) DO UPDATE SET problem = excluded.problem, missing = 0",
                params![
                    path_to_bytes(path),
                    size.cast_signed(),
                    modified_ns,
                    title_of(path),
                    problem
                ],
            )?;
            Ok(())
        })
    }

    /// Marks tracks whose file is gone, unmarks the ones that came back, and returns how many are gone.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn refresh_missing(&self) -> Result<usize> {
        let known: Vec<(i64, PathBuf, bool)> =
            self.rows("SELECT id, path, missing FROM track", (), |row| {
                Ok((row.get(0)?, path_from_bytes(row.get(1)?), row.get(2)?))
            })?;
        let mut gone = 0;
        let mut changed = Vec::new();
        for (id, path, was_missing) in known {
            // Where the system refuses to answer, the file is there as far as anyone knows.
            let is_missing = matches!(path.try_exists(), Ok(false));
            gone += usize::from(is_missing);
            if is_missing != was_missing {
                changed.push((id, is_missing));
            }
        }
        if !changed.is_empty() {
            self.write(|transaction| {
                let mut update = transaction.prepare("UPDATE track SET missing = ?2 WHERE id = ?1")?;
                for (id, is_missing) in &changed {
                    update.execute(params![id, is_missing])?;
                }
                Ok(())
            })?;
        }
        Ok(gone)
    }

    /// Sets the favourite mark.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn set_favourite(&self, id: TrackId, favourite: bool) -> Result<()> {
        self.change(
            "UPDATE track SET favourite = ?2 WHERE id = ?1",
            params![id.0, favourite],
        )
    }

    /// Sets the hidden mark.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn set_hidden(&self, id: TrackId, hidden: bool) -> Result<()> {
        self.change(
            "UPDATE track SET hidden = ?2 WHERE id = ?1",
            params![id.0, hidden],
        )
    }

    /// Takes a track out of the library; its file stays.
    ///
    /// # Errors
    /// As [`Library::put`].
    pub fn forget(&self, id: TrackId) -> Result<()> {
        self.change("DELETE FROM track WHERE id = ?1", [id.0])
    }

    /// The embeddings made under `embedding_id`, of tracks that are neither missing nor hidden, by track and start.
    ///
    /// # Errors
    /// When the file cannot be read, or holds vectors of different lengths.
    pub fn embeddings(&self, embedding_id: &str) -> Result<EmbeddingTable> {
        let left_out: HashSet<i64> = self
            .rows("SELECT id FROM track WHERE missing OR hidden", (), |row| {
                row.get(0)
            })?
            .into_iter()
            .collect();
        let mut table = EmbeddingTable::default();
        let mut consistent = true;
        self.for_each(
            "SELECT track_id, start_s, vector FROM track_window
             WHERE model_id = (SELECT id FROM model WHERE embedding_id = ?1)
             ORDER BY track_id, start_s",
            [embedding_id],
            |row| {
                let track = row.get(0)?;
                if left_out.contains(&track) {
                    return Ok(());
                }
                let bytes = row.get_ref(2)?.as_blob()?;
                if table.dim == 0 {
                    table.dim = bytes.len() / size_of::<f32>();
                }
                consistent &= table.dim > 0 && bytes.len() == table.dim * size_of::<f32>();
                if consistent {
                    table.data.extend(floats(bytes));
                    table.windows.push(WindowRef {
                        track: TrackId(track),
                        start_s: row.get(1)?,
                    });
                }
                Ok(())
            },
        )?;
        if consistent {
            Ok(table)
        } else {
            Err(Error::library(file::damaged(&self.path)))
        }
    }

    /// The windows of a track as made under `embedding_id`, by start; empty where there are none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn windows(&self, id: TrackId, embedding_id: &str) -> Result<Vec<StoredWindow>> {
        self.rows(
            "SELECT start_s, frames, vector FROM track_window
             JOIN vggish ON vggish.window_id = track_window.id
             WHERE track_id = ?1 AND model_id = (SELECT id FROM model WHERE embedding_id = ?2)
             ORDER BY start_s",
            params![id.0, embedding_id],
            |row| {
                Ok(StoredWindow {
                    start_s: row.get(0)?,
                    vggish: halves(row.get_ref(1)?.as_blob()?).collect(),
                    embedding: floats(row.get_ref(2)?.as_blob()?).collect(),
                })
            },
        )
    }

    /// A number that changes whenever another connection or program changes the library, as long as this connection
    /// itself writes nothing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn revision(&self) -> Result<i64> {
        self.connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|source| file::explain(&self.path, source))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.for_each(sql, parameters, |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    fn for_each(
        &self,
        sql: &str,
        parameters: impl Params,
        mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(parameters)?;
            while let Some(row) = rows.next()? {
                take(row)?;
            }
            Ok(())
        };
        run().map_err(|source| file::explain(&self.path, source))
    }

    fn change(&self, sql: &str, parameters: impl Params) -> Result<()> {
        self.connection
            .execute(sql, parameters)
            .map(drop)
            .map_err(|source| file::explain(&self.path, source))
    }

    /// Runs `work` in one transaction that takes the right to write at once, so that it waits for other programs
    /// here and not half-way.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let run = || {
            let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|source| file::explain(&self.path, source))
    }
}

#[cfg(test)]
mod tests;
