//! Panels, windows, jobs, settings.

use eframe::egui::ViewportCommand;

use crate::app::App;
use crate::app::command::{Command, Look};
use crate::app::panels::palette;
use crate::app::session::PaletteState;
use crate::app::state::Tab;
use crate::app::theme;
use crate::app::work::CacheWork;
use crate::settings::ThemeChoice;

/// Suggestions that can be asked for.
const TOP: std::ops::RangeInclusive<usize> = 1..=50;
/// Sizes that the cache may be given, GB.
pub(in crate::app) const CACHE_GB: std::ops::RangeInclusive<u32> = 1..=2000;
/// What one press magnifies the timeline by.
const ZOOM_STEP: f64 = 1.5;

impl App {
    pub(super) fn apply_view(&mut self, command: Command) {
        let state = &mut self.state;
        match command {
            Command::Quit => self.ctx.send_viewport_cmd(ViewportCommand::Close),
            Command::ShowTab(tab) => self.show_tab(tab),
            Command::ToggleLeft => state.window.left_open = !state.window.left_open,
            Command::ToggleRight => state.window.right_open = !state.window.right_open,
            Command::ToggleTimeline => state.window.timeline_open = !state.window.timeline_open,
            Command::Look(look) => self.look(look),
            Command::ResetLayout => {
                state.window.reset_layout();
                state.layout_round += 1;
            }
            Command::SetTheme(theme) => self.set_theme(theme),
            Command::NextTheme => {
                // From what is seen to the other; the system's choice is one command away.
                let dark = self.ctx.global_style().visuals.dark_mode;
                self.set_theme(if dark {
                    ThemeChoice::Light
                } else {
                    ThemeChoice::Dark
                });
            }
            Command::ShowPalette(show) => state.palette = show.then(PaletteState::default),
            Command::SetPaletteQuery(query) => {
                if let Some(open) = &mut state.palette {
                    *open = PaletteState { query, selected: 0 };
                }
            }
            Command::MovePalette(by) => {
                if let Some(open) = &mut state.palette {
                    let last = palette::matches(&open.query).len().saturating_sub(1);
                    let at = i64::try_from(open.selected).unwrap_or(0) + i64::from(by);
                    open.selected = at.clamp(0, last as i64) as usize;
                }
            }
            Command::ShowJobs(show) => state.show_jobs = show,
            Command::ShowSettings(show) => {
                state.show_settings = show;
                if show {
                    self.start_cache(CacheWork::Trim);
                }
            }
            Command::ShowShortcuts(show) => state.show_shortcuts = show,
            Command::CancelJob(id) => self.runner.cancel(id),
            Command::CancelJobs => self.runner.cancel_all(),
            Command::RetryJob(id) => {
                let retry = state
                    .jobs
                    .iter()
                    .find(|job| job.id == id)
                    .and_then(|job| job.retry.clone());
                if let Some(command) = retry {
                    self.apply(command);
                }
            }
            Command::ClearJobs => self.runner.clear_ended(),
            Command::SetDevice(device) if state.device() != device => {
                state.choices.device = None;
                state.settings.device = device;
                self.reopen_engine();
            }
            Command::SetTop(top) => {
                state.settings.top = top.clamp(*TOP.start(), *TOP.end());
                self.list_suggestions();
                self.ask_soon(std::time::Duration::from_millis(300));
            }
            Command::SetCacheSize(gigabytes) => {
                state.settings.cache_gb = gigabytes.clamp(*CACHE_GB.start(), *CACHE_GB.end());
                self.start_cache(CacheWork::Trim);
            }
            Command::ClearCache => self.start_cache(CacheWork::Clear),
            Command::CopyText(text) => {
                self.ctx.copy_text(text);
                state.notes.info("Copied");
            }
            Command::DismissNote(id) => state.notes.dismiss(id),
            _ => {}
        }
    }

    fn look(&mut self, look: Look) {
        let length_s = self.state.clip_length_s();
        match look {
            Look::Closer => self.zoom_at_playhead(ZOOM_STEP),
            Look::Wider => self.zoom_at_playhead(1.0 / ZOOM_STEP),
            Look::Zoom { at_s, factor } => self.state.view.zoom(at_s, factor, length_s),
            Look::Along(by_s) => self.state.view.scroll(by_s, length_s),
            Look::Whole => self.state.view.fit(),
        }
    }

    /// Around the playhead where it is in sight, else around the middle.
    fn zoom_at_playhead(&mut self, factor: f64) {
        let length_s = self.state.clip_length_s();
        let (start_s, span_s) = self.state.view.shown(length_s);
        let playhead_s = self.state.transport.position_s;
        let at_s = if (start_s..=start_s + span_s).contains(&playhead_s) {
            playhead_s
        } else {
            start_s + span_s / 2.0
        };
        self.state.view.zoom(at_s, factor, length_s);
    }

    fn show_tab(&mut self, tab: Tab) {
        self.state.window.tab = tab;
        self.state.window.left_open = true;
    }

    fn set_theme(&mut self, choice: ThemeChoice) {
        self.state.settings.theme = choice;
        theme::apply(&self.ctx, choice);
    }
}
