//! The video that is open, its three sounds and the clock.

use std::path::{Path, PathBuf};

use eframe::egui::TextureHandle;

use super::file_name;
use crate::app::stems::Stems;
use crate::media::MediaInfo;
use crate::mix::Solo;
use crate::playback::OutputStatus;

/// One of the three sounds of the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Lane {
    Voice,
    Original,
    Candidate,
}

impl Lane {
    pub(in crate::app) const ALL: [Self; 3] = [Self::Voice, Self::Original, Self::Candidate];

    pub(in crate::app) fn solo(self) -> Solo {
        match self {
            Self::Voice => Solo::Voice,
            Self::Original => Solo::Original,
            Self::Candidate => Solo::Candidate,
        }
    }

    /// In words, for labels.
    pub(in crate::app) fn word(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Original => "original music",
            Self::Candidate => "candidate",
        }
    }
}

/// The video that is open.
pub(in crate::app) struct Clip {
    pub path: PathBuf,
    pub name: String,
    pub info: Option<MediaInfo>,
    pub problem: Option<String>,
    pub picture: Option<TextureHandle>,
    pub thumbnails: Vec<TextureHandle>,
    pub sound: ClipSound,
}

impl Clip {
    pub(in crate::app) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            name: file_name(path),
            info: None,
            problem: None,
            picture: None,
            thumbnails: Vec::new(),
            sound: ClipSound::Unknown,
        }
    }

    /// Seconds a frame lasts.
    pub(in crate::app) fn frame_s(&self) -> f64 {
        self.info
            .as_ref()
            .and_then(|info| info.video.first())
            .map(|video| video.frame_rate)
            .filter(|rate| *rate > 0.0)
            .map_or(0.04, |rate| 1.0 / rate)
    }

    pub(in crate::app) fn duration_s(&self) -> f64 {
        self.info.as_ref().map_or(0.0, |info| info.duration_s)
    }

    pub(in crate::app) fn stems(&self) -> Option<&Stems> {
        match &self.sound {
            ClipSound::Separated(stems) => Some(stems),
            _ => None,
        }
    }
}

/// How far the clip's sound is.
pub(in crate::app) enum ClipSound {
    /// The file is still being opened.
    Unknown,
    /// It has none.
    Silent,
    Separating,
    Separated(Box<Stems>),
    Failed(String),
}

/// The player, as it was at the start of this frame.
#[derive(Debug, Clone)]
pub(in crate::app) struct Transport {
    pub position_s: f64,
    pub duration_s: f64,
    pub playing: bool,
    pub rate: f64,
    /// Voice, original, candidate, mix; linear, falling smoothly.
    pub levels: [f32; 4],
    pub output: OutputStatus,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            position_s: 0.0,
            duration_s: 0.0,
            playing: false,
            rate: 1.0,
            levels: [0.0; 4],
            output: OutputStatus::Silent(String::new()),
        }
    }
}
