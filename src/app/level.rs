//! The loudness target while listening: the master gain that an export would find, found beside the playing, so that
//! what is heard is what will be written.

use std::time::{Duration, Instant};

use super::App;
use super::candidates::CandidateKey;
use super::work::{Outcome, Task};
use crate::engine::separate::StemFiles;
use crate::mix::{MixGraph, MixSettings, SampleSource, StemFile, match_loudness};

/// How long a changed mix rests before it is measured.
const REST: Duration = Duration::from_millis(350);
/// Longer clips are measured by the export alone: the search renders the mix several times.
const LONGEST_S: f64 = 600.0;

/// A mix whose loudness is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LevelKey {
    session: u64,
    candidate: Option<CandidateKey>,
    /// Without master gain and solo.
    settings: MixSettings,
    target_lufs: f64,
}

/// The gain in use, and the mix it belongs to.
#[derive(Debug, Default)]
pub(super) struct Level {
    key: Option<LevelKey>,
    due: Option<Instant>,
    pub gain_db: f32,
}

impl App {
    /// Notices that another mix is heard and plans its measuring. Until then the old gain stays.
    pub(super) fn sync_level(&mut self, candidate: Option<&CandidateKey>, settings: MixSettings) {
        let clip_s = self
            .state
            .clip
            .as_ref()
            .map_or(0.0, super::session::Clip::duration_s);
        let separated = self
            .state
            .clip
            .as_ref()
            .is_some_and(|clip| clip.stems().is_some());
        let target_lufs = self.state.history.edit().loudness_lufs;
        let Some(target_lufs) = target_lufs.filter(|_| separated && clip_s <= LONGEST_S) else {
            self.level = Level::default();
            return;
        };
        let key = LevelKey {
            session: self.state.session,
            candidate: candidate.cloned(),
            settings: MixSettings {
                master_gain_db: 0.0,
                ..settings
            },
            target_lufs,
        };
        if self.level.key.as_ref() != Some(&key) {
            self.level.key = Some(key);
            self.level.due = Some(Instant::now() + REST);
            self.cancel_tasks(|task| matches!(task, Task::Level(_)));
        }
    }

    /// Measures once the mix has rested and its candidate is there.
    pub(super) fn measure_level(&mut self) {
        if self.state.candidate_loading || !super::take_due(&mut self.level.due, &self.ctx) {
            return;
        }
        let (Some(key), Some(stems)) = (
            self.level.key.clone(),
            self.state.clip.as_ref().and_then(|clip| clip.stems()),
        ) else {
            return;
        };
        let (files, rms) = (stems.files.clone(), stems.levels.rms.clone());
        let frames = self.clip_frames();
        let excerpt = key
            .candidate
            .as_ref()
            .and_then(|candidate| self.candidates.get(candidate));
        let task = Task::Level(Box::new(key.clone()));
        self.start("Match the loudness", task, move |monitor| {
            let StemFiles { voice, bgm, .. } = files;
            let (voice, original) = (StemFile::open(&voice)?, StemFile::open(&bgm)?);
            let mut graph = MixGraph::new(Box::new(voice), Box::new(original), rms);
            if let Some(frames) = frames {
                graph = graph.with_frames(frames);
            }
            graph.set_settings(key.settings);
            graph.set_candidate(excerpt.map(|excerpt| Box::new(excerpt) as Box<dyn SampleSource>));
            let found = match_loudness(&mut graph, key.target_lufs, monitor)?;
            Ok(Outcome::Level(found.master_gain_db))
        });
    }

    pub(super) fn level_arrived(&mut self, key: &LevelKey, gain_db: f32) {
        if self.level.key.as_ref() == Some(key) {
            self.level.gain_db = gain_db;
        }
    }
}
