//! Decoded pictures in order, and the way from a decoded picture to a
//! [`Frame`]: pixel aspect ratio, size, crop, rotation.
//!
//! Decoded pictures are handed on as references; only those that are asked for
//! are converted, which is what makes sampling sixty-four of two thousand
//! cheap.

use std::path::Path;

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::info::Orientation;
use super::pipeline::clock_time;
use super::source::{Decoded, Kind, Source};
use super::{Frame, FrameFit};
use crate::error::{Error, Result};
use crate::jobs::Monitor;

/// How far before a wanted time the reader tries to start where the time itself
/// gives no picture: past the end, or a key frame index that lies.
const BACK_S: [f64; 3] = [3.0, 15.0, f64::INFINITY];

/// A decoded picture, not yet converted.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// When it is shown, in seconds from the start of the file.
    pub(super) pts_s: f64,
    decoded: Decoded,
}

/// The first picture stream of a file, picture by picture.
pub(super) struct PictureReader {
    source: Source,
    last_pts_s: f64,
    converter: Option<Converter>,
}

/// A conversion that serves as long as neither input nor output changes.
struct Converter {
    from: gst_video::VideoInfo,
    to: gst_video::VideoInfo,
    convert: gst_video::VideoConverter,
}

impl PictureReader {
    /// Opens the first picture stream of `path`.
    ///
    /// # Errors
    /// As [`super::probe()`]; also when there is no picture.
    pub(super) fn open(path: &Path, monitor: &Monitor) -> Result<Self> {
        Self::open_for(path, None, monitor)
    }

    /// As [`PictureReader::open`], where only the pictures shown at `times_s` are wanted: others may be left out.
    ///
    /// # Errors
    /// As [`PictureReader::open`].
    pub(super) fn open_for(path: &Path, times_s: Option<&[f64]>, monitor: &Monitor) -> Result<Self> {
        let caps = gst::Caps::new_empty_simple("video/x-raw");
        Ok(Self {
            source: Source::open(path, Kind::Picture, &[], &caps, 2, times_s, monitor)?,
            last_pts_s: 0.0,
            converter: None,
        })
    }

    /// Length of the file in seconds, where its demuxer knows it.
    pub(super) fn length_s(&self) -> Option<f64> {
        self.source.length_s()
    }

    /// The next picture, or `None` at the end.
    ///
    /// # Errors
    /// When decoding fails, stalls or is cancelled.
    pub(super) fn next(&mut self, monitor: &Monitor) -> Result<Option<Picture>> {
        let Some(decoded) = self.source.next(monitor)? else {
            return Ok(None);
        };
        // A picture without a time follows the one before.
        let pts_s = decoded.time_ns.map_or(self.last_pts_s, |ns| ns as f64 / 1e9);
        self.last_pts_s = pts_s;
        Ok(Some(Picture { pts_s, decoded }))
    }

    /// Moves to a key frame at or before `time_s` (or the end) and returns it; where there is
    /// none, the first picture that can be had. `None` where the file cannot
    /// seek or holds no picture: reading goes on where it was, or is at the end.
    ///
    /// # Errors
    /// When decoding fails, stalls or is cancelled.
    pub(super) fn seek_before(&mut self, time_s: f64, monitor: &Monitor) -> Result<Option<Picture>> {
        let flags = gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        let time_s = self.length_s().map_or(time_s, |length_s| time_s.min(length_s));
        for back_s in [0.0].into_iter().chain(BACK_S) {
            let target_s = (time_s - back_s).max(0.0);
            if !self.source.seek(flags, clock_time(target_s), monitor)? {
                return Ok(None);
            }
            match self.next(monitor)? {
                Some(picture) if picture.pts_s <= time_s || target_s == 0.0 => return Ok(Some(picture)),
                _ if target_s == 0.0 => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Height of a picture as it is shown, upright.
    ///
    /// # Errors
    /// When GStreamer does not describe the pixels.
    pub(super) fn shown_height(&self, picture: &Picture) -> Result<u32> {
        let info = self.describe(picture)?;
        let sideways = Orientation::of(&self.source.tags()).clockwise % 180 == 90;
        let (_, height) = shown_size(&info, sideways);
        Ok(height.round() as u32)
    }

    fn describe(&self, picture: &Picture) -> Result<gst_video::VideoInfo> {
        gst_video::VideoInfo::from_caps(&picture.decoded.caps).map_err(|source| {
            self.unreadable("GStreamer does not describe; convert the file")
                .with_source(source)
        })
    }

    fn unreadable(&self, problem: &str) -> Error {
        Error::input(self.source.path(), format!("has a picture that {problem}"))
    }

    /// Converts a picture to packed RGB of the size that `fit` asks for.
    ///
    /// # Errors
    /// When GStreamer cannot convert the pixel format.
    pub(super) fn convert(&mut self, picture: &Picture, fit: FrameFit) -> Result<Frame> {
        let info = self.describe(picture)?;
        let orientation = Orientation::of(&self.source.tags());
        let sideways = orientation.clockwise % 180 == 90;
        let size = Size::of(&info, sideways, fit);

        let (stored_width, stored_height) = if sideways {
            (size.height, size.width)
        } else {
            (size.width, size.height)
        };
        let used = self.converter.take();
        let failed = || self.unreadable("cannot be converted to RGB; convert the file");
        let to = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, stored_width, stored_height)
            .fps(info.fps())
            .interlace_mode(info.interlace_mode())
            .build()
            .map_err(|source| failed().with_source(source))?;
        let converter = match used {
            Some(used) if used.from == info && used.to == to => used,
            _ => Converter::new(info, to).map_err(|source| failed().with_source(source))?,
        };
        let rgb = converter.run(&picture.decoded.buffer).ok_or_else(failed)?;
        self.converter = Some(converter);

        let stored = Frame {
            width: stored_width,
            height: stored_height,
            rgb,
        };
        let turned = turn(stored, orientation);
        Ok(match size.crop {
            Some(side) => crop(&turned, side),
            None => turned,
        })
    }
}

impl Converter {
    fn new(
        from: gst_video::VideoInfo,
        to: gst_video::VideoInfo,
    ) -> std::result::Result<Self, gst::glib::BoolError> {
        let mut config = gst_video::VideoConverterConfig::new();
        // Bilinear over the whole footprint of a pixel, as the reference
        // pipelines of the networks scale.
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        config.set_dither_method(gst_video::VideoDitherMethod::None);
        let convert = gst_video::VideoConverter::new(&from, &to, Some(config))?;
        Ok(Self { from, to, convert })
    }

    /// The converted pixels, rows packed.
    fn run(&self, buffer: &gst::BufferRef) -> Option<Vec<u8>> {
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.from).ok()?;
        let target = gst::Buffer::with_size(self.to.size()).ok()?;
        let mut to = gst_video::VideoFrame::from_buffer_writable(target, &self.to).ok()?;
        self.convert.frame_ref(&from, &mut to.as_mut_video_frame_ref());
        let row_bytes = self.to.width() as usize * 3;
        let stride = usize::try_from(*self.to.stride().first()?).ok()?;
        let plane = to.plane_data(0).ok()?;
        Some(
            plane
                .chunks(stride)
                .take(self.to.height() as usize)
                .flat_map(|row| &row[..row_bytes.min(row.len())])
                .copied()
                .collect(),
        )
    }
}

/// Width and height of a picture with square pixels, upright.
fn shown_size(info: &gst_video::VideoInfo, sideways: bool) -> (f64, f64) {
    let aspect = info.par();
    let stretch = match (aspect.numer(), aspect.denom()) {
        (numer, denom) if numer > 0 && denom > 0 => f64::from(numer) / f64::from(denom),
        _ => 1.0,
    };
    let (width, height) = (f64::from(info.width()) * stretch, f64::from(info.height()));
    if sideways {
        (height.max(1.0), width.max(1.0))
    } else {
        (width.max(1.0), height.max(1.0))
    }
}

/// The size that a picture is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    width: u32,
    height: u32,
    /// The side of the square to cut from the centre afterwards.
    crop: Option<u32>,
}

impl Size {
    fn of(info: &gst_video::VideoInfo, sideways: bool, fit: FrameFit) -> Self {
        let (width, height) = shown_size(info, sideways);
        Self::fitting(width, height, fit)
    }

    fn fitting(width: f64, height: f64, fit: FrameFit) -> Self {
        match fit {
            FrameFit::ScaleAndCrop { short_side, crop } => {
                // PySlowFast's `short_side_scale` rounds the long side down.
                let short = f64::from(short_side.max(1));
                let long = |ratio: f64| (short * ratio).floor().clamp(short, 16_384.0) as u32;
                let (width, height) = if width < height {
                    (short as u32, long(height / width))
                } else {
                    (long(width / height), short as u32)
                };
                Self {
                    width,
                    height,
                    crop: Some(crop.clamp(1, short as u32)),
                }
            }
            FrameFit::Height(wanted) => {
                let wanted = wanted.max(1);
                let even = (f64::from(wanted) * width / height / 2.0).round() * 2.0;
                Self {
                    width: even.clamp(2.0, 16_384.0) as u32,
                    height: wanted,
                    crop: None,
                }
            }
        }
    }
}

/// Mirrors and turns a picture into the position it is shown in.
fn turn(frame: Frame, orientation: Orientation) -> Frame {
    if orientation == Orientation::default() {
        return frame;
    }
    let (width, height) = (frame.width as usize, frame.height as usize);
    let sideways = orientation.clockwise % 180 == 90;
    let (out_width, out_height) = if sideways {
        (height, width)
    } else {
        (width, height)
    };
    let mut rgb = Vec::with_capacity(frame.rgb.len());
    for y in 0..out_height {
        for x in 0..out_width {
            // Where the pixel at (x, y) came from, before the turn.
            let (from_x, from_y) = match orientation.clockwise {
                90 => (y, height - 1 - x),
                180 => (width - 1 - x, height - 1 - y),
                270 => (width - 1 - y, x),
                _ => (x, y),
            };
            let from_x = if orientation.mirrored {
                width - 1 - from_x
            } else {
                from_x
            };
            let at = (from_y * width + from_x) * 3;
            rgb.extend_from_slice(&frame.rgb[at..at + 3]);
        }
    }
    Frame {
        width: out_width as u32,
        height: out_height as u32,
        rgb,
    }
}

/// The square of `side` pixels at the centre; the odd pixel falls to the left
/// and top, as in PySlowFast's `uniform_crop`.
fn crop(frame: &Frame, side: u32) -> Frame {
    let left = (frame.width - side).div_ceil(2) as usize;
    let top = (frame.height - side).div_ceil(2) as usize;
    let (width, side_px) = (frame.width as usize, side as usize);
    let mut rgb = Vec::with_capacity(side_px * side_px * 3);
    for y in top..top + side_px {
        let at = (y * width + left) * 3;
        rgb.extend_from_slice(&frame.rgb[at..at + side_px * 3]);
    }
    Frame {
        width: side,
        height: side,
        rgb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_shape() {
        let check = |width: f64, height: f64, fit: FrameFit, expected: (u32, u32)| {
            let size = Size::fitting(width, height, fit);
            assert_eq!((size.width, size.height), expected, "{width} x {height}");
        };
        let slowfast = FrameFit::ScaleAndCrop {
            short_side: 256,
            crop: 224,
        };
        check(1920.0, 1080.0, slowfast, (455, 256));
        check(1080.0, 1920.0, slowfast, (256, 455));
        check(64.0, 64.0, slowfast, (256, 256));
        check(1920.0, 1080.0, FrameFit::Height(90), (160, 90));
        check(320.0, 240.0, FrameFit::Height(75), (100, 75));
        check(1.0, 5000.0, FrameFit::Height(90), (2, 90));
    }

    /// A 3 x 2 picture whose red values are 1 2 3 / 4 5 6.
    fn numbered() -> Frame {
        Frame {
            width: 3,
            height: 2,
            rgb: (1..=6u8).flat_map(|red| [red, 0, 0]).collect(),
        }
    }

    fn reds(frame: &Frame) -> Vec<u8> {
        frame.rgb.chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn pictures_turn_the_way_players_turn_them() {
        let check = |clockwise: u32, mirrored: bool, expected: [u8; 6]| {
            let turned = turn(numbered(), Orientation { clockwise, mirrored });
            assert_eq!(reds(&turned), expected, "{clockwise} {mirrored}");
        };
        check(0, false, [1, 2, 3, 4, 5, 6]);
        check(90, false, [4, 1, 5, 2, 6, 3]);
        check(180, false, [6, 5, 4, 3, 2, 1]);
        check(270, false, [3, 6, 2, 5, 1, 4]);
        check(0, true, [3, 2, 1, 6, 5, 4]);
        check(90, true, [6, 3, 5, 2, 4, 1]);
    }

    #[test]
    fn the_crop_is_the_centre() {
        assert_eq!(reds(&crop(&numbered(), 2)), [2, 3, 5, 6]);
        assert_eq!(reds(&crop(&numbered(), 1)), [5]);
    }
}
