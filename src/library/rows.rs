//! Values as rows and back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use half::f16;
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

use super::record::{StoredWindow, Track, TrackId, TrackRecord};
use crate::signal::features::Description;

pub(super) fn upsert_track(transaction: &Transaction<'_>, record: &TrackRecord) -> rusqlite::Result<i64> {
    let track = &record.track;
    let path = path_to_bytes(&track.path);
    let size = record.size.cast_signed();
    let known: Option<(i64, i64, i64)> = transaction
        .query_row(
            "SELECT id, size, modified_ns FROM track WHERE path = ?1",
            [&path],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    if let Some((id, known_size, known_time)) = known
        && (known_size, known_time) != (size, record.modified_ns)
    {
        // Whatever any pack heard, it heard another file.
        transaction.execute("DELETE FROM embedded WHERE track_id = ?1", [id])?;
    }
    transaction.query_row(
        "INSERT INTO track (path, size, modified_ns, title, artist, licence, duration_s, loudness_lufs, tempo_bpm,
                            major, tonic, energy, brightness_hz, has_vocals, peaks)
         VALUES (:path, :size, :modified_ns, :title, :artist, :licence, :duration_s, :loudness_lufs, :tempo_bpm,
                 :major, :tonic, :energy, :brightness_hz, :has_vocals, :peaks)
         ON CONFLICT (path) DO UPDATE SET
             size = excluded.size, modified_ns = excluded.modified_ns, title = excluded.title,
             artist = excluded.artist, licence = excluded.licence, duration_s = excluded.duration_s,
             loudness_lufs = excluded.loudness_lufs, tempo_bpm = excluded.tempo_bpm, major = excluded.major,
             tonic = excluded.tonic, energy = excluded.energy, brightness_hz = excluded.brightness_hz,
             has_vocals = excluded.has_vocals, peaks = excluded.peaks, missing = 0, problem = NULL
         RETURNING id",
        named_params! {
            ":path": path,
            ":size": size,
            ":modified_ns": record.modified_ns,
            ":title": track.title,
            ":artist": track.artist,
            ":licence": track.licence,
            ":duration_s": track.duration_s,
            ":loudness_lufs": track.loudness_lufs,
            ":tempo_bpm": track.description.tempo_bpm,
            ":major": track.description.major,
            ":tonic": track.description.tonic,
            ":energy": track.description.energy,
            ":brightness_hz": track.description.brightness_hz,
            ":has_vocals": track.has_vocals,
            ":peaks": track.peaks,
        },
        |row| row.get(0),
    )
}

pub(super) fn upsert_model(transaction: &Transaction<'_>, embedding_id: &str) -> rusqlite::Result<i64> {
    transaction.execute(
        "INSERT OR IGNORE INTO model (embedding_id) VALUES (?1)",
        [embedding_id],
    )?;
    transaction.query_row(
        "SELECT id FROM model WHERE embedding_id = ?1",
        [embedding_id],
        |row| row.get(0),
    )
}

pub(super) fn replace_tags(transaction: &Transaction<'_>, id: i64, tags: &[String]) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tag WHERE track_id = ?1", [id])?;
    let mut insert = transaction.prepare_cached("INSERT INTO tag (track_id, tag) VALUES (?1, ?2)")?;
    for tag in tags.iter().collect::<BTreeSet<_>>() {
        insert.execute(params![id, tag])?;
    }
    Ok(())
}

pub(super) fn insert_windows(
    transaction: &Transaction<'_>,
    id: i64,
    model: i64,
    windows: &[StoredWindow],
) -> rusqlite::Result<()> {
    let mut insert_vector = transaction.prepare_cached(
        "INSERT INTO track_window (model_id, track_id, start_s, vector) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut insert_frames =
        transaction.prepare_cached("INSERT INTO vggish (window_id, frames) VALUES (?1, ?2)")?;
    for window in windows {
        let vector: Vec<u8> = window
            .embedding
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let window_id = insert_vector.insert(params![model, id, window.start_s, vector])?;
        let frames: Vec<u8> = window
            .vggish
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes())
            .collect();
        insert_frames.execute(params![window_id, frames])?;
    }
    Ok(())
}

pub(super) fn track_of_row(row: &Row<'_>) -> rusqlite::Result<Track> {
    Ok(Track {
        id: TrackId(row.get("id")?),
        path: path_from_bytes(row.get("path")?),
        title: row.get("title")?,
        artist: row.get("artist")?,
        tags: Vec::new(),
        licence: row.get("licence")?,
        duration_s: row.get("duration_s")?,
        loudness_lufs: row.get("loudness_lufs")?,
        description: Description {
            tempo_bpm: row.get("tempo_bpm")?,
            major: row.get("major")?,
            tonic: row.get("tonic")?,
            energy: row.get("energy")?,
            brightness_hz: row.get("brightness_hz")?,
        },
        has_vocals: row.get("has_vocals")?,
        peaks: row.get("peaks")?,
        favourite: row.get("favourite")?,
        hidden: row.get("hidden")?,
        missing: row.get("missing")?,
        problem: row.get("problem")?,
    })
}

/// Little-endian floats of a blob; bytes past the last whole one are left out.
pub(super) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&value| f32::from_le_bytes(value))
}

/// Little-endian half floats of a blob.
pub(super) fn halves(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&value| f16::from_le_bytes(value).to_f32())
}

#[cfg(unix)]
pub(super) fn path_to_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(unix)]
pub(super) fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(windows)]
pub(super) fn path_to_bytes(path: &Path) -> Vec<u8> {
    use std::os::windows::ffi::OsStrExt;
    path.as_os_str()
        .encode_wide()
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[cfg(windows)]
pub(super) fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::windows::ffi::OsStringExt;
    let wide: Vec<u16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&unit| u16::from_le_bytes(unit))
        .collect();
    std::ffi::OsString::from_wide(&wide).into()
}
