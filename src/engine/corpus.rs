//! Looking a corpus over, and making one from the published lists or by lot.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use crate::arena::{GenerateReport, GenerateRequest};
use crate::checksum::{hex, sha256_of, sha256_of_file};
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat, AudioReader};
use crate::settings::Folders;
use crate::training::corpus::{self, Corpus, Item, Split};
use crate::training::published::match_published;
use crate::training::sampler::cut_count;

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

    /// The training items without those that were `rejected` later.
    pub(super) fn learnt_from(&self, rejected: &[(String, String)]) -> Self {
        Self {
            name: self.name.clone(),
            items: self
                .split(Split::Train)
                .filter(|item| rejected.iter().all(|(id, _)| *id != item.id))
                .cloned()
                .collect(),
            rejected: Vec::new(),
        }
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
    pub(super) voice: Option<MediaFile>,
    pub(super) bgm: Option<MediaFile>,
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
    let stem = |path: &Option<PathBuf>| -> Result<Option<MediaFile>> {
        path.as_ref()
            .map(|path| media_file(path, media::probe(path)?.duration_s, monitor))
            .transpose()
    };
    if info.audio.is_empty() {
        return Err(Error::input(
            &item.video,
            "has no sound, so there is no music to learn from; give a finished video",
        ));
    }
    Ok(Usable {
        id: item.id.clone(),
        split: item.split,
        tags: item.tags.clone(),
        video: media_file(&item.video, info.duration_s, monitor)?,
        picture: !info.video.is_empty(),
        voice: stem(&item.voice)?,
        bgm: stem(&item.bgm)?,
    })
}

/// Fails where the file is silent throughout.
pub(super) fn media_file(path: &Path, duration_s: f64, monitor: &Monitor) -> Result<MediaFile> {
    let stamp = stamp(path);
    let mut reader = AudioReader::open(path, AudioFormat::VGGISH, 0.0)?;
    let mut samples = Vec::new();
    while !samples.iter().any(|sample: &f32| sample.abs() > AUDIBLE) {
        monitor.check()?;
        samples.clear();
        if reader.read(&mut samples)? == 0 {
            return Err(Error::input(
                path,
                "is silent throughout, so there is nothing to learn from; give a file with sound",
            ));
        }
    }
    Ok(MediaFile {
        path: path.to_owned(),
        sha256: File::open(path)
            .map_err(|source| Error::io(path, "read", source))
            .and_then(|file| sha256_of_file(path, file, &mut |_| monitor.check()))?,
        duration_s,
        stamp,
    })
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

/// Writes a corpus of the user's own finished videos to `out`: each file, and each below each folder.
/// Files stay where they are. Of five videos or more a fifth, at least two, is held out to watch how well they are
/// matched. Returns how many there are.
///
/// # Errors
/// When there is no video among them, or the disk refuses.
pub fn gather_corpus(paths: &[PathBuf], name: &str, out: &Path) -> Result<usize> {
    const HELD_OUT: usize = 5;
    let mut videos = Vec::new();
    for path in paths {
        let entries = walkdir::WalkDir::new(path).follow_links(true);
        for entry in entries.into_iter().filter_map(Result::ok) {
            if entry.file_type().is_file() && is_finished_video(entry.path()) {
                let video = std::path::absolute(entry.path());
                videos.push(video.map_err(|source| Error::io(path, "read", source))?);
            }
        }
    }
    videos.sort();
    videos.dedup();
    if videos.is_empty() {
        let empty = PathBuf::new();
        return Err(Error::input(
            paths.first().unwrap_or(&empty),
            "holds no video; give finished videos, or a folder of them",
        ));
    }
    let held_out = if videos.len() < HELD_OUT {
        0
    } else {
        (videos.len() / HELD_OUT).max(2)
    };
    // By hash, so that neighbours in a folder, often parts of one series, fall on both sides; of the name alone, so that
    // the same are held out wherever the folder lies.
    let mut order: Vec<usize> = (0..videos.len()).collect();
    order.sort_by_key(|&at| sha256_of(videos[at].file_name().unwrap_or_default().as_encoded_bytes()));
    let held: Vec<usize> = order.into_iter().take(held_out).collect();
    let mut names: HashMap<String, usize> = HashMap::new();
    let items: Vec<Item> = videos
        .into_iter()
        .enumerate()
        .map(|(at, video)| {
            let stem = video
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let seen = names.entry(stem.clone()).or_default();
            *seen += 1;
            Item {
                id: if *seen == 1 {
                    stem
                } else {
                    format!("{stem} ({seen})")
                },
                video,
                split: if held.contains(&at) {
                    Split::Val
                } else {
                    Split::Train
                },
                voice: None,
                bgm: None,
                tags: Vec::new(),
            }
        })
        .collect();
    Folders::ensure(out)?;
    corpus::write(out, name, &items)?;
    Ok(items.len())
}

/// By its name; what is in it is looked at by the check.
fn is_finished_video(path: &Path) -> bool {
    const FINISHED: [&str; 9] = ["mp4", "mkv", "webm", "mov", "avi", "m4v", "ogv", "ts", "wav"];
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| FINISHED.contains(&extension.to_lowercase().as_str()))
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
    /// The file that was written, unless no video was found.
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub corpus: PathBuf,
    /// Training items found.
    pub train: usize,
    /// Test items found.
    pub test: usize,
    /// URLs whose video is not in the folder.
    pub missing: Vec<String>,
}

/// Writes `corpus.json` for the videos of a published list that are there, with the published splits. Videos stay where they
/// are: those inside `out` are named relative to it, others by their absolute path. Importing again after more downloads
/// replaces the file.
///
/// # Errors
/// When the lists cannot be read, `out` holds another corpus, or the disk refuses.
pub fn import_corpus(request: &ImportRequest) -> Result<ImportReport> {
    let mut published = match_published(&request.name, &request.lists, &request.videos)?;
    let count = |split: Split| published.items.iter().filter(|item| item.split == split).count();
    let report = ImportReport {
        corpus: request.out.join(corpus::FILE_NAME),
        train: count(Split::Train),
        test: count(Split::Test),
        missing: std::mem::take(&mut published.missing),
    };
    if published.items.is_empty() {
        return Ok(report);
    }
    if report.corpus.exists() && Corpus::open(&request.out)?.name != published.name {
        return Err(Error::input(
            &request.out,
            "holds another corpus already; choose another folder",
        ));
    }
    Folders::ensure(&request.out)?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(|source| Error::io(path, "read", source));
    let home = absolute(&request.out)?;
    for item in &mut published.items {
        let video = absolute(&item.video)?;
        item.video = video.strip_prefix(&home).map(Path::to_owned).unwrap_or(video);
    }
    corpus::write(&request.out, published.name, &published.items)?;
    Ok(report)
}

/// Makes the corpus *arena* in a folder, or goes on with it.
///
/// # Errors
/// As [`crate::arena::generate`].
pub fn generate_corpus(request: &GenerateRequest, monitor: &Monitor) -> Result<GenerateReport> {
    Folders::ensure(&request.out)?;
    crate::arena::generate(request, monitor)
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

    #[test]
    fn finished_videos_become_a_corpus_with_some_held_out() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let videos = folder.path().join("videos");
        std::fs::create_dir_all(videos.join("more")).expect("folder");
        for name in [
            "a.mp4",
            "b.MKV",
            "c.mov",
            "d.webm",
            "e.mp4",
            "more/a.mp4",
            "notes.txt",
        ] {
            std::fs::write(videos.join(name), "x").expect("write");
        }
        let out = folder.path().join("corpus");
        let picked = [videos.clone(), videos.join("a.mp4")];
        assert_eq!(gather_corpus(&picked, "mine", &out)?, 6);
        let corpus = Corpus::open(&out)?;
        assert_eq!(corpus.split(Split::Val).count(), 2);
        let mut ids: Vec<&str> = corpus.items.iter().map(|item| item.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a", "a (2)", "b", "c", "d", "e"]);

        let held = |corpus: &Corpus| -> Vec<String> {
            corpus.split(Split::Val).map(|item| item.id.clone()).collect()
        };
        let moved = folder.path().join("moved");
        std::fs::rename(&videos, &moved).expect("rename");
        let out = folder.path().join("again");
        gather_corpus(&[moved], "mine", &out)?;
        assert_eq!(held(&Corpus::open(&out)?), held(&corpus), "wherever they lie");
        std::fs::rename(folder.path().join("moved"), &videos).expect("rename");
        let error = gather_corpus(&[videos.join("notes.txt")], "mine", &out).expect_err("no video");
        assert!(error.to_string().contains("holds no video"), "{error}");
        Ok(())
    }
}
