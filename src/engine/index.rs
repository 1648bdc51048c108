//! Adding music to the library.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;

use super::Engine;
use super::embed::embed_bgm;
use super::reembed::reembed;
use super::track::{Heard, Piece, listen};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{self, Monitor};
use crate::library::{
    Library, ScanEntry, StoredWindow, Track, TrackId, TrackRecord, scan, split_words, title_of,
};

/// Pieces of sound that are decoded before they are needed, 5.6 MB each.
const PIECES_AHEAD: usize = 3;

/// Whether singing is taken out before embedding (reading, point 12).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Songs {
    /// Where singing is found.
    #[default]
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

impl Songs {
    /// As the command line and the library write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

impl FromStr for Songs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--songs {text}: choose auto, yes or no"),
            )),
        }
    }
}

/// What indexing did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IndexReport {
    /// Files that were listened to and are now in the library with embeddings of this pack.
    pub indexed: usize,
    /// Files that were current already.
    pub unchanged: usize,
    /// Windows written.
    pub windows: usize,
    /// Files that failed and why.
    pub failed: Vec<FailedFile>,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedFile {
    /// The file.
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub path: PathBuf,
    /// One sentence.
    pub reason: String,
}

/// Adds files and folders to the library. A file that fails is reported and the run goes on; every finished track is
/// committed before its progress is reported, so that an interruption loses nothing reported done.
///
/// One thread decodes ahead while this one runs the networks; the bounded channel between them keeps memory from
/// growing with the length of a track.
///
/// # Errors
/// When no path exists, the pack cannot be used, the library cannot be written, or cancelled.
pub fn index(engine: &Engine, paths: &[PathBuf], songs: Songs, monitor: &Monitor) -> Result<IndexReport> {
    monitor.progress("Looking for music", None);
    let found = scan(paths, monitor)?;
    let library = engine.library()?;
    library.refresh_missing()?;
    let mut run = Run {
        engine,
        library,
        songs,
        monitor,
        files: found.entries.len(),
        report: IndexReport::default(),
    };
    for (path, error) in found.unreadable {
        run.fail(&path, &error);
    }
    if found.entries.is_empty() {
        return Ok(run.report);
    }
    // A pack that cannot be used fails once and not once a file.
    engine.vggish_bgm()?;
    engine.mrcmv()?;
    reembed(engine, &run.library, &monitor.part(0.0, 0.1))?;
    let (sender, receiver) = bounded(PIECES_AHEAD);
    let (listened, embedded) = jobs::join(
        "listen",
        || listen_to_all(engine, found.entries, songs, monitor, sender),
        || run.embed_all(receiver),
    )?;
    embedded?;
    listened?;
    Ok(run.report)
}

/// What the listening thread hands over. The pieces of a file come before its end.
enum News {
    Piece(Piece),
    Unchanged,
    End(ScanEntry, Result<Box<Heard>>),
}

fn listen_to_all(
    engine: &Engine,
    entries: Vec<ScanEntry>,
    songs: Songs,
    monitor: &Monitor,
    news: Sender<News>,
) -> Result<()> {
    // Where the other side has stopped, it says why.
    let hand_over = |item| news.send(item).map_err(|_| Error::cancelled());
    let library = engine.library()?;
    let embedding_id = engine.pack().embedding_id();
    for entry in entries {
        monitor.check()?;
        // Asked anew for each file, since another program may be at work on the same folder.
        if library.is_current(
            &entry.path,
            entry.size,
            entry.modified_ns,
            &embedding_id,
            songs.word(),
        )? {
            hand_over(News::Unchanged)?;
            continue;
        }
        let heard = listen(engine, &entry.path, songs, monitor, &mut |piece| {
            hand_over(News::Piece(piece))
        })
        .map(Box::new);
        match heard {
            Err(error) if ends_the_run(&error) => return Err(error),
            heard => hand_over(News::End(entry, heard))?,
        }
    }
    Ok(())
}

/// Whether the next file would fail alike.
fn ends_the_run(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::Pack | ErrorKind::Device | ErrorKind::Memory
    )
}

/// One run of `index`, on the thread that embeds.
struct Run<'a> {
    engine: &'a Engine,
    library: Library,
    songs: Songs,
    monitor: &'a Monitor,
    files: usize,
    report: IndexReport,
}

impl Run<'_> {
    fn embed_all(&mut self, news: Receiver<News>) -> Result<()> {
        let mut windows = Vec::new();
        let mut done = 0;
        for item in news {
            self.monitor.check()?;
            let stage = match item {
                News::Piece(piece) => {
                    self.embed(&piece, &mut windows)?;
                    continue;
                }
                News::Unchanged => {
                    self.report.unchanged += 1;
                    "Looking for changes".to_owned()
                }
                News::End(entry, heard) => {
                    let windows = std::mem::take(&mut windows);
                    self.end(&entry, heard.map(|heard| (*heard, windows)))?
                }
            };
            done += 1;
            self.monitor
                .progress(&stage, Some(done as f32 / self.files as f32));
        }
        Ok(())
    }

    fn embed(&self, piece: &Piece, windows: &mut Vec<StoredWindow>) -> Result<()> {
        let embedded = embed_bgm(self.engine, &piece.samples, false, &self.monitor.unseen())?;
        windows.extend(embedded.into_iter().map(|window| StoredWindow {
            start_s: piece.start_s + window.start_s,
            vggish: window.vggish,
            embedding: window.embedding,
        }));
        Ok(())
    }

    /// Stores what became of a file and says so.
    fn end(&mut self, entry: &ScanEntry, heard: Result<(Heard, Vec<StoredWindow>)>) -> Result<String> {
        let name = entry
            .path
            .file_name()
            .unwrap_or(entry.path.as_os_str())
            .to_string_lossy();
        match heard {
            Ok((heard, windows)) => {
                self.report.windows += windows.len();
                self.library.put(&TrackRecord {
                    track: track_of(&entry.path, heard),
                    size: entry.size,
                    modified_ns: entry.modified_ns,
                    windows,
                    embedding_id: self.engine.pack().embedding_id(),
                    songs: self.songs.word().to_owned(),
                })?;
                self.report.indexed += 1;
                Ok(format!("Indexed {name}"))
            }
            Err(error) => {
                self.library
                    .put_problem(&entry.path, entry.size, entry.modified_ns, &error.to_string())?;
                self.fail(&entry.path, &error);
                Ok(format!("Passed over {name}"))
            }
        }
    }

    fn fail(&mut self, path: &Path, error: &Error) {
        let reason = error.to_string();
        self.monitor.warn(reason.clone());
        self.report.failed.push(FailedFile {
            path: path.to_owned(),
            reason,
        });
    }
}

fn track_of(path: &Path, heard: Heard) -> Track {
    let Heard { info, tags, .. } = heard;
    let mut words = tags.words;
    words.extend(info.tags.genre.iter().flat_map(|genre| split_words(genre)));
    words.sort_unstable();
    words.dedup();
    Track {
        id: TrackId(0),
        path: path.to_owned(),
        title: tags.title.or(info.tags.title).unwrap_or_else(|| title_of(path)),
        artist: tags.artist.or(info.tags.artist),
        tags: words,
        licence: tags.licence.or(info.tags.licence),
        duration_s: info.duration_s,
        loudness_lufs: heard.loudness_lufs,
        description: heard.description,
        has_vocals: heard.has_vocals,
        peaks: heard.peaks,
        favourite: false,
        hidden: false,
        missing: false,
        problem: None,
    }
}
