//! Keeps the player and the decoder in step with the state, once a frame.

use eframe::egui;

use super::App;
use super::candidates::CandidateKey;
use super::session::{Candidate, ClipSound, Transport};
use crate::engine::export::bed_gain_db;
use crate::library::TrackId;
use crate::media::AudioFormat;
use crate::mix::{
    DuckingCurve, DuckingPreset, MemorySource, MixGraph, MixSettings, SampleSource, Silence, Solo,
};

/// Decodings of neighbours that may run at once.
const PRELOADS: usize = 2;

/// What the player was last given.
#[derive(Default)]
pub(super) struct Mixed {
    settings: Option<MixSettings>,
    candidate: Option<CandidateKey>,
    ducking: Option<(u64, DuckingPreset)>,
    /// Candidates that cannot be decoded, so that none is tried again and again.
    pub failed: Vec<CandidateKey>,
}

impl App {
    /// Reads the clock and the meters, and brings the picture up to them.
    pub(super) fn follow_player(&mut self, ctx: &egui::Context) {
        let fall = (-f64::from(ctx.input(|input| input.stable_dt)) * 6.0).exp() as f32;
        let before = self.state.transport.levels;
        let taken = self.player.take_levels();
        let mut levels = [0.0; 4];
        for (level, (now, then)) in levels.iter_mut().zip(taken.into_iter().zip(before)) {
            *level = now.max(if then < 1e-3 { 0.0 } else { then * fall });
        }
        if levels.iter().any(|level| *level > 0.0) && !self.player.is_playing() {
            ctx.request_repaint();
        }
        self.state.transport = Transport {
            position_s: self.player.position_s(),
            duration_s: self.player.duration_s(),
            playing: self.player.is_playing(),
            rate: self.state.transport.rate,
            levels,
            output: self.player.output(),
        };
        let length_s = self.state.clip_length_s();
        self.state.view.follow(self.state.transport.position_s, length_s);
        if let Some(error) = self.player.take_error() {
            self.state.notes.error(error.to_string());
        }
        self.follow_picture(ctx);
    }

    /// Puts a silent clip of the right length in, so that the clock runs before any sound is there.
    pub(super) fn load_silence(&mut self, duration_s: f64) {
        let frames = (duration_s.max(0.0) * f64::from(AudioFormat::MIX.sample_rate)).round() as u64;
        let silence = Silence::new(frames);
        self.load_graph(MixGraph::new(Box::new(silence), Box::new(silence), Vec::new()));
    }

    /// Puts the sound as it is in, to be heard until it is separated.
    pub(super) fn load_preview(&mut self, samples: std::sync::Arc<[f32]>) {
        let source = MemorySource::new(samples);
        let silence = Silence::new(source.frames());
        self.load_graph(MixGraph::new(Box::new(source), Box::new(silence), Vec::new()));
    }

    /// Changes what plays without moving the clock.
    pub(super) fn load_graph(&mut self, graph: MixGraph) {
        // Where the picture outlasts the sound, the music goes on.
        let graph = match self.clip_frames() {
            Some(frames) => graph.with_frames(frames),
            None => graph,
        };
        let (position_s, playing) = (self.player.position_s(), self.player.is_playing());
        self.player.load(graph);
        self.mixed.settings = None;
        self.mixed.candidate = None;
        if position_s > 0.0 {
            self.player.seek(position_s);
        }
        if playing {
            self.player.set_playing(true);
        }
    }

    /// The mix with `candidate` in it, at the level that fits under this voice.
    pub(super) fn settings_with(&self, candidate: Option<&Candidate>) -> MixSettings {
        let mut settings = self.state.history.edit().mix;
        settings.solo = Solo::None;
        if let Some(candidate) = candidate {
            let voice_lufs = self
                .state
                .clip
                .as_ref()
                .and_then(|clip| clip.stems())
                .and_then(|stems| stems.levels.lufs);
            let track_lufs = self
                .state
                .library
                .track(TrackId(candidate.track_id))
                .and_then(|track| track.loudness_lufs);
            settings.candidate.in_point_s = candidate.in_point_s;
            // The user's own trim stands on top of the level that fits.
            settings.candidate.gain_db += bed_gain_db(voice_lufs, track_lufs);
        }
        settings
    }

    /// Gives the player what changed since it was last told.
    pub(super) fn sync_mix(&mut self) {
        if self.state.clip.is_none() {
            return;
        }
        let candidate = self.state.candidate();
        let settings = self.settings_with(candidate.as_ref());
        self.sync_candidate(candidate.as_ref());
        let key = self.mixed.candidate.clone();
        self.sync_level(key.as_ref(), settings);
        self.set_settings(settings);
        self.sync_ducking(settings.ducking);
        self.preload();
    }

    fn set_settings(&mut self, settings: MixSettings) {
        let settings = MixSettings {
            solo: self.state.solo,
            master_gain_db: self.level.gain_db,
            ..settings
        };
        if self.mixed.settings != Some(settings) {
            self.player.set_settings(settings);
            self.mixed.settings = Some(settings);
        }
    }

    fn sync_candidate(&mut self, candidate: Option<&Candidate>) {
        let clip_s = self.clip_s();
        let key = candidate.map(|candidate| CandidateKey::of(candidate, clip_s));
        let failed = key.as_ref().is_some_and(|key| self.mixed.failed.contains(key));
        if key == self.mixed.candidate {
            self.state.candidate_loading = false;
            return;
        }
        let ready = key.as_ref().and_then(|key| self.candidates.get(key));
        self.state.candidate_loading = key.is_some() && ready.is_none() && !failed;
        if let Some(excerpt) = ready {
            // The place in the track goes in with the track, or the new one sounds from the old place for a moment.
            let settings = self.settings_with(candidate);
            self.set_settings(settings);
            self.player.set_candidate(Some(Box::new(excerpt)));
            self.mixed.candidate = key;
        } else {
            if self.mixed.candidate.take().is_some() {
                self.player.set_candidate(None);
            }
            if let Some(candidate) = candidate.filter(|_| !failed) {
                self.start_candidate(candidate, clip_s);
            }
        }
    }

    /// The curve on the timeline.
    fn sync_ducking(&mut self, preset: DuckingPreset) {
        let wanted = (self.state.session, preset);
        let Some(ClipSound::Separated(stems)) = self.state.clip.as_ref().map(|clip| &clip.sound) else {
            if self.mixed.ducking.take().is_some() {
                self.state.ducking = DuckingCurve::default();
            }
            return;
        };
        if self.mixed.ducking != Some(wanted) {
            self.state.ducking = DuckingCurve::new(&stems.levels.rms, preset);
            self.mixed.ducking = Some(wanted);
        }
    }

    /// Decodes the neighbours of the selected suggestion, so that the next switch is heard at once.
    fn preload(&mut self) {
        let rows = &self.state.suggestions.rows;
        let around: Vec<usize> = match self.state.suggestions.selected {
            Some(at) => [Some(at), Some(at + 1), at.checked_sub(1), Some(at + 2)]
                .into_iter()
                .flatten()
                .collect(),
            None => vec![0, 1],
        };
        let clip_s = self.clip_s();
        let missing: Vec<Candidate> = around
            .into_iter()
            .filter_map(|at| rows.get(at))
            .map(|suggestion| self.state.candidate_of(suggestion))
            .filter(|candidate| {
                let key = CandidateKey::of(candidate, clip_s);
                !self.candidates.has(&key) && !self.mixed.failed.contains(&key)
            })
            .collect();
        for candidate in missing {
            let busy = self
                .runner
                .jobs()
                .iter()
                .filter(|job| job.is_running())
                .filter(|job| matches!(self.tasks.get(&job.id), Some(super::work::Task::Candidate(_))))
                .count();
            if busy >= PRELOADS {
                return;
            }
            self.start_candidate(&candidate, clip_s);
        }
    }

    /// Length of a clip with a picture, in frames of the mix.
    pub(super) fn clip_frames(&self) -> Option<u64> {
        let info = self.state.clip.as_ref()?.info.as_ref()?;
        let frames = (info.duration_s * f64::from(AudioFormat::MIX.sample_rate)).round() as u64;
        (!info.video.is_empty()).then_some(frames)
    }

    fn clip_s(&self) -> f64 {
        self.state
            .clip
            .as_ref()
            .map_or(0.0, super::session::Clip::duration_s)
    }
}
