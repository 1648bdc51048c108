//! What GStreamer's MP4 muxer (1.22) leaves out: the edit list of the sound and
//! the turn of the picture.
//!
//! AAC encoders put samples before the first one they are given and fill the
//! last block; GStreamer's muxer presents both as sound, and the sound is late.
//! An edit list says what to leave out, and all players heed it (ISO/IEC
//! 14496-12, 8.6.6). The muxer writes one for every track, so that its numbers
//! can be changed in place, together with the lengths that follow from them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::info::Orientation;

/// Makes the sound of the file start `lead` samples in and last `frames`
/// samples; both at `sample_rate`.
///
/// # Errors
/// When the file cannot be changed, or is not what GStreamer's muxer writes.
pub(super) fn trim_sound(path: &Path, lead: u64, frames: u64, sample_rate: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let moov = find(&mut file, &(0..length), *b"moov")?;
    let movie_header = Header::read(&mut file, &moov, Kind::Movie)?;
    let seconds = frames as f64 / f64::from(sample_rate);
    let sound_ticks = (seconds * f64::from(movie_header.timescale)).round() as u64;

    let mut longest = 0;
    for trak in children(&mut file, &moov)? {
        if trak.kind != *b"trak" {
            continue;
        }
        let track_header = Header::read(&mut file, &trak.body, Kind::Track)?;
        let media = find(&mut file, &trak.body, *b"mdia")?;
        if handler(&mut file, &media)? != *b"soun" {
            longest = longest.max(track_header.duration);
            continue;
        }
        let media_header = Header::read(&mut file, &media, Kind::Media)?;
        let lead_ticks =
            (lead as f64 * f64::from(media_header.timescale) / f64::from(sample_rate)).round() as u64;
        let edits = find(&mut file, &trak.body, *b"edts")?;
        let list = find(&mut file, &edits, *b"elst")?;
        set_edit(&mut file, &list, sound_ticks, lead_ticks)?;
        track_header.set_duration(&mut file, sound_ticks)?;
        longest = longest.max(sound_ticks);
    }
    movie_header.set_duration(&mut file, longest)?;
    file.flush()
}

/// Makes players turn the picture by `orientation`, by the matrix in its track
/// header (ISO/IEC 14496-12, 8.3.2).
///
/// # Errors
/// As [`trim_sound`].
pub(super) fn turn_picture(path: &Path, orientation: Orientation) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let moov = find(&mut file, &(0..length), *b"moov")?;
    for trak in children(&mut file, &moov)? {
        if trak.kind != *b"trak" {
            continue;
        }
        let media = find(&mut file, &trak.body, *b"mdia")?;
        if handler(&mut file, &media)? != *b"vide" {
            continue;
        }
        let header = find(&mut file, &trak.body, *b"tkhd")?;
        let width = f64::from(read_u32(&mut file, header.end - 8)?) / FIXED;
        let height = f64::from(read_u32(&mut file, header.end - 4)?) / FIXED;
        let matrix = matrix(orientation, width, height);
        // The matrix lies before width and height, at the end of the header.
        file.seek(SeekFrom::Start(header.end - 8 - matrix.len() as u64))?;
        file.write_all(&matrix)?;
    }
    file.flush()
}

/// One, in the 16.16 numbers of a matrix.
const FIXED: f64 = 65_536.0;

/// The matrix that turns a picture of `width` x `height`: x' = ax + cy + tx,
/// y' = bx + dy + ty, stored as a b u c d v tx ty w.
fn matrix(orientation: Orientation, width: f64, height: f64) -> [u8; 36] {
    let (mut a, mut b, c, d, mut tx, mut ty) = match orientation.clockwise {
        90 => (0.0, 1.0, -1.0, 0.0, height, 0.0),
        180 => (-1.0, 0.0, 0.0, -1.0, width, height),
        270 => (0.0, -1.0, 1.0, 0.0, 0.0, width),
        _ => (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    };
    if orientation.mirrored {
        // First x becomes width - x.
        tx += a * width;
        ty += b * width;
        a = -a;
        b = -b;
    }
    let mut bytes = [0; 36];
    let fields = [a, b, 0.0, c, d, 0.0, tx, ty];
    for (field, place) in fields.into_iter().zip(bytes.chunks_exact_mut(4)) {
        place.copy_from_slice(&((field * FIXED) as i32).to_be_bytes());
    }
    // The last number has two bits before the point, not sixteen.
    bytes[32..].copy_from_slice(&(1u32 << 30).to_be_bytes());
    bytes
}

/// Where a box's content lies in the file.
type Body = std::ops::Range<u64>;

struct Atom {
    kind: [u8; 4],
    body: Body,
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the MP4 file has {what}"))
}

fn read_u32(file: &mut File, at: u64) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn read_u64(file: &mut File, at: u64) -> io::Result<u64> {
    Ok((u64::from(read_u32(file, at)?) << 32) | u64::from(read_u32(file, at + 4)?))
}

/// A number of four or, in the second version of a box, eight bytes.
fn write_number(file: &mut File, at: u64, long: bool, value: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    if long {
        return file.write_all(&value.to_be_bytes());
    }
    let short = u32::try_from(value).map_err(|_| unexpected("a length that does not fit"))?;
    file.write_all(&short.to_be_bytes())
}

/// The boxes in `body`.
fn children(file: &mut File, body: &Body) -> io::Result<Vec<Atom>> {
    let mut atoms = Vec::new();
    let mut at = body.start;
    while at + 8 <= body.end {
        let mut kind = [0; 4];
        let (size, header) = match read_u32(file, at)? {
            0 => (body.end - at, 8),
            1 => (read_u64(file, at + 8)?, 16),
            size => (u64::from(size), 8),
        };
        file.seek(SeekFrom::Start(at + 4))?;
        file.read_exact(&mut kind)?;
        if size < header || at + size > body.end {
            return Err(unexpected("a box that does not fit"));
        }
        atoms.push(Atom {
            kind,
            body: at + header..at + size,
        });
        at += size;
    }
    Ok(atoms)
}

fn find(file: &mut File, body: &Body, kind: [u8; 4]) -> io::Result<Body> {
    children(file, body)?
        .into_iter()
        .find(|atom| atom.kind == kind)
        .map(|atom| atom.body)
        .ok_or_else(|| unexpected(&format!("no box {}", String::from_utf8_lossy(&kind))))
}

/// The kind of a track: `soun`, `vide`.
fn handler(file: &mut File, media: &Body) -> io::Result<[u8; 4]> {
    let handler = find(file, media, *b"hdlr")?;
    // Version and flags, then a reserved word, then the kind.
    Ok(read_u32(file, handler.start + 8)?.to_be_bytes())
}

/// Which header: their fields lie differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Movie,
    Track,
    Media,
}

/// The length in a header box.
struct Header {
    timescale: u32,
    duration: u64,
    duration_at: u64,
    long: bool,
}

impl Header {
    /// Reads the header box in `parent`.
    fn read(file: &mut File, parent: &Body, kind: Kind) -> io::Result<Self> {
        let name = match kind {
            Kind::Movie => *b"mvhd",
            Kind::Track => *b"tkhd",
            Kind::Media => *b"mdhd",
        };
        let body = find(file, parent, name)?;
        let long = is_long(file, &body)?;
        let date_bytes = if long { 16 } else { 8 };
        // Behind the dates: the time scale; in a track its number and a
        // reserved word.
        let behind_dates = body.start + 4 + date_bytes;
        let duration_at = behind_dates + if kind == Kind::Track { 8 } else { 4 };
        Ok(Self {
            timescale: read_u32(file, behind_dates)?,
            duration: if long {
                read_u64(file, duration_at)?
            } else {
                u64::from(read_u32(file, duration_at)?)
            },
            duration_at,
            long,
        })
    }

    fn set_duration(&self, file: &mut File, duration: u64) -> io::Result<()> {
        write_number(file, self.duration_at, self.long, duration)
    }
}

/// Whether the box is of the version with numbers of eight bytes.
fn is_long(file: &mut File, body: &Body) -> io::Result<bool> {
    Ok(read_u32(file, body.start)? >> 24 == 1)
}

/// Changes the one edit that presents the media.
fn set_edit(file: &mut File, list: &Body, duration: u64, media_time: u64) -> io::Result<()> {
    let long = is_long(file, list)?;
    let number = if long { 8 } else { 4 };
    if read_u32(file, list.start + 4)? != 1 {
        return Err(unexpected("an edit list of another kind"));
    }
    let entry = list.start + 8;
    write_number(file, entry, long, duration)?;
    write_number(file, entry + number, long, media_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_move_the_corners_where_they_belong() {
        let check = |clockwise: u32, mirrored: bool, expected: (f64, f64)| {
            let bytes = matrix(Orientation { clockwise, mirrored }, 160.0, 120.0);
            let field = |at: usize| {
                let bytes = [
                    bytes[at * 4],
                    bytes[at * 4 + 1],
                    bytes[at * 4 + 2],
                    bytes[at * 4 + 3],
                ];
                f64::from(i32::from_be_bytes(bytes)) / FIXED
            };
            // The corner that is stored at (160, 0).
            let shown = (160.0 * field(0) + field(6), 160.0 * field(1) + field(7));
            assert_eq!(shown, expected, "{clockwise} {mirrored}");
        };
        check(0, false, (160.0, 0.0));
        check(90, false, (120.0, 160.0));
        check(180, false, (0.0, 120.0));
        check(270, false, (0.0, 0.0));
        check(0, true, (0.0, 0.0));
        check(90, true, (120.0, 0.0));
    }

    #[test]
    fn other_files_are_refused() {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(b"no boxes in here, just a line of text")
            .expect("write");
        assert!(trim_sound(file.path(), 1024, 44_100, 44_100).is_err());
        assert!(turn_picture(file.path(), Orientation::default()).is_err());
    }
}
