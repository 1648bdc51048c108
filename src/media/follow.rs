//! Video that follows a clock it does not own.
//!
//! The audio clock is the master. A follower decodes on a thread of its own,
//! holds at most one pending frame, drops what is late, and never queues.

use std::path::Path;

use super::Frame;
use crate::error::Result;

/// A decoded picture and its time.
#[derive(Debug, Clone)]
pub struct VideoFrame {
    /// Presentation time in seconds.
    pub pts_s: f64,
    /// The picture.
    pub frame: Frame,
}

/// Decodes a video for the player.
#[derive(Debug)]
pub struct VideoFollower {}

impl VideoFollower {
    /// Opens the picture of `path`, scaled to at most `max_height` pixels.
    /// `wake` is called when a new picture is ready.
    ///
    /// # Errors
    /// As [`crate::media::sample_frames`].
    pub fn open(path: &Path, max_height: u32, wake: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        let _ = (path, max_height, wake);
        crate::error::unbuilt("the video follower")
    }

    /// Tells where the clock is and whether it runs. Cheap, never blocks, call it
    /// every repaint: a jump makes the follower seek (frame-exact), a stand-still
    /// makes it settle on the frame of that time.
    pub fn follow(&self, clock_s: f64, playing: bool) {
        let _ = (clock_s, playing);
    }

    /// The picture for the last clock time if it is newer than the one taken before.
    pub fn take_frame(&self) -> Option<VideoFrame> {
        None
    }

    /// The first failure of the decoder, once.
    pub fn take_error(&self) -> Option<crate::error::Error> {
        None
    }
}
