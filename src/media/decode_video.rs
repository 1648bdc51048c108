//! Pictures of a file at given times.

use std::path::Path;

use super::picture::{Picture, PictureReader};
use super::probe::probe;
use crate::error::{Error, Result};
use crate::jobs::Monitor;

/// A picture: packed RGB, rows from the top, no padding, rotation applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

/// How a picture is brought to size. Pixel aspect ratio and rotation are
/// applied first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFit {
    /// Scale the short side to `short_side`, then crop the centre `crop` x `crop`
    /// square (SlowFast: 256 and 224).
    ScaleAndCrop {
        /// Short side after scaling, in pixels.
        short_side: u32,
        /// Side of the square, in pixels.
        crop: u32,
    },
    /// Scale to this height, width by the aspect ratio (even number).
    Height(u32),
}

/// Two times closer than this are one: Matroska rounds to milliseconds.
const ROUNDING_S: f64 = 6e-4;
/// A wanted time this far ahead is sought instead of decoded up to; most files
/// have a key frame more often than that.
const SKIP_S: f64 = 8.0;

/// Decodes the picture shown at each of `times_s` (ascending, seconds) and
/// calls `take(index, frame)` for each, in order. Where a time lies past the last
/// frame, the last frame is given. Only the wanted frames are converted.
///
/// # Errors
/// As [`crate::media::probe`]; also when the file has no picture; cancelled.
pub fn sample_frames(
    path: &Path,
    times_s: &[f64],
    fit: FrameFit,
    monitor: &Monitor,
    take: &mut dyn FnMut(usize, Frame),
) -> Result<()> {
    let mut reader = PictureReader::open(path, monitor)?;
    let mut shown: Option<Picture> = None;
    let mut ahead: Option<Picture> = None;
    let mut ended = false;
    let mut converted: Option<(f64, Frame)> = None;
    for (index, &time_s) in times_s.iter().enumerate() {
        let reached_s = shown.as_ref().map_or(0.0, |picture| picture.pts_s);
        if !ended
            && time_s - reached_s > SKIP_S
            && let Some(picture) = reader.seek_before(time_s, monitor)?
        {
            shown = Some(picture);
            ahead = None;
        }
        while !ended {
            let next = match ahead.take() {
                Some(picture) => Some(picture),
                None => reader.next(monitor)?,
            };
            match next {
                Some(picture) if picture.pts_s <= time_s + ROUNDING_S => shown = Some(picture),
                Some(later) => {
                    ahead = Some(later);
                    break;
                }
                None => ended = true,
            }
        }
        let picture = shown
            .as_ref()
            .or(ahead.as_ref())
            .ok_or_else(|| no_picture(path))?;
        let frame = match converted.take() {
            Some((pts_s, frame)) if pts_s == picture.pts_s => frame,
            _ => reader.convert(picture, fit)?,
        };
        converted = Some((picture.pts_s, frame.clone()));
        take(index, frame);
        monitor.progress(
            "Decoding pictures",
            Some((index + 1) as f32 / times_s.len() as f32),
        );
    }
    Ok(())
}

/// `count` small pictures spread evenly over the file, `height` pixels high,
/// taken at key frames (fast, approximate in time).
///
/// # Errors
/// As [`sample_frames`].
pub fn thumbnails(path: &Path, count: usize, height: u32, monitor: &Monitor) -> Result<Vec<Frame>> {
    let mut reader = PictureReader::open(path, monitor)?;
    let length_s = match reader.length_s() {
        Some(length_s) => length_s,
        None => probe(path)?.duration_s,
    };
    let step_s = length_s / count as f64;
    let mut frames = Vec::with_capacity(count);
    let mut last: Option<Picture> = None;
    // Whether key frames are rarer than thumbnails, or cannot be sought.
    let mut sparse = false;
    for index in 0..count {
        let time_s = step_s * (index as f64 + 0.5);
        let mut picture = None;
        if !sparse || step_s > SKIP_S {
            picture = reader.seek_before(time_s, monitor)?;
            let reached_s = last.as_ref().map_or(-1.0, |last| last.pts_s);
            sparse = picture.as_ref().is_none_or(|picture| picture.pts_s <= reached_s);
        }
        while sparse
            && picture
                .as_ref()
                .is_none_or(|picture: &Picture| picture.pts_s < time_s - ROUNDING_S)
        {
            let Some(next) = reader.next(monitor)? else {
                break;
            };
            picture = Some(next);
        }
        let picture = picture.or(last.take()).ok_or_else(|| no_picture(path))?;
        frames.push(reader.convert(&picture, FrameFit::Height(height))?);
        last = Some(picture);
        monitor.progress("Drawing thumbnails", Some((index + 1) as f32 / count as f32));
    }
    Ok(frames)
}

fn no_picture(path: &Path) -> Error {
    Error::input(path, "has no picture that can be decoded; try a fresh copy of it")
}
