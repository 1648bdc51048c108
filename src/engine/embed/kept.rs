//! Rows of queries, kept in memory and on disk: another balance, another filter or the same clip tomorrow is answered
//! without decoding, separation or a network of the senses.
//!
//! In memory they stand under the file's path, size and times, on disk under a hash of its content; both under the networks
//! that made them, so that another pack never meets them. A file on disk begins with the sha256 of the rest; one that does
//! not match is made anew.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::query::{QueryRows, QueryTimings, VoiceSource, sense};
use crate::checksum::sha256_of;
use crate::engine::Engine;
use crate::engine::cache::queries_folder;
use crate::engine::content;
use crate::engine::separate::SeparateOptions;
use crate::error::Result;
use crate::files::atomic_write;
use crate::jobs::Monitor;
use crate::media::MediaInfo;
use crate::settings::Folders;

/// Raised when rows of the same media and networks become others.
const VERSION: u32 = 1;
/// Clips in memory; each takes at most 200 kB.
const IN_MEMORY: usize = 64;
/// A larger file is kept on disk only once its hash is known anyway: the answer does not wait for it to be read.
const HASHED_AT_ONCE_BYTES: u64 = 1 << 30;
const DIGEST_BYTES: usize = 32;

/// The rows of the last clips, the latest at the end.
#[derive(Debug, Default)]
pub(in crate::engine) struct KeptRows {
    recent: Mutex<Vec<(String, QueryRows)>>,
}

impl KeptRows {
    fn get(&self, key: &str) -> Option<QueryRows> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = recent.iter().position(|(known, _)| known == key)?;
        let entry = recent.remove(at);
        let rows = entry.1.clone();
        recent.push(entry);
        Some(rows)
    }

    fn put(&self, key: String, rows: QueryRows) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(known, _)| *known != key);
        recent.push((key, rows));
        let surplus = recent.len().saturating_sub(IN_MEMORY);
        recent.drain(..surplus);
    }
}

/// Which rows are asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Question<'a> {
    pub(in crate::engine) media: &'a Path,
    pub(in crate::engine) start_s: f64,
    pub(in crate::engine) voice: &'a VoiceSource,
}

impl Question<'_> {
    /// Rows that are in memory, where media and voice are still what they were.
    pub(in crate::engine) fn remembered(&self, engine: &Engine) -> Option<QueryRows> {
        engine.rows().get(&self.memory_key(engine)?)
    }

    /// Rows from the disk, else made and kept; with the time that it took.
    ///
    /// # Errors
    /// As [`super::embed_query`].
    pub(in crate::engine) fn rows(
        &self,
        engine: &Engine,
        info: &MediaInfo,
        monitor: &Monitor,
    ) -> Result<(QueryRows, QueryTimings)> {
        let device = &engine.device().device;
        let found = self
            .file(engine, monitor)?
            .and_then(|file| Some((read(&file, device)?, file)));
        let (rows, timings) = if let Some((rows, file)) = found {
            // The time of the last use decides who leaves the cache first.
            let _ = File::options()
                .append(true)
                .open(file)
                .and_then(|file| file.set_modified(SystemTime::now()));
            (rows, QueryTimings::default())
        } else {
            let sensed = sense(engine, self.media, info, self.start_s, self.voice, monitor)?;
            // Another job may have learnt the hash meanwhile.
            if let Some(file) = self.file(engine, monitor)? {
                keep(&file, &sensed.rows);
            }
            (sensed.rows, sensed.timings)
        };
        if let Some(key) = self.memory_key(engine) {
            engine.rows().put(key, rows.clone());
        }
        Ok((rows, timings))
    }

    fn memory_key(&self, engine: &Engine) -> Option<String> {
        let voice = match self.voice {
            VoiceSource::File(file) => Some(content::fingerprint(file)?),
            VoiceSource::Separated | VoiceSource::Raw => None,
        };
        Some(self.key(engine, &content::fingerprint(self.media)?, voice))
    }

    /// Where the disk has them; `None` while a hash is not known and would take too long.
    fn file(&self, engine: &Engine, monitor: &Monitor) -> Result<Option<PathBuf>> {
        let folders = &engine.options().folders;
        let hash = |media| content::hash_soon(media, folders, HASHED_AT_ONCE_BYTES, &monitor.unseen());
        let voice = match self.voice {
            VoiceSource::File(file) => match hash(file)? {
                Some(voice) => Some(voice),
                None => return Ok(None),
            },
            VoiceSource::Separated | VoiceSource::Raw => None,
        };
        let file = |media: String| {
            let key = sha256_of(self.key(engine, &media, voice));
            queries_folder(folders).join(format!("{key}.rows"))
        };
        Ok(hash(self.media)?.map(file))
    }

    /// All that makes the rows what they are. `media` and `voice` say what is in the files.
    fn key(&self, engine: &Engine, media: &str, voice: Option<String>) -> String {
        let separates = *self.voice == VoiceSource::Separated;
        let network = |name: &str| {
            let entry = engine.pack().manifest.networks.get(name);
            entry.map(|entry| serde_json::json!([entry.sha256, entry.config]))
        };
        serde_json::json!({
            "version": VERSION,
            "media": media,
            "start_s": self.start_s,
            "voice": voice,
            "separated": separates.then(|| (network("spleeter"), SeparateOptions::default())),
            "slowfast": network("slowfast"),
            "vggish_voice": network("vggish_voice"),
            "device": engine.device().name,
        })
        .to_string()
    }
}

/// Rows of a file that is whole.
fn read(path: &Path, device: &Device) -> Option<QueryRows> {
    let bytes = fs::read(path).ok()?;
    let (digest, body) = bytes.split_at_checked(DIGEST_BYTES)?;
    if Sha256::digest(body).as_slice() != digest {
        return None;
    }
    let mut found = candle_core::safetensors::load_buffer(body, device).ok()?;
    let duration_s = found.remove("duration_s")?.to_vec1::<f64>().ok()?;
    Some(QueryRows {
        picture: found.remove("slow").zip(found.remove("fast")),
        voice: found.remove("voice"),
        duration_s: *duration_s.first()?,
    })
}

/// Writes rows. A failure costs the same work another time, no more.
fn keep(path: &Path, rows: &QueryRows) {
    let written = bytes_of(rows).and_then(|bytes| {
        path.parent().map_or(Ok(()), Folders::ensure)?;
        atomic_write(path, &bytes)
    });
    if let Err(error) = written {
        tracing::debug!("a query was not kept: {error}");
    }
}

fn bytes_of(rows: &QueryRows) -> Result<Vec<u8>> {
    let mut tensors = HashMap::from([("duration_s", Tensor::new(&[rows.duration_s], &Device::Cpu)?)]);
    if let Some((slow, fast)) = &rows.picture {
        tensors.insert("slow", slow.clone());
        tensors.insert("fast", fast.clone());
    }
    if let Some(voice) = &rows.voice {
        tensors.insert("voice", voice.clone());
    }
    let body = safetensors::serialize(&tensors, None).map_err(|source| {
        crate::error::Error::internal("the rows of a query could not be serialised").with_source(source)
    })?;
    let mut bytes = Sha256::digest(&body).to_vec();
    bytes.extend(body);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(value: f32) -> QueryRows {
        let tensor = |shape: &[usize]| Tensor::full(value, shape, &Device::Cpu).expect("tensor");
        QueryRows {
            picture: Some((tensor(&[1, 8, 4]), tensor(&[1, 64, 2]))),
            voice: None,
            duration_s: 12.5,
        }
    }

    fn first(rows: &QueryRows) -> f32 {
        let slow = &rows.picture.as_ref().expect("a picture").0;
        slow.flatten_all()
            .and_then(|slow| slow.to_vec1::<f32>())
            .expect("values")[0]
    }

    #[test]
    fn rows_come_back_and_damaged_ones_do_not() {
        let home = tempfile::tempdir().expect("temporary folder");
        let path = home.path().join("queries/a.rows");
        assert!(read(&path, &Device::Cpu).is_none());
        keep(&path, &rows(0.5));
        let back = read(&path, &Device::Cpu).expect("rows");
        assert_eq!((first(&back), back.duration_s), (0.5, 12.5));
        assert!(back.voice.is_none());
        let whole = fs::read(&path).expect("file");
        let mut flipped = whole.clone();
        *flipped.last_mut().expect("a byte") ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() / 2], &whole[..7], b""] {
            fs::write(&path, damaged).expect("write");
            assert!(read(&path, &Device::Cpu).is_none());
        }
        keep(&path, &rows(0.25));
        assert_eq!(first(&read(&path, &Device::Cpu).expect("rewritten")), 0.25);
    }

    #[test]
    fn memory_forgets_the_oldest() {
        let kept = KeptRows::default();
        for at in 0..=IN_MEMORY {
            kept.put(at.to_string(), rows(at as f32));
            // The first is asked for all the time.
            assert!(kept.get("0").is_some());
        }
        assert!(kept.get("1").is_none());
        assert_eq!(first(&kept.get("2").expect("kept")), 2.0);
    }
}
