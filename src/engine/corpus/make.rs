//! Making a corpus: of the user's finished videos, from the published lists, or by lot.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use crate::arena::{GenerateReport, GenerateRequest};
use crate::checksum::sha256_of;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::settings::Folders;
use crate::training::corpus::{self, Corpus, Item, Split};
use crate::training::published::match_published;

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
