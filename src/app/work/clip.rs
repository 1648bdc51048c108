//! Jobs of the open video: opening, pictures, separation, export.

use std::path::PathBuf;

use super::{Opened, Outcome, Separated, Task};
use crate::app::App;
use crate::app::session::{ClipSound, file_name};
use crate::app::stems;
use crate::engine::cache;
use crate::engine::export::{ExportRequest, export};
use crate::engine::separate::separate_cached;
use crate::jobs::JobId;
use crate::media::{self, VideoFollower};
use crate::mix::StemFile;

/// Thumbnails on the timeline, and their height in pixels.
const THUMBNAILS: usize = 24;
const THUMBNAIL_HEIGHT: u32 = 72;
/// Tallest picture the player decodes.
const PICTURE_HEIGHT: u32 = 1080;
/// Longest sound that is kept in memory to be heard before it is separated, seconds.
const PREVIEW_S: f64 = 600.0;

impl App {
    pub(in crate::app) fn start_open(&mut self, path: PathBuf) {
        let session = self.state.session;
        let ctx = self.ctx.clone();
        let name = file_name(&path);
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
    pub(in crate::app) fn start_preview(&mut self, path: PathBuf, duration_s: f64) {
        if duration_s > PREVIEW_S {
            return;
        }
        let session = self.state.session;
        self.start("Read the sound", Task::Preview { session }, move |monitor| {
            let samples = media::decode_audio(&path, media::AudioFormat::MIX, 0.0, None, monitor)?;
            Ok(Outcome::Preview(samples.into()))
        });
    }

    pub(in crate::app) fn start_thumbnails(&mut self, path: PathBuf) {
        let session = self.state.session;
        self.start("Thumbnails", Task::Thumbnails { session }, move |monitor| {
            media::thumbnails(&path, THUMBNAILS, THUMBNAIL_HEIGHT, monitor).map(Outcome::Thumbnails)
        });
    }

    pub(in crate::app) fn start_separation(&mut self, path: PathBuf) {
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
                let lease = cache::hold(&files);
                let stems = stems::measure(files.clone(), &monitor.part(0.95, 1.0))?;
                Ok(Outcome::Separated(Box::new(Separated {
                    voice_source: StemFile::open(&files.voice)?,
                    original_source: StemFile::open(&files.bgm)?,
                    stems,
                    lease,
                })))
            },
        );
    }

    pub(in crate::app) fn start_export(&mut self, request: ExportRequest) -> Option<JobId> {
        let engine = self.state.engine.ready().cloned()?;
        let name = file_name(&request.out);
        Some(
            self.start(format!("Export {name}"), Task::Export, move |monitor| {
                export(&engine, &request, monitor).map(Outcome::Exported)
            }),
        )
    }
}
