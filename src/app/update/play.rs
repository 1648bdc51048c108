//! Transport, marks, mix, undo.

use crate::app::App;
use crate::app::command::Command;
use crate::app::session::Lane;
use crate::mix::Solo;
use crate::project::Edit;

/// Fastest speed of J and L.
const FASTEST: f64 = 4.0;
/// What a level may be set to, dB.
const GAIN_DB: std::ops::RangeInclusive<f32> = -30.0..=12.0;

impl App {
    pub(super) fn apply_play(&mut self, command: &Command) {
        match *command {
            Command::PlayPause => {
                let play = !self.state.transport.playing;
                self.set_rate(1.0);
                self.set_playing(play);
            }
            Command::Pause => self.set_playing(false),
            Command::PlayForward => self.shuttle(1.0),
            Command::PlayBackward => self.shuttle(-1.0),
            Command::PreviousFrame => self.step(-1.0),
            Command::NextFrame => self.step(1.0),
            Command::BackSecond => self.seek(self.player.position_s() - 1.0),
            Command::ForwardSecond => self.seek(self.player.position_s() + 1.0),
            Command::GoToStart => self.seek(0.0),
            Command::GoToEnd => self.seek(self.player.duration_s()),
            Command::Seek(at_s) => self.seek(at_s),
            Command::MarkIn => {
                let at_s = self.player.position_s();
                self.edit("Mark in", false, |edit| edit.marks.set_in(at_s));
            }
            Command::MarkOut => {
                let at_s = self.player.position_s();
                self.edit("Mark out", false, |edit| edit.marks.set_out(at_s));
            }
            Command::ClearMarks => {
                self.edit("Clear marks", false, |edit| {
                    edit.marks = crate::project::Marks::default();
                });
            }
            Command::SetVolume(volume_db) => {
                self.state.settings.volume_db = volume_db;
                self.player.set_volume_db(volume_db);
            }
            Command::Undo => {
                self.state.history.undo();
                self.after_travel();
            }
            Command::Redo => {
                self.state.history.redo();
                self.after_travel();
            }
            // The same solo again lets everything be heard.
            Command::SetSolo(solo) => {
                self.state.solo = if self.state.solo == solo { Solo::None } else { solo };
            }
            Command::SetMuted(lane, muted) => self.set_muted(lane, muted),
            Command::ToggleMute(lane) => {
                let mix = &self.state.history.edit().mix;
                let muted = match lane {
                    Lane::Voice => mix.voice_muted,
                    Lane::Original => mix.original_muted,
                    Lane::Candidate => mix.candidate_muted,
                };
                self.set_muted(lane, !muted);
            }
            Command::SetGain(lane, gain_db) => {
                let gain_db = gain_db.clamp(*GAIN_DB.start(), *GAIN_DB.end());
                self.edit(&format!("Level of {}", lane.word()), true, |edit| match lane {
                    Lane::Voice => edit.mix.voice_gain_db = gain_db,
                    Lane::Original => edit.mix.original_gain_db = gain_db,
                    Lane::Candidate => edit.mix.candidate.gain_db = gain_db,
                });
            }
            Command::SetDucking(preset) => {
                self.edit("Ducking", false, |edit| edit.mix.ducking = preset);
            }
            Command::SetLoudness(target) => {
                self.state.settings.loudness_lufs = target.map(|lufs| lufs as f32);
                self.edit("Loudness target", false, |edit| {
                    edit.loudness_lufs = target.map(f64::from);
                });
            }
            Command::SeparateAgain => {
                if let Some(clip) = &self.state.clip {
                    self.start_separation(clip.path.clone());
                }
            }
            _ => {}
        }
    }

    /// Changes the edit as a step that can be undone.
    pub(super) fn edit(&mut self, label: &str, join: bool, change: impl FnOnce(&mut Edit)) {
        self.state.history.apply(label, join, change);
    }

    /// After undo or redo, the window may be another one.
    fn after_travel(&mut self) {
        let asked = self
            .state
            .suggestions
            .report
            .as_ref()
            .map(|report| report.query.start_s);
        let window_s = self.state.history.edit().window_start_s;
        if asked.is_some_and(|asked_s| (asked_s - window_s).abs() > 1e-6) {
            self.ask_soon(std::time::Duration::ZERO);
        }
    }

    fn set_muted(&mut self, lane: Lane, muted: bool) {
        let verb = if muted { "Mute" } else { "Unmute" };
        self.edit(&format!("{verb} {}", lane.word()), false, |edit| match lane {
            Lane::Voice => edit.mix.voice_muted = muted,
            Lane::Original => edit.mix.original_muted = muted,
            Lane::Candidate => edit.mix.candidate_muted = muted,
        });
    }

    pub(super) fn set_playing(&mut self, playing: bool) {
        if playing && self.player.position_s() >= self.player.duration_s() - 0.01 {
            self.player.seek(0.0);
        }
        self.player.set_playing(playing);
        self.state.transport.playing = playing;
        self.state.view.come_back();
        self.listening_started_play = false;
    }

    fn set_rate(&mut self, rate: f64) {
        self.player.set_rate(rate);
        self.state.transport.rate = rate;
    }

    /// J and L: the first press runs, each further one doubles the speed, the other direction starts anew.
    fn shuttle(&mut self, direction: f64) {
        let transport = &self.state.transport;
        let faster = transport.playing && transport.rate * direction > 0.0;
        let rate = if faster {
            (transport.rate * 2.0).clamp(-FASTEST, FASTEST)
        } else {
            direction
        };
        self.set_rate(rate);
        self.player.set_playing(true);
        self.state.transport.playing = true;
        self.listening_started_play = false;
    }

    fn step(&mut self, frames: f64) {
        let frame_s = self
            .state
            .clip
            .as_ref()
            .map_or(0.04, crate::app::session::Clip::frame_s);
        if self.state.transport.playing {
            self.set_playing(false);
        }
        // To the middle of a frame, so that rounding never shows its neighbour.
        let frame = (self.player.position_s() / frame_s + 1e-3).floor() + frames;
        self.seek((frame.max(0.0) + 0.5) * frame_s);
    }

    fn seek(&mut self, at_s: f64) {
        let at_s = at_s.clamp(0.0, self.player.duration_s().max(0.0));
        self.player.seek(at_s);
        self.state.transport.position_s = at_s;
        self.state.view.come_back();
    }
}
