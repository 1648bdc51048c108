//! The window: egui, and nobody else sees egui.
//!
//! [`App`] holds the `session::State` that panels read and the handles that run beside it. Panels draw and send
//! `command::Command`s; `update` acts on them and is the only place that changes the state on a user's wish. Every
//! engine call is a job (`work`), whose end `arrivals` understands; a result of an earlier clip is dropped. Nothing here
//! blocks, and the window repaints by itself only while something plays.

mod arrivals;
mod candidates;
mod command;
mod demo;
mod dialogs;
mod failures;
mod filter;
mod keys;
mod level;
mod notes;
mod panels;
mod picture;
mod session;
mod state;
mod stems;
mod sync;
mod system_font;
mod theme;
mod update;
mod widgets;
mod work;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use eframe::egui;

use crate::device::DeviceChoice;
use crate::engine::cache::Lease;
use crate::engine::fine_tune::News;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{JobId, Runner};
use crate::media::VideoFollower;
use crate::playback::Player;
use crate::project::{self, Edit};
use crate::settings::{Folders, Settings};

use candidates::Candidates;
use command::Command;
use session::State;
use state::WindowState;
use work::{Outcome, Task};

/// How the window starts.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The user's folders.
    pub folders: Folders,
    /// The file to open.
    pub media: Option<PathBuf>,
    /// Open the demo instead.
    pub demo: bool,
    /// What the command line said in place of the settings.
    pub choices: Choices,
    /// Where the sound goes.
    pub sound: Sound,
    /// Open what was open last where nothing else is asked for.
    pub reopen: bool,
}

/// Where the sound of the window goes.
#[derive(Clone, Default)]
pub enum Sound {
    /// To a device where there is one; without, the silent clock runs.
    #[default]
    Device,
    /// Nowhere: the silent clock runs.
    Silent,
    /// To a listener that gets every block of 10 ms, interleaved stereo at 44.1 kHz, from the thread of the clock: for
    /// tests and measurements.
    Listener(Arc<dyn Fn(&[f32]) + Send + Sync>),
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "Device",
            Self::Silent => "Silent",
            Self::Listener(_) => "Listener",
        })
    }
}

/// What the command line chose for this run, in place of the settings; nothing of it is saved.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// Where to compute.
    pub device: Option<DeviceChoice>,
    /// Pack name or folder.
    pub pack: Option<String>,
    /// Library file.
    pub library: Option<PathBuf>,
}

/// The window's program: state, and what runs beside it.
pub struct App {
    ctx: egui::Context,
    state: State,
    runner: Runner<Outcome>,
    tasks: HashMap<JobId, Task>,
    player: Player,
    follower: Option<VideoFollower>,
    candidates: Candidates,
    /// Keeps the stems of the open clip in the cache.
    stems_lease: Option<Lease>,
    mixed: sync::Mixed,
    level: level::Level,
    training_news: Option<Receiver<News>>,
    engine_request: u64,
    question: u64,
    /// Music to index once the engine is there.
    wanted_music: Vec<PathBuf>,
    library_read: Instant,
    saved: Saved,
    /// The edit that comes back with the clip that is being opened.
    returning: Option<Edit>,
    /// Play was started by listening to a candidate, and stops with it.
    listening_started_play: bool,
}

/// What is on disk, to notice what changed.
struct Saved {
    settings: Settings,
    window: WindowState,
    settings_due: Option<Instant>,
    edit: Edit,
    edit_due: Option<Instant>,
}

/// How long changes rest before they are written.
const SAVE_REST: Duration = Duration::from_millis(800);
/// How long the program waits for cancelled jobs when it ends, so that no half-written file stays.
const LAST_WAIT: Duration = Duration::from_secs(4);

impl App {
    /// Starts the program in the context of a window, or of a test.
    pub fn new(ctx: &egui::Context, launch: Launch) -> Self {
        let mut state = State::new(launch.folders, launch.choices);
        theme::install(ctx);
        theme::apply(ctx, state.settings.theme);
        state.dialogs = dialogs::available();
        state.has_demo = demo::find().is_ok();
        let saved = Saved {
            settings: state.settings.clone(),
            window: state.window.clone(),
            settings_due: None,
            edit: state.history.edit().clone(),
            edit_due: None,
        };
        let mut player = match launch.sound {
            Sound::Device => Player::new(),
            Sound::Silent => Player::silent(),
            Sound::Listener(listener) => Player::tapped(move |block| listener(block)),
        };
        player.set_volume_db(state.settings.volume_db);
        let mut app = Self {
            ctx: ctx.clone(),
            state,
            runner: Runner::default(),
            tasks: HashMap::new(),
            player,
            follower: None,
            candidates: Candidates::default(),
            stems_lease: None,
            mixed: sync::Mixed::default(),
            level: level::Level::default(),
            training_news: None,
            engine_request: 0,
            question: 0,
            wanted_music: Vec::new(),
            library_read: Instant::now(),
            saved,
            returning: None,
            listening_started_play: false,
        };
        app.start_engine();
        app.start_library(true);
        if launch.demo {
            app.apply(Command::OpenDemo);
        } else if let Some(media) = launch.media {
            app.apply(Command::OpenMedia(media));
        } else if launch.reopen {
            app.reopen_last();
        }
        app
    }

    /// Opens the video of the autosaved edit, if both are still there.
    fn reopen_last(&mut self) {
        let path = project::autosave_path(&self.state.folders);
        match project::load(&path) {
            Ok(edit) => {
                if let Some(video) = edit.video.clone().filter(|video| video.is_file()) {
                    self.returning = Some(edit);
                    self.apply(Command::OpenMedia(video));
                }
            }
            Err(error) if path.exists() => self.state.notes.error(error.to_string()),
            Err(_) => {}
        }
    }

    /// Writes what changed, once it has rested.
    fn save_what_changed(&mut self) {
        let now = Instant::now();
        let (state, saved) = (&self.state, &mut self.saved);
        if state.settings != saved.settings || state.window != saved.window {
            saved.settings = state.settings.clone();
            saved.window = state.window.clone();
            saved.settings_due = Some(now + SAVE_REST);
        }
        if *state.history.edit() != saved.edit {
            saved.edit = state.history.edit().clone();
            saved.edit_due = Some(now + SAVE_REST);
        }
        if take_due(&mut self.saved.settings_due, &self.ctx) {
            self.start_settings_save();
        }
        if take_due(&mut self.saved.edit_due, &self.ctx) {
            self.start_autosave();
        }
    }

    /// Ends jobs and writes what is not yet written.
    fn close(&mut self) {
        self.runner.cancel_all();
        let path = project::autosave_path(&self.state.folders);
        if self.state.history.edit().video.is_some()
            && let Err(error) = project::save(&path, self.state.history.edit())
        {
            tracing::warn!("the edit was not saved: {error}");
        }
        let mut settings = self.state.settings.clone();
        settings.recent.retain(|path| path.to_str().is_some());
        let saved = settings
            .save(&self.state.folders)
            .and_then(|()| self.state.window.save(&self.state.folders));
        if let Err(error) = saved {
            tracing::warn!("the settings were not saved: {error}");
        }
        let deadline = Instant::now() + LAST_WAIT;
        while self.runner.jobs().iter().any(crate::jobs::JobStatus::is_running) && Instant::now() < deadline {
            self.runner.poll();
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a deadline has passed, clearing it then; asks for a repaint at the deadline otherwise.
fn take_due(due: &mut Option<Instant>, ctx: &egui::Context) -> bool {
    let Some(at) = *due else {
        return false;
    };
    let left = at.saturating_duration_since(Instant::now());
    if left.is_zero() {
        *due = None;
    } else {
        ctx.request_repaint_after(left);
    }
    left.is_zero()
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.take_arrivals();
        self.follow_player(ctx);
        if take_due(&mut self.state.suggestions.due, ctx) {
            self.start_suggest();
        }
        self.measure_level();
        self.save_what_changed();
        if let Some(rest) = self.state.notes.expire() {
            ctx.request_repaint_after(rest);
        }
        if self.state.transport.playing {
            ctx.request_repaint();
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let mut commands = keys::commands(ui.ctx(), &self.state);
        let measured = panels::window_ui(ui, &self.state, &mut commands);
        measured.keep(&mut self.state.window);
        if !commands.is_empty() {
            ui.ctx().request_repaint();
        }
        for command in commands {
            self.apply(command);
        }
        self.sync_mix();
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.close();
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// Opens the window and returns when it is closed. `media` is loaded if given; `demo` loads the demo clip and adds the demo
/// music to the library. `choices` stand in for the settings in this run.
///
/// # Errors
/// When there is no display.
pub fn run(media: Option<PathBuf>, demo: bool, choices: Choices) -> Result<()> {
    let launch = Launch {
        folders: Folders::of_user()?,
        media,
        demo,
        choices,
        sound: Sound::Device,
        reopen: true,
    };
    let window = WindowState::load(&launch.folders);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Undertone")
            .with_app_id("undertone")
            .with_inner_size(window.size)
            .with_min_inner_size([960.0, 600.0])
            .with_drag_and_drop(true),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "undertone",
        options,
        Box::new(|cc| Ok(Box::new(App::new(&cc.egui_ctx, launch)))),
    )
    .map_err(|source| {
        Error::new(
            ErrorKind::Device,
            "the window cannot open: there is no usable display; use the commands instead (undertone --help)",
        )
        .with_source(source.to_string())
    })
}
