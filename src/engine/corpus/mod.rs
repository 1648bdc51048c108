//! Looking a corpus over; `make` makes one.

mod make;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::checksum::{hex, sha256_of_file};
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat, AudioReader};
use crate::training::corpus::{Corpus, Item, Split};
use crate::training::sampler::cut_count;
pub use make::{
    GenerateReport, GenerateRequest, ImportReport, ImportRequest, gather_corpus, generate_corpus,
    import_corpus,
};

/// Windows of 32 s kept of each longer video, from which each epoch draws one.
pub(super) const CUTS: usize = 4;
/// Renderings of a cut's sounds, from which each epoch draws one.
pub(super) const RENDERINGS: usize = 2;

/// A sample beyond this (-60 dBFS) is a sound.
const AUDIBLE: f32 = 1e-3;

/// An item that can be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedItem {
    /// Its id.
    pub id: String,
    /// "train", "val" or "test"; items drawn from train for validation say "val".
    pub split: String,
    /// Length of the video, seconds; items under 32 s repeat.
    pub duration_s: f64,
    /// Windows of 32 s that training draws from.
    pub cuts: usize,
    /// Whether the video has a picture.
    pub picture: bool,
    /// Whether the voice-over is there apart from the mix.
    pub clean_voice: bool,
    /// Whether the music is there apart from the mix.
    pub clean_bgm: bool,
    /// What of it cannot be used, and what is done instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
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

/// Looks every item of the corpus in `folder` over: files there, readable, with sound that is not silent, and no video both
/// learnt from and tested on.
///
/// # Errors
/// When `corpus.json` is missing or is not JSON of the right shape; cancelled.
pub fn check_corpus(folder: &Path, monitor: &Monitor) -> Result<CorpusReport> {
    let inspected = inspect(folder, monitor)?;
    let count = |split: Split| inspected.split(split).count();
    Ok(CorpusReport {
        train: count(Split::Train),
        val: count(Split::Val),
        test: count(Split::Test),
        items: inspected
            .items
            .iter()
            .map(|usable| CheckedItem {
                id: usable.id.clone(),
                split: usable.split.word().to_owned(),
                duration_s: usable.video.duration_s,
                cuts: cut_count(usable.video.duration_s, CUTS),
                picture: usable.picture,
                clean_voice: usable.voice.is_some(),
                clean_bgm: usable.bgm.is_some(),
                remark: usable.remark.clone(),
            })
            .collect(),
        name: inspected.name,
        rejected: inspected.rejected,
    })
}

/// A corpus whose files were looked at.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) name: String,
    pub(super) items: Vec<Usable>,
    pub(super) rejected: Vec<(String, String)>,
}

impl Inspected {
    /// The items of one split.
    pub(super) fn split(&self, split: Split) -> impl Iterator<Item = &Usable> {
        self.items.iter().filter(move |item| item.split == split)
    }

    /// Of everything that training sees of it: ids, splits, tags and the bytes of every file, lower-case hex.
    pub(super) fn identity(&self) -> String {
        let mut hash = Sha256::new();
        for item in &self.items {
            let clean = |file: &Option<MediaFile>| file.as_ref().map(|file| file.sha256.clone());
            let line = (
                &item.id,
                item.split.word(),
                &item.tags,
                &item.video.sha256,
                clean(&item.voice),
                clean(&item.bgm),
            );
            hash.update(format!("{line:?}\n"));
        }
        hex(&hash.finalize())
    }
}

/// An item that can be used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usable {
    pub(super) id: String,
    pub(super) split: Split,
    pub(super) tags: Vec<String>,
    pub(super) video: MediaFile,
    pub(super) picture: bool,
    /// May be silent throughout: then nobody speaks in the video.
    pub(super) voice: Option<MediaFile>,
    pub(super) bgm: Option<MediaFile>,
    /// What of it cannot be used, and what is done instead.
    pub(super) remark: Option<String>,
}

impl Usable {
    /// Tells music tracks apart: the track's own file where it is known, else the video.
    pub(super) fn bgm_identity(&self) -> &str {
        &self.bgm.as_ref().unwrap_or(&self.video).sha256
    }
}

/// A file with sound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MediaFile {
    pub(super) path: PathBuf,
    /// Of its bytes, lower-case hex.
    pub(super) sha256: String,
    pub(super) duration_s: f64,
    /// Size and time of the last change when it was looked at.
    stamp: Option<(u64, SystemTime)>,
}

impl MediaFile {
    /// Fails where the file is no longer the one that was looked at, so that nothing of the new one is taken for the old.
    ///
    /// # Errors
    /// When it was changed or removed since.
    pub(super) fn require_unchanged(&self) -> Result<()> {
        if stamp(&self.path) == self.stamp {
            return Ok(());
        }
        Err(Error::input(
            &self.path,
            "was changed while the corpus was read; start again once it is finished",
        ))
    }
}

fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Reads the corpus in `folder` and looks at every file it names.
pub(super) fn inspect(folder: &Path, monitor: &Monitor) -> Result<Inspected> {
    let corpus = Corpus::open(folder)?;
    let mut inspected = Inspected {
        name: corpus.name,
        items: Vec::new(),
        rejected: corpus
            .rejected
            .into_iter()
            .map(|rejected| (rejected.id, rejected.reason))
            .collect(),
    };
    let count = corpus.items.len();
    for (number, item) in corpus.items.into_iter().enumerate() {
        monitor.check()?;
        monitor.progress(
            &format!("Looking at {}", item.id),
            Some(number as f32 / count as f32),
        );
        match look_at(&item, monitor) {
            Ok(usable) => inspected.items.push(usable),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => inspected.rejected.push((item.id, error.to_string())),
        }
    }
    reject_tested_videos(&mut inspected);
    Ok(inspected)
}

fn look_at(item: &Item, monitor: &Monitor) -> Result<Usable> {
    let info = media::probe(&item.video)?;
    if info.audio.is_empty() {
        return Err(Error::input(
            &item.video,
            "has no sound, so there is no music to learn from; give a finished video",
        ));
    }
    let video = media_file(&item.video, info.duration_s, monitor)?;
    let stem = |path: &Option<PathBuf>| -> Result<Option<(MediaFile, bool)>> {
        path.as_ref()
            .map(|path| stem_file(path, media::probe(path)?.duration_s, monitor))
            .transpose()
    };
    let (voice, bgm) = (stem(&item.voice)?, stem(&item.bgm)?);
    let silent = |stem: &Option<(MediaFile, bool)>| stem.as_ref().is_some_and(|(_, audible)| !audible);
    let remarks: Vec<&str> = [
        silent(&voice).then_some("its clean voice is silent throughout, so the picture alone asks"),
        silent(&bgm).then_some(
            "its clean track is silent throughout, so the music is separated from the video; give the track, or leave it out \
             of corpus.json",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    Ok(Usable {
        id: item.id.clone(),
        split: item.split,
        tags: item.tags.clone(),
        video,
        picture: !info.video.is_empty(),
        voice: voice.map(|(file, _)| file),
        bgm: bgm.filter(|(_, audible)| *audible).map(|(file, _)| file),
        remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
    })
}

/// Fails where the file is silent throughout.
pub(super) fn media_file(path: &Path, duration_s: f64, monitor: &Monitor) -> Result<MediaFile> {
    let (file, audible) = stem_file(path, duration_s, monitor)?;
    if audible {
        return Ok(file);
    }
    Err(Error::input(
        path,
        "is silent throughout, so there is nothing to learn from; give a file with sound",
    ))
}

/// A file, and whether anything is heard in it.
fn stem_file(path: &Path, duration_s: f64, monitor: &Monitor) -> Result<(MediaFile, bool)> {
    let stamp = stamp(path);
    let file = MediaFile {
        path: path.to_owned(),
        sha256: File::open(path)
            .map_err(|source| Error::io(path, "read", source))
            .and_then(|file| sha256_of_file(path, file, &mut |_| monitor.check()))?,
        duration_s,
        stamp,
    };
    let mut reader = AudioReader::open(path, AudioFormat::VGGISH, 0.0)?;
    let mut samples = Vec::new();
    while reader.read(&mut samples)? > 0 {
        monitor.check()?;
        if samples.iter().any(|sample: &f32| sample.abs() > AUDIBLE) {
            return Ok((file, true));
        }
        samples.clear();
    }
    Ok((file, false))
}

/// A video that is tested on is not learnt from, whatever its ids.
fn reject_tested_videos(inspected: &mut Inspected) {
    let tested: HashMap<String, String> = inspected
        .split(Split::Test)
        .map(|item| (item.video.sha256.clone(), item.id.clone()))
        .collect();
    let (kept, leaked) = std::mem::take(&mut inspected.items)
        .into_iter()
        .partition(|item| item.split == Split::Test || !tested.contains_key(&item.video.sha256));
    inspected.items = kept;
    for item in leaked {
        let reason = format!(
            "its video is the same as that of the test item {}, and what is tested must not be learnt; remove one",
            tested[&item.video.sha256]
        );
        inspected.rejected.push((item.id, reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_file_is_not_taken_for_the_old_one() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.wav");
        let mut file = media::WavWriter::create(&path, AudioFormat::VGGISH)?;
        file.write(&vec![0.5; 16_000])?;
        file.finish()?;
        let looked_at = media_file(&path, 1.0, &Monitor::silent())?;
        looked_at.require_unchanged()?;
        std::fs::write(&path, "edited").expect("write");
        let error = looked_at.require_unchanged().expect_err("edited").to_string();
        assert!(error.contains("was changed"), "{error}");
        Ok(())
    }
}
