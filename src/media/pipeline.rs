//! A pipeline that is watched: every wait ends, and every error is a sentence.
//!
//! GStreamer reports on a bus; whoever waits for a pipeline does it here, in
//! short slices, so that a cancel is seen within a tenth of a second and a
//! pipeline that stands still is given up.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_pbutils as gst_pbutils;

use super::sentences::{self, one_line};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;

/// How long a pipeline may stand still before it is given up.
const STALL: Duration = Duration::from_secs(20);
/// How long after the last progress a pipeline is asked whether anything in it
/// still runs. parsebin (1.22) swallows the error of a demuxer that gives up
/// while it is being plugged, and then nobody says anything.
const SILENCE: Duration = Duration::from_secs(1);
/// How long one wait lasts before cancel and stall are looked at again.
pub(super) const SLICE: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Name of the message that a source posts when the file is of no use to it,
/// because it lacks the stream that was asked for.
pub(super) const UNUSABLE: &str = "undertone-unusable";

/// What the bus said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Every sink has its first buffer, or the seek is done.
    Ready,
    /// Every sink reached the end.
    End,
}

/// A pipeline about one file, stopped when dropped.
#[derive(Debug)]
pub(super) struct Pipeline {
    inner: gst::Pipeline,
    bus: gst::Bus,
    path: PathBuf,
    out: Option<PathBuf>,
    missing: Option<String>,
    last_progress: Instant,
}

impl Pipeline {
    /// An empty pipeline; `path` is the file that its errors speak of.
    pub(super) fn new(path: &Path) -> Result<Self> {
        super::init()?;
        Self::over(gst::Pipeline::new(), path)
    }

    /// A pipeline from a description in `gst-launch` words.
    pub(super) fn parse(description: &str, path: &Path) -> Result<Self> {
        super::init()?;
        let failed = |source: glib::Error| {
            Error::new(
                ErrorKind::MissingPlugin,
                format!(
                    "a GStreamer element is missing ({}); run `undertone doctor` to see which package to install",
                    one_line(source.message())
                ),
            )
            .with_source(source)
        };
        let element = gst::parse::launch(description).map_err(failed)?;
        let pipeline = element
            .downcast::<gst::Pipeline>()
            .map_err(|_| Error::internal("the description made no pipeline"))?;
        Self::over(pipeline, path)
    }

    fn over(inner: gst::Pipeline, path: &Path) -> Result<Self> {
        let bus = inner
            .bus()
            .ok_or_else(|| Error::internal("a GStreamer pipeline has no bus"))?;
        Ok(Self {
            inner,
            bus,
            path: path.to_owned(),
            out: None,
            missing: None,
            last_progress: Instant::now(),
        })
    }

    /// The GStreamer pipeline.
    pub(super) fn inner(&self) -> &gst::Pipeline {
        &self.inner
    }

    /// Tells the file that is being written, for the errors of its sink.
    pub(super) fn writes(&mut self, out: &Path) {
        self.out = Some(out.to_owned());
    }

    /// The file that it is about.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `elements` and links them in a row.
    pub(super) fn add_row(&self, elements: &[&gst::Element]) -> Result<()> {
        let failed = |source: glib::BoolError| {
            Error::internal(format!("GStreamer elements do not fit: {source}")).with_source(source)
        };
        self.inner.add_many(elements).map_err(failed)?;
        gst::Element::link_many(elements).map_err(failed)
    }

    /// Adds `element` behind `last`, which is in the pipeline already.
    pub(super) fn append(&self, last: &gst::Element, element: &gst::Element) -> Result<()> {
        let failed = |source: glib::BoolError| {
            Error::internal(format!("GStreamer elements do not fit: {source}")).with_source(source)
        };
        self.inner.add(element).map_err(failed)?;
        last.link(element).map_err(failed)
    }

    /// The element called `name` in the description.
    pub(super) fn element(&self, name: &str) -> Result<gst::Element> {
        self.inner
            .by_name(name)
            .ok_or_else(|| Error::internal(format!("the pipeline has no element {name}")))
    }

    /// Asks for `state`; the change goes on in the background.
    pub(super) fn set_state(&mut self, state: gst::State) -> Result<()> {
        self.moved();
        match self.inner.set_state(state) {
            Ok(_) => Ok(()),
            Err(source) => {
                // The reason, if any, is on the bus.
                self.poll()?;
                Err(Error::input(
                    &self.path,
                    "GStreamer cannot open it; check that the file is whole",
                )
                .with_source(source))
            }
        }
    }

    /// Notes that data came, so that the pipeline does not count as stalled.
    pub(super) fn moved(&mut self) {
        self.last_progress = Instant::now();
    }

    /// Reads what is on the bus without waiting.
    ///
    /// # Errors
    /// The pipeline's own error, in words.
    pub(super) fn poll(&mut self) -> Result<Option<News>> {
        self.take(gst::ClockTime::ZERO)
    }

    /// Waits one slice for news; fails on error, cancel and stall.
    pub(super) fn wait_slice(&mut self, monitor: &Monitor) -> Result<Option<News>> {
        monitor.check()?;
        let news = self.take(SLICE)?;
        if news.is_some() {
            self.moved();
        }
        self.check_stall()?;
        Ok(news)
    }

    /// Waits until the pipeline is ready: preroll or seek done.
    pub(super) fn wait_ready(&mut self, monitor: &Monitor) -> Result<()> {
        self.moved();
        loop {
            if self.wait_slice(monitor)?.is_some() {
                return Ok(());
            }
        }
    }

    /// Fails when nothing moved for too long, or nothing ever will.
    pub(super) fn check_stall(&self) -> Result<()> {
        let still = self.last_progress.elapsed();
        if still < SILENCE {
            return Ok(());
        }
        if self.is_dead() {
            return Err(Error::input(
                &self.path,
                "is damaged or cut short (no stream in it can be read); try a fresh copy of it",
            ));
        }
        if still < STALL {
            return Ok(());
        }
        Err(Error::input(
            &self.path,
            format!(
                "GStreamer got stuck on it for {} seconds; the file may be damaged",
                STALL.as_secs()
            ),
        ))
    }

    /// Whether no element has a thread that could still bring data.
    fn is_dead(&self) -> bool {
        let runs = |element: gst::Element| {
            element
                .pads()
                .iter()
                .any(|pad| pad.task_state() == gst::TaskState::Started)
        };
        !self.inner.iterate_recurse().into_iter().flatten().any(runs)
    }

    /// Flushes and moves to `position`; false where the stream cannot seek.
    pub(super) fn seek(
        &mut self,
        flags: gst::SeekFlags,
        position: gst::ClockTime,
        monitor: &Monitor,
    ) -> Result<bool> {
        while self.poll()?.is_some() {
            // News from before the seek must not pass for its end.
        }
        if self
            .inner
            .seek_simple(gst::SeekFlags::FLUSH | flags, position)
            .is_err()
        {
            return Ok(false);
        }
        self.wait_ready(monitor)?;
        Ok(true)
    }

    fn take(&mut self, timeout: gst::ClockTime) -> Result<Option<News>> {
        use gst::MessageView;
        const WANTED: &[gst::MessageType] = &[
            gst::MessageType::Error,
            gst::MessageType::Eos,
            gst::MessageType::AsyncDone,
            gst::MessageType::Element,
            gst::MessageType::Application,
        ];
        let mut first = (!timeout.is_zero())
            .then(|| self.bus.timed_pop_filtered(timeout, WANTED))
            .flatten();
        // One wait a call; what has come besides is read at once. A timed pop without time would pop nothing.
        while let Some(message) = first.take().or_else(|| self.bus.pop_filtered(WANTED)) {
            match message.view() {
                MessageView::Error(error) => return Err(self.explain(error)),
                MessageView::Eos(_) => return Ok(Some(News::End)),
                MessageView::AsyncDone(_) => return Ok(Some(News::Ready)),
                MessageView::Application(application) => {
                    if let Some(structure) = application.structure()
                        && structure.name() == UNUSABLE
                    {
                        return Err(Error::input(
                            &self.path,
                            structure.get::<String>("problem").unwrap_or_default(),
                        ));
                    }
                }
                MessageView::Element(_) => {
                    if let Ok(missing) = gst_pbutils::MissingPluginMessage::parse(&message) {
                        self.missing = Some(missing.installer_detail().to_string());
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The sentence for an error on the bus.
    fn explain(&mut self, error: &gst::message::Error) -> Error {
        // The missing plug-in is posted before or after the error it causes.
        while let Some(message) = self.bus.pop_filtered(&[gst::MessageType::Element]) {
            if let Ok(missing) = gst_pbutils::MissingPluginMessage::parse(&message) {
                self.missing = Some(missing.installer_detail().to_string());
            }
        }
        let source = error.error();
        tracing::debug!(
            path = %self.path.display(),
            error = %source,
            details = error.debug().as_deref().unwrap_or_default(),
            "GStreamer failed"
        );
        let at_sink = error
            .src()
            .and_then(|element| element.downcast_ref::<gst::Element>())
            .and_then(gst::prelude::ElementExt::factory)
            .is_some_and(|factory| factory.name() == "filesink");
        let path = self.out.as_ref().filter(|_| at_sink).unwrap_or(&self.path);
        let explained = match self.missing.take() {
            Some(detail) => sentences::missing_plugin(path, &detail),
            None => sentences::explain(path, &source),
        };
        explained.with_source(source)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Err(source) = self.inner.set_state(gst::State::Null) {
            tracing::warn!(path = %self.path.display(), %source, "a GStreamer pipeline did not stop");
        }
    }
}

/// Seconds as GStreamer's nanoseconds; negative and absurd values are clamped.
pub(super) fn clock_time(seconds: f64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds((seconds.clamp(0.0, 1e9) * 1e9).round() as u64)
}

/// Nanoseconds on a file's own time line, which may be negative.
pub(super) fn stream_ns(segment: &gst::FormattedSegment<gst::ClockTime>, pts: gst::ClockTime) -> Option<i64> {
    use gst::Signed;
    Some(match segment.to_stream_time_full(pts)? {
        Signed::Positive(time) => i64::try_from(time.nseconds()).ok()?,
        Signed::Negative(time) => -i64::try_from(time.nseconds()).ok()?,
    })
}
