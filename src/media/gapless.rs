//! The silence that an MP3 encoder puts around the music.
//!
//! An MP3 file says in the Xing/Info frame at its start, in the extension that
//! LAME brought, how many samples the encoder put before and behind the music.
//! GStreamer takes them away where the encoder calls itself LAME; libavcodec's
//! files carry the same numbers and start 25 ms late. This module reads the
//! numbers; the reader uses them where GStreamer did not.
//!
//! Layout: <http://gabriel.mp3-tech.org/mp3infotag.html>.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Samples that every MP3 decoder is late by, on top of the encoder's delay.
const DECODER_DELAY: u32 = 529;
/// More than any header frame has.
const FIRST_FRAME_BYTES: usize = 4096;

/// What to leave out of a decoded MP3 file, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gapless {
    /// Before the music.
    pub(super) lead_s: f64,
    /// Length of the music.
    pub(super) length_s: f64,
    /// Length of everything that is in the file.
    untrimmed_s: f64,
}

impl Gapless {
    /// What the file at `path` says, where it is an MP3 file that does and where
    /// GStreamer, by the length that it states, left the silence in.
    pub(super) fn of(path: &Path, stated_s: Option<f64>) -> Option<Self> {
        let found = parse(&first_frame(path)?)?;
        let untouched = stated_s.is_some_and(|stated_s| (stated_s - found.untrimmed_s).abs() < 2e-3);
        untouched.then_some(found)
    }
}

/// The first bytes behind the ID3v2 tags.
fn first_frame(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let mut at = 0u64;
    loop {
        let mut start = [0u8; 10];
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut start).ok()?;
        if &start[..3] != b"ID3" {
            break;
        }
        let size = start[6..]
            .iter()
            .fold(0u64, |size, byte| (size << 7) | u64::from(byte & 0x7f));
        let footer = if start[5] & 0x10 == 0 { 0 } else { 10 };
        at += 10 + size + footer;
    }
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = Vec::new();
    file.take(FIRST_FRAME_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn parse(frame: &[u8]) -> Option<Gapless> {
    const RATES: [u32; 3] = [44_100, 48_000, 32_000];
    let [sync, kind, rates, mode] = *frame.first_chunk::<4>()?;
    let layer_3 = sync == 0xff && kind & 0xe6 == 0xe2;
    if !layer_3 {
        return None;
    }
    // Version bits: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5.
    let version = (kind >> 3) & 3;
    let rate = RATES.get(usize::from((rates >> 2) & 3))?
        >> match version {
            3 => 0,
            2 => 1,
            0 => 2,
            _ => return None,
        };
    let mono = mode >> 6 == 3;
    let (frame_samples, side_bytes) = match (version == 3, mono) {
        (true, false) => (1152, 32),
        (true, true) => (1152, 17),
        (false, false) => (576, 17),
        (false, true) => (576, 9),
    };
    let info = frame.get(4 + side_bytes..)?;
    if !matches!(info.get(..4)?, b"Xing" | b"Info") {
        return None;
    }
    let flags = u32::from_be_bytes(*info.get(4..)?.first_chunk()?);
    let has_frames = flags & 1 != 0;
    if !has_frames {
        return None;
    }
    let frames = u32::from_be_bytes(*info.get(8..)?.first_chunk()?);
    // Frames, bytes, seek table, quality: each there if its flag is.
    let extension = 8 + [(1, 4), (2, 4), (4, 100), (8, 4)]
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, bytes)| bytes)
        .sum::<usize>();
    let [high, middle, low] = *info.get(extension + 21..)?.first_chunk::<3>()?;
    let delay = (u32::from(high) << 4) | u32::from(middle >> 4);
    let padding = (u32::from(middle & 15) << 8) | u32::from(low);
    let samples = frames.checked_mul(frame_samples)?;
    let music = samples.checked_sub(delay + padding)?;
    if delay == 0 || music == 0 {
        return None;
    }
    let seconds = |samples: u32| f64::from(samples) / f64::from(rate);
    Some(Gapless {
        lead_s: seconds(delay + DECODER_DELAY),
        length_s: seconds(music),
        untrimmed_s: seconds(samples),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Info frame of libavcodec: 44.1 kHz stereo, 418 frames, 576 samples
    /// before and 1128 behind the music.
    fn info_frame() -> Vec<u8> {
        let mut frame = vec![0xff, 0xfb, 0xb0, 0x00];
        frame.extend([0; 32]);
        frame.extend(b"Info\0\0\0\x0f\0\0\x01\xa2\0\x04\x02\x1e");
        frame.extend([0; 104]);
        frame.extend(b"Lavc58.54");
        frame.extend([0; 12]);
        frame.extend([0x24, 0x04, 0x68]);
        frame
    }

    #[test]
    fn the_numbers_of_the_encoder_are_read() {
        let found = parse(&info_frame()).expect("an Info frame");
        assert!((found.lead_s * 44_100.0 - 1105.0).abs() < 1e-6);
        assert!((found.length_s * 44_100.0 - 479_832.0).abs() < 1e-6);
        assert!((found.untrimmed_s * 44_100.0 - 481_536.0).abs() < 1e-6);
    }

    #[test]
    fn a_cut_or_foreign_frame_says_nothing() {
        let frame = info_frame();
        for length in 0..frame.len() {
            assert_eq!(parse(&frame[..length]), None, "{length}");
        }
        assert_eq!(parse(&[0u8; 400]), None);
    }
}
