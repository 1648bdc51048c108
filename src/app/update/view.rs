//! Panels, windows, jobs, settings.

use eframe::egui::ViewportCommand;

use crate::app::App;
use crate::app::command::Command;
use crate::app::panels::palette;
use crate::app::session::PaletteState;
use crate::app::state::Tab;
use crate::app::theme;
use crate::settings::ThemeChoice;

/// Suggestions that can be asked for.
const TOP: std::ops::RangeInclusive<usize> = 1..=50;

impl App {
    pub(super) fn apply_view(&mut self, command: Command) {
        let state = &mut self.state;
        match command {
            Command::Quit => self.ctx.send_viewport_cmd(ViewportCommand::Close),
            Command::ShowTab(tab) => self.show_tab(tab),
            Command::ToggleLeft => state.window.left_open = !state.window.left_open,
            Command::ToggleRight => state.window.right_open = !state.window.right_open,
            Command::ToggleTimeline => state.window.timeline_open = !state.window.timeline_open,
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
            Command::ShowSettings(show) => state.show_settings = show,
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
            Command::SetDevice(device) if state.settings.device != device => {
                state.settings.device = device;
                self.reopen_engine();
            }
            Command::SetTop(top) => {
                state.settings.top = top.clamp(*TOP.start(), *TOP.end());
                self.list_suggestions();
                self.ask_soon(std::time::Duration::from_millis(300));
            }
            Command::DismissNote(id) => state.notes.dismiss(id),
            _ => {}
        }
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
