//! Suggestions: asking, listening, picking, marking.

use std::time::Duration;

use crate::app::App;
use crate::app::command::Command;
use crate::app::session::Candidate;
use crate::app::work::Mark;
use crate::library::TrackId;
use crate::project::Pick;

/// How long a slider or a filter rests before the question is asked again.
const REST: Duration = Duration::from_millis(120);

impl App {
    pub(super) fn apply_music(&mut self, command: Command) {
        match command {
            Command::NextSuggestion => self.move_selection(1),
            Command::PreviousSuggestion => self.move_selection(-1),
            Command::Audition(at) => self.audition(at),
            Command::AuditionTrack(id) => self.audition_track(id),
            Command::UseSelected => {
                if let Some(at) = self.state.suggestions.selected {
                    self.use_suggestion(at);
                }
            }
            Command::Use(at) => self.use_suggestion(at),
            Command::DropPick => {
                self.edit("Take the music out", false, |edit| {
                    edit.pick = None;
                    edit.mix.candidate.in_point_s = 0.0;
                });
            }
            Command::StopListening => self.stop_listening(),
            Command::FavouriteSelected => {
                if let Some((id, track)) = self.selected_track() {
                    self.apply(Command::SetFavourite(id, !track.0));
                }
            }
            Command::HideSelected => {
                if let Some((id, track)) = self.selected_track() {
                    self.apply(Command::SetHidden(id, !track.1));
                }
            }
            Command::SetFavourite(id, favourite) => {
                if let Some(track) = self.state.library.track_mut(id) {
                    track.favourite = favourite;
                }
                self.start_mark(id, Mark::Favourite(favourite));
                self.refilter();
            }
            Command::SetHidden(id, hidden) => self.set_hidden(id, hidden),
            Command::AskAgain => self.ask_soon(Duration::ZERO),
            Command::WindowFromPlayhead => self.set_window(self.player.position_s()),
            Command::WindowFromMark => {
                if let Some(in_s) = self.state.history.edit().marks.in_s {
                    self.set_window(in_s);
                }
            }
            Command::SetWindow(start_s) => self.set_window(start_s),
            Command::SetBalance(balance) => {
                self.state.settings.balance = balance.clamp(-1.0, 1.0);
                self.ask_soon(REST);
            }
            Command::SetFilter(filter) => {
                self.state.filter = filter;
                self.refilter();
                self.ask_soon(REST);
            }
            Command::ClearFilter => {
                self.state.filter = crate::app::filter::Filter::default();
                self.refilter();
                self.ask_soon(Duration::ZERO);
            }
            _ => {}
        }
    }

    fn refilter(&mut self) {
        self.state.library.apply_filter(&self.state.filter);
        self.list_suggestions();
    }

    /// Favourite and hidden of the selected suggestion's track.
    fn selected_track(&self) -> Option<(TrackId, (bool, bool))> {
        let id = TrackId(self.state.chosen_suggestion()?.track_id);
        let track = self.state.library.track(id)?;
        Some((id, (track.favourite, track.hidden)))
    }

    fn move_selection(&mut self, by: i64) {
        let last = self.state.suggestions.rows.len().saturating_sub(1);
        let at = match self.state.suggestions.selected {
            None if by > 0 => 0,
            None => last,
            Some(at) => (at as i64 + by).clamp(0, last as i64) as usize,
        };
        self.audition(at);
    }

    /// Selects a suggestion and lets it be heard under the voice, from where the clock stands.
    fn audition(&mut self, at: usize) {
        let Some(suggestion) = self.state.suggestions.rows.get(at) else {
            return;
        };
        let candidate = self.state.candidate_of(suggestion);
        self.state.suggestions.selected = Some(at);
        self.listen(candidate);
    }

    /// Lets a track of the library be heard from its start.
    fn audition_track(&mut self, id: TrackId) {
        let Some(track) = self.state.library.track(id) else {
            return;
        };
        let candidate = Candidate {
            track_id: id.0,
            path: track.path.clone(),
            title: track.title.clone(),
            duration_s: track.duration_s,
            in_point_s: 0.0,
        };
        let rows = &self.state.suggestions.rows;
        self.state.suggestions.selected = rows.iter().position(|row| row.track_id == id.0);
        if self.state.has_clip() {
            self.listen(candidate);
        } else {
            self.state
                .notes
                .info("Open a video first: music is listened to under its voice");
        }
    }

    fn listen(&mut self, candidate: Candidate) {
        self.state.audition = Some(candidate);
        if !self.state.transport.playing {
            self.player.set_rate(1.0);
            self.state.transport.rate = 1.0;
            self.set_playing(true);
            self.listening_started_play = true;
        }
    }

    /// Ends the audition; what was picked sounds again, and the clock stops if listening had started it.
    fn stop_listening(&mut self) {
        self.state.audition = None;
        if self.listening_started_play {
            self.set_playing(false);
        }
    }

    fn use_suggestion(&mut self, at: usize) {
        let Some(suggestion) = self.state.suggestions.rows.get(at) else {
            return;
        };
        let candidate = self.state.candidate_of(suggestion);
        self.state.suggestions.selected = Some(at);
        self.state.audition = None;
        self.listening_started_play = false;
        self.edit("Use this music", false, |edit| {
            edit.mix.candidate.in_point_s = candidate.in_point_s;
            edit.mix.candidate_muted = false;
            edit.pick = Some(Pick {
                track_id: candidate.track_id,
                path: candidate.path,
                title: candidate.title,
                duration_s: candidate.duration_s,
            });
        });
    }

    fn set_hidden(&mut self, id: TrackId, hidden: bool) {
        if let Some(track) = self.state.library.track_mut(id) {
            track.hidden = hidden;
            if hidden {
                let text = format!("{} is hidden from the suggestions", track.title);
                let undo = Some(("Show it again".to_owned(), Command::SetHidden(id, false)));
                self.state
                    .notes
                    .add(crate::app::notes::NoteKind::Info, text, undo);
            }
        }
        self.start_mark(id, Mark::Hidden(hidden));
        if hidden
            && self
                .state
                .audition
                .as_ref()
                .is_some_and(|heard| heard.track_id == id.0)
        {
            self.stop_listening();
        }
        self.list_suggestions();
        let rows = self.state.suggestions.rows.len();
        self.state.suggestions.selected = self.state.suggestions.selected.filter(|at| *at < rows);
        self.ask_soon(REST);
    }

    fn set_window(&mut self, start_s: f64) {
        let duration_s = self
            .state
            .clip
            .as_ref()
            .map_or(0.0, crate::app::session::Clip::duration_s);
        let start_s = start_s.clamp(0.0, (duration_s - 1.0).max(0.0));
        self.edit("Window", true, |edit| edit.window_start_s = start_s);
        self.ask_soon(Duration::ZERO);
    }
}
