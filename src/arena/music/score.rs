//! Notes in seconds: tempo is already played out, so that it may change from bar to bar.

/// One note.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::arena) struct Note {
    /// When it begins, seconds.
    pub(super) start_s: f32,
    /// How long the key is down, seconds.
    pub(super) length_s: f32,
    /// MIDI key; for drums General MIDI's percussion key.
    pub(super) key: u8,
    /// 1..=127.
    pub(super) velocity: u8,
}

/// What one instrument plays.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// General MIDI program, from 0.
    pub(super) program: u8,
    /// Whether it is the drum kit.
    pub(super) drums: bool,
    /// 0..=1 from left to right.
    pub(super) pan: f32,
    /// Level against the others, dB.
    pub(super) level_db: f32,
    /// In no particular order.
    pub(super) notes: Vec<Note>,
}

/// A piece.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::arena) struct Score {
    pub(super) parts: Vec<Part>,
    /// Length in seconds, with what rings on cut off.
    pub(super) duration_s: f64,
}
