//! How a mood sounds in music.
//!
//! Directions as found by studies that varied one means at a time, or many:
//!
//! - Gabrielsson and Lindstrom (2010), *The role of structure in the musical expression of emotions*, table 14.2: fast,
//!   loud, staccato, dense and rising music is excited; slow, soft, legato music calm; consonance, major mode and
//!   simple rhythm pleasant; dissonance, minor mode and irregular rhythm unpleasant.
//! - Juslin and Laukka (2003), tables 7 and 11: tempo, level, articulation and high frequencies by emotion.
//! - Eerola, Friberg and Bresin (2013), *Emotional expression in music: contribution, linearity, and additivity of
//!   primary musical cues*: mode, tempo, register, dynamics, articulation and timbre, in that order of weight; their
//!   effects add. High register and bright mode are happy, low register is scary, soft high ones peaceful.
//! - Hevner (1935, 1937): mode, tempo, pitch and harmony.
//! - Husain, Thompson and Schellenberg (2002): tempo moves arousal, mode moves mood.
//! - Costa, Fine and Ricci Bitti (2004): intervals; minor seconds and tritones for tension, fifths and octaves for
//!   activity.
//!
//! VGGish's 64 mel bands hardly tell major from minor, so valence also goes by register, brightness, roughness of the
//! voicing, articulation and regularity of rhythm, all of which these studies name.

use super::super::story::Mood;

/// Beats a minute at the origin of the plane.
const TEMPO_BPM: f32 = 100.0;
/// ln of the tempo per arousal, and per valence.
const TEMPO_PER_AROUSAL: f32 = 0.42;
const TEMPO_PER_VALENCE: f32 = 0.07;
/// Semitones of register per valence and per arousal.
const REGISTER_PER_VALENCE: f32 = 7.0;
const REGISTER_PER_AROUSAL: f32 = 2.0;
/// Key velocity at the origin and per arousal.
const VELOCITY: f32 = 78.0;
const VELOCITY_PER_AROUSAL: f32 = 30.0;
/// dB per arousal beyond the players' own dynamics.
const LEVEL_DB_PER_AROUSAL: f32 = 4.0;
/// dB above 2 kHz per arousal and per valence.
const BRIGHTNESS_DB_PER_AROUSAL: f32 = 4.0;
const BRIGHTNESS_DB_PER_VALENCE: f32 = 5.0;

/// Scales from dark to bright, in semitones above the tonic.
pub(super) const SCALES: [[i32; 7]; 7] = [
    [0, 1, 3, 5, 6, 8, 10],
    [0, 1, 3, 5, 7, 8, 10],
    [0, 2, 3, 5, 7, 8, 10],
    [0, 2, 3, 5, 7, 9, 10],
    [0, 2, 4, 5, 7, 9, 10],
    [0, 2, 4, 5, 7, 9, 11],
    [0, 2, 4, 6, 7, 9, 11],
];

/// The means of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Character {
    /// Beats a minute.
    pub(super) tempo_bpm: f32,
    /// Index into [`SCALES`].
    pub(super) scale: usize,
    /// Semitones above the idiom's own register.
    pub(super) register: f32,
    /// 0..=1: how many onsets a beat has.
    pub(super) density: f32,
    /// Part of a note's time that it sounds.
    pub(super) legato: f32,
    /// Key velocity.
    pub(super) velocity: f32,
    /// 0..=1: how much of the ensemble plays.
    pub(super) ensemble: f32,
    /// 0..=1: how strongly drums play; 0 not at all.
    pub(super) drums: f32,
    /// 0..=1: how rough the chords are.
    pub(super) dissonance: f32,
    /// 0..=1: how irregular the rhythm is.
    pub(super) unrest: f32,
    /// Whether instruments play in their hard manner.
    pub(super) hard: bool,
}

impl Character {
    /// The means that answer `mood`.
    pub(super) fn of(mood: Mood) -> Self {
        let (v, a) = (mood.valence, mood.arousal);
        Self {
            tempo_bpm: TEMPO_BPM * (TEMPO_PER_AROUSAL * a + TEMPO_PER_VALENCE * v).exp(),
            scale: (f32::midpoint(v, 1.0) * SCALES.len() as f32).clamp(0.0, 6.0) as usize,
            register: REGISTER_PER_VALENCE * v + REGISTER_PER_AROUSAL * a,
            density: (0.5 + 0.45 * a).clamp(0.0, 1.0),
            // Joy is detached, tenderness and sorrow are bound, anger is in between (Juslin and Laukka, table 11).
            legato: (0.75 - 0.2 * a - 0.15 * a.max(0.0) * v).clamp(0.25, 1.05),
            velocity: VELOCITY + VELOCITY_PER_AROUSAL * a,
            ensemble: (0.5 + 0.5 * a).clamp(0.0, 1.0),
            drums: (0.35 + 0.75 * a).clamp(0.0, 1.0),
            dissonance: (-0.15 - v * 0.9).clamp(0.0, 1.0) * (0.6 + 0.4 * a),
            unrest: ((-v).max(0.0) * (0.3 + 0.5 * a)).clamp(0.0, 1.0),
            hard: a > 0.15,
        }
    }
}

/// Level of the mix in `mood`, dB.
pub(super) fn level_db(mood: Mood) -> f32 {
    LEVEL_DB_PER_AROUSAL * mood.arousal
}

/// Level of what lies above 2 kHz in `mood`, dB.
pub(super) fn brightness_db(mood: Mood) -> f32 {
    BRIGHTNESS_DB_PER_AROUSAL * mood.arousal + BRIGHTNESS_DB_PER_VALENCE * mood.valence
}
