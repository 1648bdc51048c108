//! The length in the header of a Matroska or WebM file.
//!
//! GStreamer's muxer writes the length at the end, from whichever stream it saw
//! last, with or without the samples that an Opus decoder skips: the same
//! export comes out as 2.000, 2.006 or 2.012 s, and readers cut the sound at
//! what the header says. The true length is known, and is put in its place.
//!
//! Element numbers: RFC 9559.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const DURATION: u32 = 0x4489;
/// Nanoseconds a tick where the file does not say.
const DEFAULT_SCALE: u64 = 1_000_000;

/// Writes `length_s` into the header of the file.
///
/// # Errors
/// When the file cannot be changed, or is not what GStreamer's muxer writes.
pub(super) fn set_length(path: &Path, length_s: f64) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let end = file.metadata()?.len();
    let segment = find(&mut file, 0, end, SEGMENT)?;
    let info = find(&mut file, segment.start, segment.end, INFO)?;
    let scale = match find(&mut file, info.start, info.end, TIMESTAMP_SCALE) {
        Ok(field) => read_number(&mut file, &field)?,
        Err(_) => DEFAULT_SCALE,
    };
    let duration = find(&mut file, info.start, info.end, DURATION)?;
    let ticks = length_s * 1e9 / scale.max(1) as f64;
    file.seek(SeekFrom::Start(duration.start))?;
    match duration.end - duration.start {
        8 => file.write_all(&ticks.to_be_bytes())?,
        4 => file.write_all(&(ticks as f32).to_be_bytes())?,
        _ => return Err(unexpected("a length of an unknown form")),
    }
    file.flush()
}

/// Where an element's content lies in the file.
type Body = std::ops::Range<u64>;

fn unexpected(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the Matroska file has {what}"),
    )
}

/// The first element `wanted` among those that lie between `at` and `end`.
fn find(file: &mut File, mut at: u64, end: u64, wanted: u32) -> io::Result<Body> {
    while at < end {
        file.seek(SeekFrom::Start(at))?;
        let (id, id_bytes) = read_vint(file, true)?;
        let (size, size_bytes) = read_vint(file, false)?;
        let start = at + id_bytes + size_bytes;
        // All ones: the element lasts to the end, as in a live recording.
        let unknown = size == (1 << (7 * size_bytes)) - 1;
        let element_end = if unknown {
            end
        } else {
            start.saturating_add(size).min(end)
        };
        if id == u64::from(wanted) {
            return Ok(start..element_end);
        }
        at = element_end;
    }
    Err(unexpected(&format!("no element {wanted:#x}")))
}

/// A number whose first byte tells its length in bytes; with or without the bit
/// that does so.
fn read_vint(file: &mut File, with_marker: bool) -> io::Result<(u64, u64)> {
    let mut first = [0];
    file.read_exact(&mut first)?;
    let more = first[0].leading_zeros();
    if more > 7 {
        return Err(unexpected("an element that cannot be read"));
    }
    let mut value = u64::from(first[0]);
    if !with_marker {
        value &= (1 << (7 - more)) - 1;
    }
    for _ in 0..more {
        let mut next = [0];
        file.read_exact(&mut next)?;
        value = (value << 8) | u64::from(next[0]);
    }
    Ok((value, u64::from(more) + 1))
}

fn read_number(file: &mut File, field: &Body) -> io::Result<u64> {
    file.seek(SeekFrom::Start(field.start))?;
    let mut value = 0;
    for _ in field.start..field.end.min(field.start + 8) {
        let mut next = [0];
        file.read_exact(&mut next)?;
        value = (value << 8) | u64::from(next[0]);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_replaced_in_place() {
        // EBML header, Segment of unknown size, Void, Info { scale, length }.
        let mut bytes = vec![0x1a, 0x45, 0xdf, 0xa3, 0x81, 0x00];
        bytes.extend([
            0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ]);
        bytes.extend([0xec, 0x82, 0, 0]);
        bytes.extend([0x15, 0x49, 0xa9, 0x66, 0x40, 18]);
        bytes.extend([0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40]);
        bytes.extend([0x44, 0x89, 0x88]);
        let length_at = bytes.len();
        bytes.extend(2006.0f64.to_be_bytes());
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(&bytes).expect("write");

        set_length(file.path(), 2.0).expect("changed");
        let changed = std::fs::read(file.path()).expect("read");
        assert_eq!(changed[length_at..], 2000.0f64.to_be_bytes());
        assert_eq!(changed[..length_at], bytes[..length_at]);

        file.as_file().set_len(20).expect("cut");
        assert!(set_length(file.path(), 2.0).is_err());
    }
}
