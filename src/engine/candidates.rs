//! The tracks that a query is ranked against, and the best moment of each.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::Engine;
use super::reembed::reembed;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::library::{EmbeddingTable, Library, Track, TrackId};
use crate::retrieval::{Metric, top_k};

/// Windows asked for per wanted track at first; a track's windows are alike, so that several stand side by side.
const WINDOWS_PER_TRACK: usize = 8;
/// Larger tables are read for each question: 300,000 windows of 512 numbers.
const KEPT_BYTES: usize = 600 << 20;

/// What a track must be like to be suggested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    tags: Vec<String>,
    words: Vec<String>,
}

impl Filter {
    /// Tracks that have all of `tags`, and whose title, artist or tags hold all words of `text`, whatever the case.
    pub(super) fn new(tags: &[String], text: Option<&str>) -> Self {
        Self {
            tags: tags.iter().map(|tag| tag.trim().to_lowercase()).collect(),
            words: text
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_lowercase)
                .collect(),
        }
    }

    fn passes(&self, track: &Track) -> bool {
        if self.tags.is_empty() && self.words.is_empty() {
            return true;
        }
        let tags: HashSet<String> = track.tags.iter().map(|tag| tag.to_lowercase()).collect();
        let mut text = track.title.to_lowercase();
        for part in track
            .artist
            .iter()
            .map(|artist| artist.to_lowercase())
            .chain(tags.iter().cloned())
        {
            text.push('\n');
            text.push_str(&part);
        }
        self.tags.iter().all(|tag| tags.contains(tag)) && self.words.iter().all(|word| text.contains(word))
    }
}

/// A track and its best moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found<'a> {
    pub(super) track: &'a Track,
    pub(super) score: f32,
    pub(super) start_s: f64,
}

/// What was read for the last question.
#[derive(Debug, Default)]
pub(super) struct KeptCandidates {
    last: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    candidates: Arc<Candidates>,
    /// Stays open and writes nothing, so that it sees what others write.
    library: Library,
    revision: i64,
    file: Option<FileIdentity>,
}

/// Tells a library from another one that was put in its place.
type FileIdentity = (Option<SystemTime>, u64);

fn identity(path: &Path) -> Option<FileIdentity> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = 0;
    Some((metadata.created().ok(), number))
}

/// Everything of the library that can be suggested with one pack.
#[derive(Debug)]
pub(super) struct Candidates {
    table: EmbeddingTable,
    tracks: HashMap<TrackId, Track>,
}

impl Candidates {
    /// The library as it stands, read anew only where it changed since the last question.
    ///
    /// # Errors
    /// When it cannot be opened, or holds nothing that the pack has listened to; cancelled.
    pub(super) fn of(engine: &Engine, monitor: &Monitor) -> Result<Arc<Self>> {
        let mut kept = engine
            .kept_candidates()
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let file = identity(engine.library_path());
        if let Some(last) = kept.as_ref()
            && file.is_some()
            && last.file == file
            && last.library.revision()? == last.revision
        {
            return Ok(Arc::clone(&last.candidates));
        }
        *kept = None;
        let (candidates, library, revision) = Self::load(engine, monitor)?;
        let candidates = Arc::new(candidates);
        if size_of_val(candidates.table.data.as_slice()) <= KEPT_BYTES {
            *kept = Some(Kept {
                candidates: Arc::clone(&candidates),
                library,
                revision,
                file: identity(engine.library_path()),
            });
        }
        Ok(candidates)
    }

    /// Reads the library, after it was embedded anew where another pack listened; with the connection that will notice
    /// changes, and the state it was read at.
    fn load(engine: &Engine, monitor: &Monitor) -> Result<(Self, Library, i64)> {
        let path = engine.library_path();
        let empty = || {
            Error::library(format!(
                "{}: the library holds no music yet; add a folder of music to it (undertone index FOLDER)",
                path.display()
            ))
        };
        // Asking a question makes no file.
        if !path.exists() {
            return Err(empty());
        }
        let library = engine.library()?;
        reembed(engine, &library, monitor)?;
        // Before the reading: a change in between is read twice rather than missed.
        let revision = library.revision()?;
        let table = library.embeddings(&engine.pack().embedding_id())?;
        let tracks = library.tracks()?;
        if table.windows.is_empty() {
            return Err(if tracks.is_empty() {
                empty()
            } else {
                Error::library(format!(
                    "{}: no track that is there was listened to with the pack {}; index your music again \
                     (undertone index FOLDER)",
                    path.display(),
                    engine.pack().manifest.name
                ))
            });
        }
        let candidates = Self {
            table,
            tracks: tracks.into_iter().map(|track| (track.id, track)).collect(),
        };
        Ok((candidates, library, revision))
    }

    /// The `top` best tracks for `query`, each at its best window (reading, point 11), best first. A track whose file is
    /// gone is passed over.
    ///
    /// # Errors
    /// When `query` has another width than the library's embeddings, or is not made of numbers.
    pub(super) fn best(
        &self,
        query: &[f32],
        metric: Metric,
        top: usize,
        filter: &Filter,
    ) -> Result<Vec<Found<'_>>> {
        if query.len() != self.table.dim || query.iter().any(|value| !value.is_finite()) {
            return Err(Error::pack(
                "the pack gave an embedding that cannot be compared with the library; check it with undertone \
                 models verify",
            ));
        }
        let passing: HashSet<TrackId> = self
            .tracks
            .values()
            .filter(|track| filter.passes(track))
            .map(|track| track.id)
            .collect();
        let keep: Vec<bool> = self
            .table
            .windows
            .iter()
            .map(|window| passing.contains(&window.track))
            .collect();
        let mut wanted = top.saturating_mul(WINDOWS_PER_TRACK);
        loop {
            let hits = top_k(&self.table.data, query, wanted, metric, &|row| keep[row]);
            let exhausted = hits.len() < wanted;
            let mut seen = HashSet::new();
            let best: Vec<Found<'_>> = hits
                .into_iter()
                .filter(|hit| hit.score.is_finite())
                .filter_map(|hit| {
                    let window = self.table.windows[hit.row];
                    seen.insert(window.track).then_some(())?;
                    let track = self.tracks.get(&window.track)?;
                    // Only the winners are looked for on disk: a stat for each track would cost more than the search.
                    track.path.exists().then_some(Found {
                        track,
                        score: hit.score,
                        start_s: window.start_s,
                    })
                })
                .take(top)
                .collect();
            if best.len() == top || exhausted {
                return Ok(best);
            }
            wanted = wanted.saturating_mul(4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::WindowRef;
    use crate::signal::features::Description;

    fn track(id: i64, title: &str, tags: &[&str]) -> Track {
        Track {
            id: TrackId(id),
            // Any file that is there.
            path: std::env::current_exe().expect("the test"),
            title: title.to_owned(),
            artist: Some("Ana Sol".to_owned()),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            licence: None,
            duration_s: 60.0,
            loudness_lufs: None,
            description: Description::default(),
            has_vocals: false,
            peaks: Vec::new(),
            favourite: false,
            hidden: false,
            missing: false,
            problem: None,
        }
    }

    /// Track `t` of `tracks` has windows at angles t + 0.01 w.
    fn candidates(tracks: Vec<Track>, windows: usize) -> Candidates {
        let mut table = EmbeddingTable {
            dim: 2,
            ..EmbeddingTable::default()
        };
        for (t, track) in tracks.iter().enumerate() {
            for w in 0..windows {
                let angle = 0.1 * t as f32 + 0.001 * w as f32;
                table.data.extend([angle.cos(), angle.sin()]);
                table.windows.push(WindowRef {
                    track: track.id,
                    start_s: 8.0 * w as f64,
                });
            }
        }
        Candidates {
            table,
            tracks: tracks.into_iter().map(|track| (track.id, track)).collect(),
        }
    }

    #[test]
    fn each_track_comes_once_at_its_best_moment() {
        let tracks = (0..6).map(|id| track(id, "a", &[])).collect();
        let candidates = candidates(tracks, 40);
        let query = [0.2_f32.cos(), 0.2_f32.sin()];
        for metric in [Metric::Cosine, Metric::L2] {
            let best = candidates
                .best(&query, metric, 3, &Filter::default())
                .expect("ranked");
            let found: Vec<(i64, f64)> = best
                .iter()
                .map(|found| (found.track.id.0, found.start_s))
                .collect();
            // Track 1 ends at 0.139, track 3 begins at 0.3.
            assert_eq!(found, [(2, 0.0), (1, 8.0 * 39.0), (3, 0.0)]);
        }
        assert_eq!(
            candidates
                .best(&query, Metric::Cosine, 50, &Filter::default())
                .expect("ranked")
                .len(),
            6
        );
        candidates
            .best(&[1.0], Metric::Cosine, 1, &Filter::default())
            .expect_err("another width");
        candidates
            .best(&[f32::NAN, 1.0], Metric::Cosine, 1, &Filter::default())
            .expect_err("no number");
    }

    #[test]
    fn filters_and_files_that_are_gone() {
        let mut gone = track(0, "Gone", &["battle"]);
        gone.path = "/no/such/file.ogg".into();
        let candidates = candidates(
            vec![
                gone,
                track(1, "Night Rain", &["Calm", "piano"]),
                track(2, "War", &["battle"]),
            ],
            1,
        );
        let check = |tags: &[&str], text: Option<&str>, expected: &[i64]| {
            let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
            let best = candidates
                .best(&[1.0, 0.0], Metric::Cosine, 9, &Filter::new(&tags, text))
                .expect("ranked");
            let found: Vec<i64> = best.iter().map(|found| found.track.id.0).collect();
            assert_eq!(found, expected, "{tags:?} {text:?}");
        };
        check(&[], None, &[1, 2]);
        check(&["calm"], None, &[1]);
        check(&["Calm", "PIANO"], Some(" rain ana "), &[1]);
        check(&["cal"], None, &[]);
        check(&[], Some("battle"), &[2]);
        check(&["battle", "calm"], None, &[]);
    }
}
