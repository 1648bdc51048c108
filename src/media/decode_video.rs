//! Pictures of a file at given times.

use std::path::Path;

use super::picture::{Picture, PictureReader};
use super::probe::probe;
use crate::error::{Error, Result};
use crate::jobs::{self, Monitor};

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
/// frame, the last frame is given. Only the wanted frames are converted. Times over a long stretch are read in
/// two halves at once: a decoder uses one processor.
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
    let (first, second) = times_s.split_at(times_s.len() / 2);
    let far = first
        .first()
        .zip(second.first())
        .is_some_and(|(from_s, to_s)| to_s - from_s > SKIP_S);
    let alone = std::thread::available_parallelism().is_ok_and(|threads| threads.get() == 1);
    if !far || alone {
        return sample_in_order(path, times_s, fit, monitor, take);
    }
    let quiet = monitor.unseen();
    let behind = || -> Result<Vec<Frame>> {
        let mut frames = Vec::with_capacity(second.len());
        sample_in_order(path, second, fit, &quiet, &mut |_, frame| frames.push(frame))?;
        Ok(frames)
    };
    let (behind, ahead) = jobs::join("second half", behind, || {
        sample_in_order(path, first, fit, monitor, take)
    })?;
    ahead?;
    for (index, frame) in behind?.into_iter().enumerate() {
        take(first.len() + index, frame);
    }
    Ok(())
}

fn sample_in_order(
    path: &Path,
    times_s: &[f64],
    fit: FrameFit,
    monitor: &Monitor,
    take: &mut dyn FnMut(usize, Frame),
) -> Result<()> {
    let mut reader = PictureReader::open_for(path, Some(times_s), monitor)?;
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

#[cfg(test)]
mod tests {
    use super::super::testing::write_pipeline;
    use super::*;

    #[test]
    fn two_halves_are_those_of_one_reading() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let times_s: Vec<f64> = (0..50).map(|index| 0.25 + 0.5 * f64::from(index)).collect();
        let fit = FrameFit::Height(48);
        for (name, coder) in [
            ("a.mp4", "x264enc bframes=3 key-int-max=70 ! mp4mux"),
            ("a.mkv", "vp8enc deadline=1 keyframe-max-dist=400 ! matroskamux"),
            ("a.avi", "avenc_mpeg4 gop-size=30 ! avimux"),
        ] {
            let path = folder.path().join(name);
            let picture = "videotestsrc num-buffers=240 pattern=ball \
                           ! video/x-raw,format=I420,width=64,height=48,framerate=10/1";
            write_pipeline(&format!("{picture} ! {coder} name=last"), &path)?;
            let sampled = |sample: &dyn Fn(&mut dyn FnMut(usize, Frame)) -> Result<()>| -> Result<Vec<_>> {
                let mut frames = Vec::new();
                sample(&mut |index, frame| frames.push((index, frame)))?;
                Ok(frames)
            };
            let monitor = Monitor::silent();
            let halves = sampled(&|take| sample_frames(&path, &times_s, fit, &monitor, take))?;
            let whole = sampled(&|take| sample_in_order(&path, &times_s, fit, &monitor, take))?;
            assert_eq!(halves.len(), times_s.len());
            assert!(halves == whole, "{name}");
        }
        Ok(())
    }
}
