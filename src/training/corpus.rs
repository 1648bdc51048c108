//! `corpus.json`: videos with their splits, and optional clean stems.
//!
//! ```json
//! {"name": "arena", "items": [{"id": "v001", "video": "videos/v001.mp4", "split": "train",
//!   "voice": "stems/v001.voice.wav", "bgm": "stems/v001.bgm.wav", "tags": ["battle"]}]}
//! ```
//!
//! `split` is train, val or test; without any val items a tenth of train becomes val. `voice` (the clean
//! voice) and `bgm` (the track before ducking), aligned with the video, are optional. A relative path starts at the corpus's folder
//! and stays in it; an absolute path may lead anywhere, since a user's videos are never moved or copied.
//! An item that breaks a rule is rejected with a sentence and the others are used.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files::atomic_write;

/// The name of the file in a corpus's folder.
pub const FILE_NAME: &str = "corpus.json";

/// What an item serves for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learnt from.
    Train,
    /// Watched while learning.
    Val,
    /// Read once, at the end.
    Test,
}

impl Split {
    /// The word in `corpus.json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// One video, as it stands in `corpus.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name, unique in the corpus.
    pub id: String,
    /// The edited video, with voice-over and BGM.
    pub video: PathBuf,
    /// What it serves for.
    pub split: Split,
    /// The clean voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<PathBuf>,
    /// The track before ducking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgm: Option<PathBuf>,
    /// Style tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// An item that is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Its id, or its place in the list ("item 7") where it has none.
    pub id: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// A corpus as read: the items that keep the rules, with paths resolved, and the others with the reason. Whether
/// the files can be used is not looked at here.
#[derive(Debug, Clone, PartialEq)]
pub struct Corpus {
    /// Its name.
    pub name: String,
    /// Its items, in the order of the file.
    pub items: Vec<Item>,
    /// What was passed over.
    pub rejected: Vec<Rejected>,
}

/// `corpus.json` with its items still unread, so that one bad item does not spoil the others.
#[derive(Deserialize)]
struct RawCorpus {
    name: String,
    items: Vec<serde_json::Value>,
}

impl Corpus {
    /// Reads `folder/corpus.json`.
    ///
    /// # Errors
    /// When it is missing, unreadable, or not an object with `name` and `items`.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let bytes = std::fs::read(&path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                Error::input(
                    folder,
                    "there is no corpus.json in it; give the folder of a corpus, or make one with corpus import",
                )
            } else {
                Error::io(&path, "read", source)
            }
        })?;
        let raw: RawCorpus = serde_json::from_slice(&bytes).map_err(|source| {
            Error::input(
                &path,
                format!("is not a corpus ({source}); it needs \"name\" and a list \"items\""),
            )
        })?;
        let mut corpus = Self {
            name: raw.name,
            items: Vec::new(),
            rejected: Vec::new(),
        };
        let mut ids = HashSet::new();
        for (place, value) in raw.items.into_iter().enumerate() {
            match read_item(value, folder, &mut ids) {
                Ok(item) => corpus.items.push(item),
                Err((id, reason)) => corpus.rejected.push(Rejected {
                    id: id.unwrap_or_else(|| format!("item {}", place + 1)),
                    reason,
                }),
            }
        }
        corpus.choose_validation();
        Ok(corpus)
    }

    /// The items of one split.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.split == split)
    }

    /// Without any val items, the tenth of train whose ids hash lowest becomes val: the same items whatever
    /// the order of the file, and hardly others when items are added.
    fn choose_validation(&mut self) {
        if self.split(Split::Val).next().is_some() {
            return;
        }
        let mut train: Vec<(Vec<u8>, usize)> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.split == Split::Train)
            .map(|(index, item)| (Sha256::digest(item.id.as_bytes()).to_vec(), index))
            .collect();
        train.sort();
        for (_, index) in train.iter().take(train.len() / 10) {
            self.items[*index].split = Split::Val;
        }
    }
}

/// Reads one item and resolves its paths; the error carries the id, where there is one, and the reason.
fn read_item(
    mut value: serde_json::Value,
    folder: &Path,
    ids: &mut HashSet<String>,
) -> Result<Item, (Option<String>, String)> {
    let id = value
        .get("id")
        .and_then(serde_json::Value::as_str)
        .filter(|id| !id.trim().is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            (
                None,
                "it has no \"id\"; give every item a name of its own".to_owned(),
            )
        })?;
    let fail = |reason: String| (Some(id.clone()), reason);
    if !ids.insert(id.clone()) {
        return Err(fail(
            "an earlier item has the same id; give each a name of its own".to_owned(),
        ));
    }
    // A split in another word is the commonest slip and deserves better than serde's sentence.
    if let Some(split) = value.get_mut("split")
        && let Some(word) = split.as_str()
        && !["train", "val", "test"].contains(&word)
    {
        return Err(fail(format!(
            "its split is \"{word}\"; choose train, val or test"
        )));
    }
    let mut item: Item = serde_json::from_value(value).map_err(|source| {
        fail(format!(
            "it cannot be read ({source}); compare it with the others"
        ))
    })?;
    let paths = [Some(&mut item.video), item.voice.as_mut(), item.bgm.as_mut()];
    for path in paths.into_iter().flatten() {
        *path = resolve(folder, path).map_err(&fail)?;
    }
    Ok(item)
}

/// A relative path starts at the corpus's folder and may not leave it; an absolute one is taken as it is.
fn resolve(folder: &Path, path: &Path) -> Result<PathBuf, String> {
    if path.as_os_str().is_empty() {
        return Err("it has an empty path; name the file".to_owned());
    }
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside {
        Ok(folder.join(path))
    } else {
        Err(format!(
            "{} leaves the corpus's folder; move the file into it or give its absolute path",
            path.display()
        ))
    }
}

/// Writes `folder/corpus.json` atomically. Paths are written as they stand in `items`.
///
/// # Errors
/// When the disk refuses.
pub fn write(folder: &Path, name: &str, items: &[Item]) -> Result<PathBuf> {
    #[derive(Serialize)]
    struct File<'a> {
        name: &'a str,
        items: &'a [Item],
    }
    let path = folder.join(FILE_NAME);
    let text = serde_json::to_vec_pretty(&File { name, items }).map_err(|source| {
        Error::input(
            &path,
            "a file name is not Unicode and cannot stand in JSON; rename the file",
        )
        .with_source(source)
    })?;
    atomic_write(&path, &text)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Corpus> {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join(FILE_NAME), text).expect("write");
        Corpus::open(folder.path())
    }

    #[test]
    fn each_rejected_item_is_explained() {
        let corpus = open(
            r#"{"name": "a", "items": [
                {"id": "1", "video": "a.mp4", "split": "train"},
                {"id": "1", "video": "b.mp4", "split": "train"},
                {"id": "2", "video": "b.mp4", "split": "training"},
                {"id": "3", "video": "../b.mp4", "split": "test"},
                {"id": "4", "split": "test"},
                {"video": "c.mp4", "split": "test"},
                {"id": "5", "video": "/elsewhere/c.mp4", "split": "test", "voice": "c.wav"}]}"#,
        )
        .expect("corpus");
        let ids: Vec<_> = corpus.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["1", "5"]);
        let check = |id: &str, expected: &str| {
            let rejected = corpus
                .rejected
                .iter()
                .find(|rejected| rejected.id == id)
                .expect("rejected");
            assert!(rejected.reason.contains(expected), "{}", rejected.reason);
        };
        check("1", "same id");
        check("2", "training");
        check("3", "leaves the corpus's folder");
        check("4", "video");
        check("item 6", "no \"id\"");
    }

    #[test]
    fn a_tenth_of_train_stands_in_for_missing_val_items() {
        let items = |order: &mut dyn Iterator<Item = usize>| {
            let items: Vec<String> = order
                .map(|i| format!(r#"{{"id": "v{i}", "video": "{i}.mp4", "split": "train"}}"#))
                .collect();
            format!(r#"{{"name": "a", "items": [{}]}}"#, items.join(","))
        };
        let val = |text: &str| -> HashSet<String> {
            let corpus = open(text).expect("corpus");
            corpus.split(Split::Val).map(|item| item.id.clone()).collect()
        };
        let forward = val(&items(&mut (0..40)));
        assert_eq!(forward.len(), 4);
        assert_eq!(forward, val(&items(&mut (0..40).rev())));
    }

    #[test]
    fn what_is_no_corpus_is_said_in_one_sentence() {
        for text in ["", "[]", r#"{"name": 3, "items": []}"#, r#"{"items": []}"#] {
            let error = open(text).expect_err("no corpus").to_string();
            assert!(
                error.contains("is not a corpus") && !error.contains('\n'),
                "{error}"
            );
        }
        let folder = tempfile::tempdir().expect("temporary folder");
        let error = Corpus::open(folder.path()).expect_err("no corpus").to_string();
        assert!(error.contains("there is no corpus.json"), "{error}");
    }
}
