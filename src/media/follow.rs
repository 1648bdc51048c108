//! Video that follows a clock it does not own.
//!
//! The audio clock is the master. A follower decodes on a thread of its own,
//! holds at most one pending frame, drops what is late, and never queues.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::picture::{Picture, PictureReader};
use super::{Frame, FrameFit, source};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{CancelToken, Monitor};

/// A clock this far ahead of the decoder is caught up with by a jump to a key
/// frame; less is decoded.
const SKIP_S: f64 = 2.0;
/// While playing, the clock may step back this much without a jump: it is the
/// difference between its reading and our guess since the last one.
const WOBBLE_S: f64 = 0.1;
/// Half a millisecond of rounding in Matroska.
const ROUNDING_S: f64 = 6e-4;
/// The clock is trusted to run on for so long after its last reading.
const TRUST: Duration = Duration::from_millis(500);
/// A decoder that cannot keep up shows a late picture this often.
const LATE_SHOW: Duration = Duration::from_millis(100);
/// The longest nap between two looks at the clock.
const NAP: Duration = Duration::from_millis(500);

/// A decoded picture and its time.
#[derive(Debug, Clone)]
pub struct VideoFrame {
    /// Presentation time in seconds.
    pub pts_s: f64,
    /// The picture.
    pub frame: Frame,
}

/// Decodes a video for the player.
pub struct VideoFollower {
    shared: Arc<Shared>,
}

impl fmt::Debug for VideoFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoFollower")
            .field("clock", &*lock(&self.shared.clock))
            .finish_non_exhaustive()
    }
}

impl VideoFollower {
    /// Opens the picture of `path`, scaled to at most `max_height` pixels.
    /// `wake` is called, from another thread, when a new picture is ready. Does
    /// not wait for the decoder: what it finds wrong comes by
    /// [`VideoFollower::take_error`].
    ///
    /// # Errors
    /// No such file, a folder, no permission, empty.
    pub fn open(path: &Path, max_height: u32, wake: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        super::init()?;
        source::file_source(path)?;
        let shared = Arc::new(Shared {
            clock: Mutex::new(Clock {
                reading_s: 0.0,
                playing: false,
                read_at: Instant::now(),
            }),
            changed: Condvar::new(),
            found: Mutex::new(Found::default()),
            stop: CancelToken::default(),
            wake: Box::new(wake),
        });
        let (path, worker) = (path.to_owned(), Arc::clone(&shared));
        std::thread::Builder::new()
            .name("video".to_owned())
            .spawn(move || {
                let failure = Chase::open(&path, max_height, &worker)
                    .and_then(|mut chase| chase.run())
                    .err()
                    .filter(|failure| !failure.is_cancelled());
                if let Some(failure) = failure {
                    lock(&worker.found).failure = Some(failure);
                    (worker.wake)();
                }
            })
            .map_err(|source| {
                Error::new(
                    ErrorKind::Internal,
                    "the video's thread could not start; close other programs",
                )
                .with_source(source)
            })?;
        Ok(Self { shared })
    }

    /// Tells where the clock is and whether it runs. Cheap, never blocks, call it
    /// every repaint: a jump makes the follower seek (frame-exact), a stand-still
    /// makes it settle on the frame of that time.
    pub fn follow(&self, clock_s: f64, playing: bool) {
        let mut clock = lock(&self.shared.clock);
        let surprise = playing != clock.playing || (clock.now_s() - clock_s).abs() > 0.02;
        *clock = Clock {
            reading_s: clock_s,
            playing,
            read_at: Instant::now(),
        };
        drop(clock);
        if surprise {
            self.shared.changed.notify_all();
        }
    }

    /// The picture for the last clock time if it is newer than the one taken before.
    pub fn take_frame(&self) -> Option<VideoFrame> {
        lock(&self.shared.found).frame.take()
    }

    /// The first failure of the decoder, once.
    pub fn take_error(&self) -> Option<Error> {
        lock(&self.shared.found).failure.take()
    }
}

impl Drop for VideoFollower {
    /// The thread ends by itself; nobody waits for a decoder here.
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.changed.notify_all();
    }
}

/// What window and decoder share, under separate locks.
struct Shared {
    clock: Mutex<Clock>,
    changed: Condvar,
    found: Mutex<Found>,
    stop: CancelToken,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Clone, Copy)]
struct Clock {
    reading_s: f64,
    playing: bool,
    read_at: Instant,
}

impl Clock {
    /// The reading, moved on by the time since.
    fn now_s(&self) -> f64 {
        if self.playing {
            self.reading_s + self.read_at.elapsed().min(TRUST).as_secs_f64()
        } else {
            self.reading_s
        }
    }
}

/// What the decoder has for the window.
#[derive(Default)]
struct Found {
    frame: Option<VideoFrame>,
    failure: Option<Error>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The decoder's side: always one step towards the picture of the moment.
struct Chase<'a> {
    path: &'a Path,
    shared: &'a Shared,
    monitor: Monitor,
    reader: PictureReader,
    max_height: u32,
    /// The newest picture whose time has come.
    current: Option<Picture>,
    /// The picture behind it, decoded already.
    ahead: Option<Picture>,
    ended: bool,
    /// Time of the file's first picture, which may lie after 0: it stands for everything before it, and no jump finds
    /// an earlier one.
    first_s: Option<f64>,
    /// Where the last jump went: a key frame long before it is no reason to
    /// jump there again.
    jumped_to_s: f64,
    /// Time of the picture that was handed out last, and when that was.
    shown: Option<(f64, Instant)>,
}

impl<'a> Chase<'a> {
    fn open(path: &'a Path, max_height: u32, shared: &'a Shared) -> Result<Self> {
        let monitor = Monitor::new(shared.stop.clone(), |_| {});
        Ok(Self {
            path,
            shared,
            reader: PictureReader::open(path, &monitor)?,
            monitor,
            max_height,
            current: None,
            ahead: None,
            ended: false,
            first_s: None,
            jumped_to_s: 0.0,
            shown: None,
        })
    }

    /// Follows until the follower is dropped.
    fn run(&mut self) -> Result<()> {
        loop {
            self.monitor.check()?;
            let clock = *lock(&self.shared.clock);
            let now_s = clock.now_s();
            if self.must_jump(now_s, clock.playing) {
                self.jump(now_s)?;
            } else if !self.ended && self.ahead.as_ref().is_none_or(|ahead| is_due(ahead, now_s)) {
                self.decode_one(now_s)?;
                if self.is_overdue() {
                    self.show()?;
                }
            } else if self.is_unshown() {
                self.show()?;
            } else {
                self.nap(now_s, clock.playing);
            }
        }
    }

    /// Whether the clock is where decoding on does not lead, or not soon.
    fn must_jump(&self, now_s: f64, playing: bool) -> bool {
        let Some(current) = &self.current else {
            // Before the first picture there is nothing to go back to.
            return self.ahead.is_none() && !self.ended && now_s > SKIP_S;
        };
        let slack_s = if playing { WOBBLE_S } else { ROUNDING_S };
        let is_first = self
            .first_s
            .is_some_and(|first_s| current.pts_s <= first_s + ROUNDING_S);
        let back = !is_first && now_s < current.pts_s - slack_s;
        let reached_s = self.ahead.as_ref().unwrap_or(current).pts_s;
        back || (!self.ended && now_s > reached_s.max(self.jumped_to_s) + SKIP_S)
    }

    fn jump(&mut self, now_s: f64) -> Result<()> {
        let back = self.current.as_ref().is_some_and(|current| now_s < current.pts_s);
        self.ahead = None;
        self.ended = false;
        self.jumped_to_s = now_s;
        let landed = self.reader.seek_before(now_s, &self.monitor)?;
        self.current = match landed {
            Some(picture) => Some(picture),
            None if back => {
                // It cannot seek: start anew and decode up to the time.
                self.reader = PictureReader::open(self.path, &self.monitor)?;
                self.reader.next(&self.monitor)?
            }
            None => self.reader.next(&self.monitor)?,
        };
        if let Some(landed) = self.current.as_ref().filter(|landed| !is_due(landed, now_s)) {
            self.first_s = Some(landed.pts_s);
        }
        // Nothing there at all: rest until the clock moves back.
        self.ended = self.current.is_none();
        self.shown = None;
        Ok(())
    }

    fn decode_one(&mut self, now_s: f64) -> Result<()> {
        if let Some(due) = self.ahead.take() {
            self.current = Some(due);
        }
        match self.reader.next(&self.monitor)? {
            // The first picture stands for everything before it.
            Some(picture) if self.current.is_none() || is_due(&picture, now_s) => {
                if self.current.is_none() && !is_due(&picture, now_s) {
                    self.first_s = Some(picture.pts_s);
                }
                self.current = Some(picture);
            }
            Some(picture) => self.ahead = Some(picture),
            None => self.ended = true,
        }
        Ok(())
    }

    /// Whether the current picture is another than the one handed out last.
    fn is_unshown(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| self.shown.is_none_or(|(pts_s, _)| pts_s != current.pts_s))
    }

    /// Whether the decoder lags and the eye has waited long enough.
    fn is_overdue(&self) -> bool {
        self.is_unshown() && self.shown.is_some_and(|(_, at)| at.elapsed() > LATE_SHOW)
    }

    fn show(&mut self) -> Result<()> {
        let Some(current) = self.current.clone() else {
            return Ok(());
        };
        let height = self.reader.shown_height(&current)?.min(self.max_height);
        let frame = self.reader.convert(&current, FrameFit::Height(height))?;
        let pts_s = current.pts_s;
        self.shown = Some((pts_s, Instant::now()));
        lock(&self.shared.found).frame = Some(VideoFrame { pts_s, frame });
        (self.shared.wake)();
        Ok(())
    }

    /// Waits for the clock to reach the next picture or to be moved.
    fn nap(&self, now_s: f64, playing: bool) {
        let left = match &self.ahead {
            Some(ahead) if playing => Duration::from_secs_f64((ahead.pts_s - now_s).clamp(0.0, 1.0)),
            _ => NAP,
        };
        let clock = lock(&self.shared.clock);
        let moved = clock.playing != playing || (clock.now_s() - now_s).abs() > 0.02;
        if !moved && !self.shared.stop.is_cancelled() {
            // Whatever ends the nap, the clock is read anew.
            drop(
                self.shared
                    .changed
                    .wait_timeout(clock, left.clamp(Duration::from_millis(1), NAP)),
            );
        }
    }
}

fn is_due(picture: &Picture, now_s: f64) -> bool {
    picture.pts_s <= now_s + ROUNDING_S
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{Synthetic, synthesise};

    /// Waits until the follower hands out the picture of `pts_s`.
    fn expect(follower: &VideoFollower, pts_s: f64) -> VideoFrame {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if let Some(failure) = follower.take_error() {
                panic!("{failure}");
            }
            match follower.take_frame() {
                Some(frame) if (frame.pts_s - pts_s).abs() < 1e-3 => return frame,
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        panic!("no picture at {pts_s}");
    }

    #[test]
    fn it_settles_on_the_frame_of_the_clock() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.webm");
        let what = Synthetic {
            duration_s: 6.0,
            picture: Some((64, 48)),
            tone_hz: None,
            ..Synthetic::default()
        };
        synthesise(&what, &path)?;
        let follower = VideoFollower::open(&path, 36, || {})?;
        let first = expect(&follower, 0.0);
        assert_eq!((first.frame.width, first.frame.height), (48, 36));
        // Forward, back, past the end, and back again after the end.
        for (clock_s, pts_s) in [(1.01, 1.0), (5.0, 5.0), (0.39, 0.36), (60.0, 5.96), (2.0, 2.0)] {
            follower.follow(clock_s, false);
            expect(&follower, pts_s);
        }
        // Standing still, nothing new comes.
        follower.follow(2.0, false);
        assert!(follower.take_frame().is_none());
        Ok(())
    }

    /// The demo's first picture lies at 7 ms: a clock at 0 once made the follower jump back for ever.
    #[test]
    fn a_first_picture_after_zero_is_shown() -> Result<()> {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/arena_clip.webm");
        let follower = VideoFollower::open(&clip, 90, || {})?;
        follower.follow(0.0, false);
        expect(&follower, 0.007);
        follower.follow(1.0, false);
        expect(&follower, 1.007 - 1.0 / 30.0);
        follower.follow(0.0, false);
        expect(&follower, 0.007);
        Ok(())
    }

    #[test]
    fn it_runs_with_the_clock_and_loops() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.mp4");
        let what = Synthetic {
            duration_s: 0.4,
            picture: Some((64, 48)),
            ..Synthetic::default()
        };
        synthesise(&what, &path)?;
        let follower = VideoFollower::open(&path, 1000, || {})?;
        assert_eq!(expect(&follower, 0.0).frame.height, 48, "never enlarged");
        for _ in 0..2 {
            let started = Instant::now();
            let mut last_s = -1.0;
            let mut seen = 0;
            while last_s < 0.35 && started.elapsed() < Duration::from_secs(20) {
                // A clock at a third of real time, so that a busy machine keeps up.
                follower.follow(started.elapsed().as_secs_f64() / 3.0, true);
                if let Some(frame) = follower.take_frame() {
                    assert!(frame.pts_s > last_s || last_s < 0.0, "in order");
                    last_s = frame.pts_s;
                    seen += 1;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(seen > 3, "{seen} pictures, the last at {last_s}");
            // Back to the start before the next round, so that no picture of this one is still on its way.
            follower.follow(0.0, false);
            expect(&follower, 0.0);
        }
        Ok(())
    }

    #[test]
    fn failures_come_once() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "no film at all\n".repeat(50)).expect("write");
        let follower = VideoFollower::open(&path, 100, || {})?;
        let started = Instant::now();
        let failure = loop {
            if let Some(failure) = follower.take_error() {
                break failure;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "a failure");
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(failure.to_string().contains("a.txt"), "{failure}");
        assert!(follower.take_error().is_none());
        assert!(VideoFollower::open(&folder.path().join("none.mp4"), 100, || {}).is_err());
        Ok(())
    }
}
