//! A score through a soundfont: a Standard MIDI File, played by fluidsynth into a file.

use std::path::Path;
use std::process::Command;

use super::super::programs;
use super::score::{Note, Part, Score};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::training::corpus::Split;

/// A soundfont of the distribution and the split that may hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::arena) struct Font {
    pub(super) package: &'static str,
    path: &'static str,
    pub(super) split: Split,
}

impl Font {
    /// The fonts that are used where they are installed.
    pub(in crate::arena) const ALL: [Self; 4] = [
        Self {
            package: "fluid-soundfont-gm",
            path: "/usr/share/sounds/sf2/FluidR3_GM.sf2",
            split: Split::Train,
        },
        Self {
            package: "timgm6mb-soundfont",
            path: "/usr/share/sounds/sf2/TimGM6mb.sf2",
            split: Split::Train,
        },
        Self {
            package: "opl3-soundfont",
            path: "/usr/share/sounds/sf2/OPL-3_FM_128M.sf2",
            split: Split::Val,
        },
        Self {
            package: "musescore-general-soundfont-small",
            path: "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
            split: Split::Test,
        },
    ];

    /// Whether its file is there.
    pub(in crate::arena) fn is_installed(&self) -> bool {
        Path::new(self.path).exists()
    }

    /// Debian's package.
    pub(in crate::arena) fn package(&self) -> &'static str {
        self.package
    }
}

/// Whether fluidsynth can be run.
pub(in crate::arena) fn fluidsynth_is_installed() -> bool {
    programs::is_installed("fluidsynth")
}

/// Plays `score`: left and right, as long as the score.
///
/// # Errors
/// When fluidsynth fails.
pub(super) fn perform(score: &Score, font: Font, monitor: &Monitor) -> Result<[Vec<f32>; 2]> {
    let folder = tempfile::tempdir().map_err(|source| Error::io(&std::env::temp_dir(), "write", source))?;
    let (file, wave) = (folder.path().join("track.mid"), folder.path().join("track.wav"));
    std::fs::write(&file, standard_midi_file(score)).map_err(|source| Error::io(&file, "write", source))?;
    let mut player = Command::new("fluidsynth");
    player
        .args([
            "-ni", "-q", "-g", "0.4", "-R", "0", "-C", "0", "-r", "44100", "-F",
        ])
        .arg(&wave)
        .arg(font.path)
        .arg(&file);
    if !programs::succeeds(&mut player) || !wave.exists() {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "fluidsynth could not play the soundfont {}; reinstall the packages fluidsynth and {}",
                font.path, font.package
            ),
        ));
    }
    let mut channels = super::decode_stereo(&wave, monitor)?;
    let length = super::super::sound::samples(score.duration_s);
    channels
        .iter_mut()
        .for_each(|channel| channel.resize(length, 0.0));
    Ok(channels)
}

/// Ticks of a second: 480 to a quarter at 120 a minute.
const TICKS_PER_S: f32 = 960.0;
/// The channel that General MIDI gives to drums.
const DRUM_CHANNEL: u8 = 9;

/// Format 0: one track, channels by part.
fn standard_midi_file(score: &Score) -> Vec<u8> {
    let mut events: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut free = (0..16u8).filter(|&channel| channel != DRUM_CHANNEL);
    for part in &score.parts {
        let channel = if part.drums {
            DRUM_CHANNEL
        } else {
            free.next().unwrap_or(15)
        };
        let volume = (100.0 * 10f32.powf(part.level_db / 40.0)).clamp(1.0, 127.0) as u8;
        let pan = (127.0 * part.pan) as u8;
        if !part.drums {
            events.push((0, vec![0xC0 | channel, part.program]));
        }
        events.push((0, vec![0xB0 | channel, 7, volume]));
        events.push((0, vec![0xB0 | channel, 10, pan]));
        for note in sounding(part, score.duration_s) {
            let on = (note.start_s * TICKS_PER_S) as u32;
            let off = on + ((note.length_s * TICKS_PER_S) as u32).max(8);
            events.push((on, vec![0x90 | channel, note.key, note.velocity]));
            events.push((off, vec![0x80 | channel, note.key, 0]));
        }
    }
    // Ends before beginnings, so that a repeated key sounds again.
    events.sort_by_key(|(at, bytes)| (*at, bytes[0] & 0xF0 == 0x90));
    let mut track = Vec::new();
    let mut now = 0;
    for (at, bytes) in events {
        variable_length(&mut track, at - now);
        track.extend(bytes);
        now = at;
    }
    track.extend([0, 0xFF, 0x2F, 0]);
    let mut file = b"MThd\0\0\0\x06\0\0\0\x01\x01\xE0MTrk".to_vec();
    file.extend((track.len() as u32).to_be_bytes());
    file.extend(track);
    file
}

fn sounding(part: &Part, duration_s: f64) -> impl Iterator<Item = &Note> {
    part.notes
        .iter()
        .filter(move |note| f64::from(note.start_s) < duration_s)
}

/// A number in MIDI's seven-bit groups.
fn variable_length(out: &mut Vec<u8>, number: u32) {
    for group in (1..5).rev() {
        if number >> (7 * group) > 0 {
            out.push(0x80 | (number >> (7 * group) & 0x7F) as u8);
        }
    }
    out.push((number & 0x7F) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_midi_does() {
        let check = |number: u32, expected: &[u8]| {
            let mut out = Vec::new();
            variable_length(&mut out, number);
            assert_eq!(out, expected);
        };
        check(0, &[0]);
        check(0x7F, &[0x7F]);
        check(0x80, &[0x81, 0]);
        check(0x3FFF, &[0xFF, 0x7F]);
        check(0x20_0000, &[0x81, 0x80, 0x80, 0]);
    }
}
