//! Pictures of a file at given times.

use std::path::Path;

use crate::error::Result;
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
    let _ = (path, times_s, fit, monitor, take);
    crate::error::unbuilt("picture decoding")
}

/// `count` small pictures spread evenly over the file, `height` pixels high,
/// taken at key frames (fast, approximate in time).
///
/// # Errors
/// As [`sample_frames`].
pub fn thumbnails(path: &Path, count: usize, height: u32, monitor: &Monitor) -> Result<Vec<Frame>> {
    let _ = (path, count, height, monitor);
    crate::error::unbuilt("thumbnails")
}
