//! What runs beside the window: each engine call as a job, and what it leaves behind.
//!
//! A task says what a job was for, so that its end is understood whether it succeeded or not. Results that belong to a
//! clip carry its session; `arrivals` drops the stale ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::App;
use super::candidates::{CandidateKey, Excerpt};
use super::command::Command;
use super::demo;
use super::dialogs;
use super::level::LevelKey;
use super::session::{Asking, Candidate, ClipSound, PackLine, PathPurpose};
use super::stems::{self, Stems};
use crate::engine::corpus::{CorpusReport, check_corpus};
use crate::engine::embed::VoiceSource;
use crate::engine::export::{ExportReport, ExportRequest, export};
use crate::engine::fine_tune::{FineTuneReport, FineTuneRequest, fine_tune};
use crate::engine::index::{IndexReport, Songs, index};
use crate::engine::separate::separate_cached;
use crate::engine::suggest::{SuggestReport, SuggestRequest, suggest};
use crate::engine::{Engine, EngineOptions};
use crate::error::Result;
use crate::jobs::{JobId, Monitor};
use crate::library::{Library, Track, TrackId};
use crate::media::{self, Frame, MediaInfo, VideoFollower};
use crate::mix::StemFile;
use crate::networks::weights::Pack;
use crate::project::{self, Edit};

/// Thumbnails on the timeline, and their height in pixels.
const THUMBNAILS: usize = 24;
const THUMBNAIL_HEIGHT: u32 = 72;
/// Tallest picture the player decodes.
const PICTURE_HEIGHT: u32 = 1080;
/// Longest sound that is kept in memory to be heard before it is separated, seconds.
const PREVIEW_S: f64 = 600.0;
/// Suggestions asked for when the list is narrowed here.
const NARROWED_TOP: usize = 500;

/// What a job is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    Engine { request: u64 },
    Open { session: u64, path: PathBuf },
    Preview { session: u64 },
    Thumbnails { session: u64 },
    Separate { session: u64 },
    Suggest { session: u64, question: u64 },
    Candidate(CandidateKey),
    Level(Box<LevelKey>),
    Library,
    Mark,
    Index(Vec<PathBuf>),
    Corpus(PathBuf),
    Train,
    Export,
    Choose,
    Save,
}

impl Task {
    /// The clip it belongs to.
    pub(super) fn session(&self) -> Option<u64> {
        match self {
            Self::Open { session, .. }
            | Self::Preview { session }
            | Self::Thumbnails { session }
            | Self::Separate { session }
            | Self::Suggest { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// Small and frequent; not worth a line unless it fails.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(
            self,
            Self::Engine { .. }
                | Self::Preview { .. }
                | Self::Thumbnails { .. }
                | Self::Candidate(_)
                | Self::Level(_)
                | Self::Library
                | Self::Mark
                | Self::Choose
                | Self::Save
        )
    }

    /// What starts it again.
    pub(super) fn retry(&self) -> Option<Command> {
        match self {
            Self::Open { path, .. } => Some(Command::OpenMedia(path.clone())),
            Self::Separate { .. } => Some(Command::SeparateAgain),
            Self::Suggest { .. } => Some(Command::AskAgain),
            Self::Index(paths) => Some(Command::AddMusic(paths.clone())),
            Self::Library => Some(Command::RefreshLibrary),
            Self::Train => Some(Command::StartTraining),
            Self::Export => Some(Command::Export),
            _ => None,
        }
    }
}

/// What a finished job leaves.
pub(super) enum Outcome {
    Engine(Arc<Engine>, Vec<PackLine>),
    Opened(Box<Opened>),
    Preview(Arc<[f32]>),
    Thumbnails(Vec<Frame>),
    Separated(Box<Separated>),
    Suggested(Box<SuggestReport>, f64),
    Candidate(Excerpt),
    /// The master gain for the loudness target, dB.
    Level(f32),
    Tracks(Vec<Track>),
    Indexed(IndexReport),
    Corpus(CorpusReport),
    Trained(FineTuneReport),
    Exported(ExportReport),
    Chosen(PathPurpose, Vec<PathBuf>),
    Done,
}

/// A clip that was opened.
pub(super) struct Opened {
    pub info: MediaInfo,
    /// `None` without a picture; a picture that cannot be decoded does not keep the sound from being heard.
    pub follower: Option<Result<VideoFollower>>,
}

/// The stems of a clip, measured and ready to play.
pub(super) struct Separated {
    pub stems: Stems,
    pub voice_source: StemFile,
    pub original_source: StemFile,
}

/// A change of one track's marks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Favourite(bool),
    Hidden(bool),
    Forget,
}

impl App {
    pub(super) fn start(
        &mut self,
        title: impl Into<String>,
        task: Task,
        work: impl FnOnce(&Monitor) -> Result<Outcome> + Send + 'static,
    ) -> JobId {
        let ctx = self.ctx.clone();
        let id = self.runner.start(title, move || ctx.request_repaint(), work);
        self.tasks.insert(id, task);
        id
    }

    /// The job that does `wanted`, if one runs.
    pub(super) fn running(&self, wanted: impl Fn(&Task) -> bool) -> Option<JobId> {
        self.runner
            .jobs()
            .iter()
            .filter(|job| job.is_running())
            .map(|job| job.id)
            .find(|id| self.tasks.get(id).is_some_and(&wanted))
    }

    pub(super) fn start_engine(&mut self) {
        self.engine_request += 1;
        let request = self.engine_request;
        let options = EngineOptions {
            device: self.state.settings.device,
            pack: self.state.settings.pack.clone(),
            library: None,
            folders: self.state.folders.clone(),
        };
        self.start("Open the model", Task::Engine { request }, move |_| {
            let packs = list_packs(&options);
            let engine = Engine::open(options)?;
            Ok(Outcome::Engine(Arc::new(engine), packs))
        });
    }

    pub(super) fn start_open(&mut self, path: PathBuf) {
        let session = self.state.session;
        let ctx = self.ctx.clone();
        let name = super::session::file_name(&path);
        self.start(
            format!("Open {name}"),
            Task::Open {
                session,
                path: path.clone(),
            },
            move |monitor| {
                monitor.progress("Reading the file", None);
                let info = media::probe(&path)?;
                monitor.check()?;
                let follower = if info.video.is_empty() {
                    None
                } else {
                    Some(VideoFollower::open(&path, PICTURE_HEIGHT, move || {
                        ctx.request_repaint();
                    }))
                };
                Ok(Outcome::Opened(Box::new(Opened { info, follower })))
            },
        );
    }

    /// Decodes the whole sound of a clip that is not too long, to be heard while it is being separated.
    pub(super) fn start_preview(&mut self, path: PathBuf, duration_s: f64) {
        if duration_s > PREVIEW_S {
            return;
        }
        let session = self.state.session;
        self.start("Read the sound", Task::Preview { session }, move |monitor| {
            let samples = media::decode_audio(&path, media::AudioFormat::MIX, 0.0, None, monitor)?;
            Ok(Outcome::Preview(samples.into()))
        });
    }

    pub(super) fn start_thumbnails(&mut self, path: PathBuf) {
        let session = self.state.session;
        self.start("Thumbnails", Task::Thumbnails { session }, move |monitor| {
            media::thumbnails(&path, THUMBNAILS, THUMBNAIL_HEIGHT, monitor).map(Outcome::Thumbnails)
        });
    }

    pub(super) fn start_separation(&mut self, path: PathBuf) {
        let Some(engine) = self.state.engine.ready().cloned() else {
            return;
        };
        let session = self.state.session;
        if let Some(clip) = &mut self.state.clip {
            clip.sound = ClipSound::Separating;
        }
        self.start(
            "Separate voice and music",
            Task::Separate { session },
            move |monitor| {
                let files = separate_cached(&engine, &path, &monitor.part(0.0, 0.95))?;
                let stems = stems::measure(files.clone(), &monitor.part(0.95, 1.0))?;
                Ok(Outcome::Separated(Box::new(Separated {
                    voice_source: StemFile::open(&files.voice)?,
                    original_source: StemFile::open(&files.bgm)?,
                    stems,
                })))
            },
        );
    }

    /// Asks for music for the current window; an older question is withdrawn.
    pub(super) fn start_suggest(&mut self) {
        self.state.suggestions.due = None;
        let (Some(engine), Some(clip)) = (self.state.engine.ready().cloned(), &self.state.clip) else {
            return;
        };
        if clip.info.is_none() || self.state.library.usable() == 0 {
            return;
        }
        let filter = &self.state.filter;
        let request = SuggestRequest {
            media: clip.path.clone(),
            top: if filter.narrows_locally() {
                NARROWED_TOP
            } else {
                self.state.settings.top
            },
            start_s: self.state.history.edit().window_start_s,
            voice: VoiceSource::Separated,
            balance: f64::from(self.state.settings.balance),
            tags: filter.tags.clone(),
            text: Some(filter.text.trim().to_owned()).filter(|text| !text.is_empty()),
        };
        self.cancel_tasks(|task| matches!(task, Task::Suggest { .. }));
        self.question += 1;
        let task = Task::Suggest {
            session: self.state.session,
            question: self.question,
        };
        self.state.suggestions.asking = Asking::Running;
        self.start("Suggest music", task, move |monitor| {
            let started = std::time::Instant::now();
            let report = suggest(&engine, &request, monitor)?;
            Ok(Outcome::Suggested(
                Box::new(report),
                started.elapsed().as_secs_f64(),
            ))
        });
    }

    pub(super) fn start_candidate(&mut self, candidate: &Candidate, clip_s: f64) {
        let key = CandidateKey::of(candidate, clip_s);
        if self
            .running(|task| *task == Task::Candidate(key.clone()))
            .is_some()
        {
            return;
        }
        let (from_s, span_s) = key.span();
        let (path, duration_s) = (candidate.path.clone(), candidate.duration_s);
        self.start("Read a track", Task::Candidate(key), move |monitor| {
            Excerpt::decode(&path, from_s, span_s, duration_s, monitor).map(Outcome::Candidate)
        });
    }

    /// Reads the library anew; with `check_files` it also looks which files are gone.
    pub(super) fn start_library(&mut self, check_files: bool) {
        if self.running(|task| *task == Task::Library).is_some() {
            return;
        }
        let path = self.library_path();
        self.library_read = std::time::Instant::now();
        self.start("Read the library", Task::Library, move |_| {
            let library = open_library(&path)?;
            if check_files {
                library.refresh_missing()?;
            }
            library.tracks().map(Outcome::Tracks)
        });
    }

    pub(super) fn start_mark(&mut self, id: TrackId, mark: Mark) {
        let path = self.library_path();
        self.start("Change the library", Task::Mark, move |_| {
            let library = open_library(&path)?;
            match mark {
                Mark::Favourite(favourite) => library.set_favourite(id, favourite)?,
                Mark::Hidden(hidden) => library.set_hidden(id, hidden)?,
                Mark::Forget => library.forget(id)?,
            }
            Ok(Outcome::Done)
        });
    }

    pub(super) fn start_index(&mut self, paths: Vec<PathBuf>) {
        let Some(engine) = self.state.engine.ready().cloned() else {
            self.wanted_music.extend(paths);
            return;
        };
        let task = Task::Index(paths.clone());
        let id = self.start("Index music", task, move |monitor| {
            index(&engine, &paths, Songs::Auto, monitor).map(Outcome::Indexed)
        });
        self.state.library.indexing = Some(id);
    }

    pub(super) fn start_corpus_check(&mut self, folder: PathBuf) {
        self.cancel_tasks(|task| matches!(task, Task::Corpus(_)));
        self.state.training.checking = true;
        self.state.training.corpus = None;
        self.state.training.problem = None;
        self.start(
            "Look the corpus over",
            Task::Corpus(folder.clone()),
            move |monitor| check_corpus(&folder, monitor).map(Outcome::Corpus),
        );
    }

    pub(super) fn start_training(&mut self) {
        let Some(engine) = self.state.engine.ready().cloned() else {
            return;
        };
        let window = &self.state.window;
        let name = free_name(&self.state.folders.packs(), window.pack_name.trim());
        let mut request = FineTuneRequest::new(
            Path::new(window.corpus.trim()),
            &self.state.folders.packs().join(&name),
        );
        request.scope = window.scope;
        request.epochs = window.epochs;
        request.seed = window.seed;
        // A slow window misses a point of the curve, never the run.
        let (send, receive) = bounded(4096);
        self.epochs = Some(receive);
        let ctx = self.ctx.clone();
        let id = self.start(format!("Train {name}"), Task::Train, move |monitor| {
            let on_epoch = move |report| {
                let _ = send.try_send(report);
                ctx.request_repaint();
            };
            fine_tune(&engine, &request, &on_epoch, monitor).map(Outcome::Trained)
        });
        let training = &mut self.state.training;
        training.job = Some(id);
        training.curve.clear();
        training.report = None;
        training.problem = None;
        training.pack = Some(name);
    }

    pub(super) fn start_export(&mut self, request: ExportRequest) -> Option<JobId> {
        let engine = self.state.engine.ready().cloned()?;
        let name = super::session::file_name(&request.out);
        Some(
            self.start(format!("Export {name}"), Task::Export, move |monitor| {
                export(&engine, &request, monitor).map(Outcome::Exported)
            }),
        )
    }

    /// Opens a file dialog on its own thread, or the path field where there is none.
    pub(super) fn start_choosing(&mut self, purpose: PathPurpose) {
        if !self.state.dialogs {
            self.prompt(purpose);
            return;
        }
        let suggested = self.state.export.as_ref().map(|dialog| dialog.path.clone());
        self.start("Choose a file", Task::Choose, move |_| {
            Ok(Outcome::Chosen(
                purpose,
                dialogs::choose(purpose, suggested.as_deref()),
            ))
        });
    }

    pub(super) fn start_autosave(&mut self) {
        let path = project::autosave_path(&self.state.folders);
        let edit: Edit = self.state.history.edit().clone();
        self.start("Save the edit", Task::Save, move |_| {
            project::save(&path, &edit)?;
            Ok(Outcome::Done)
        });
    }

    pub(super) fn start_settings_save(&mut self) {
        let folders = self.state.folders.clone();
        let mut settings = self.state.settings.clone();
        // JSON holds text: a name that is no text is left out of the list of recent files.
        settings.recent.retain(|path| path.to_str().is_some());
        let window = self.state.window.clone();
        self.start("Save the settings", Task::Save, move |_| {
            settings.save(&folders)?;
            window.save(&folders)?;
            Ok(Outcome::Done)
        });
    }

    pub(super) fn cancel_tasks(&mut self, which: impl Fn(&Task) -> bool) {
        let ids: Vec<JobId> = self
            .runner
            .jobs()
            .iter()
            .filter(|job| job.is_running() && self.tasks.get(&job.id).is_some_and(&which))
            .map(|job| job.id)
            .collect();
        ids.into_iter().for_each(|id| self.runner.cancel(id));
    }

    pub(super) fn open_demo(&mut self) {
        match demo::find() {
            Ok(demo) => {
                self.apply(Command::OpenMedia(demo.clip));
                self.apply(Command::AddMusic(vec![demo.music]));
            }
            Err(error) => self.state.notes.error(error.to_string()),
        }
    }

    fn library_path(&self) -> PathBuf {
        self.state.engine.ready().map_or_else(
            || self.state.folders.library(),
            |engine| engine.library_path().to_owned(),
        )
    }
}

fn open_library(path: &Path) -> Result<Library> {
    if let Some(folder) = path.parent() {
        crate::settings::Folders::ensure(folder)?;
    }
    Library::open(path)
}

fn list_packs(options: &EngineOptions) -> Vec<PackLine> {
    let roots = Engine::pack_roots(&options.folders);
    let readable = Pack::list(&roots).into_iter().filter_map(|pack| match pack {
        Ok(pack) => Some(pack),
        Err(error) => {
            tracing::warn!("a pack cannot be read: {error}");
            None
        }
    });
    readable
        .map(|pack| PackLine {
            name: pack.manifest.name,
            version: pack.manifest.version,
            licence: pack.manifest.licence,
            folder: pack.folder,
        })
        .collect()
}

/// `name`, or with a number behind it where a folder of that name is there already.
fn free_name(folder: &Path, name: &str) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while folder.join(&free).exists() {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pack_never_replaces_one() {
        let home = tempfile::tempdir().expect("temporary folder");
        assert_eq!(free_name(home.path(), "mine"), "mine");
        std::fs::create_dir(home.path().join("mine")).expect("folder");
        std::fs::create_dir(home.path().join("mine-2")).expect("folder");
        assert_eq!(free_name(home.path(), "mine"), "mine-3");
    }
}
