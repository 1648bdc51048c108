//! A file, its demuxer, and one of its streams decoded.
//!
//! `filesrc ! parsebin` finds the streams. Of those, the first of the wanted
//! kind goes through `decodebin`; the others stay unlinked, so that a job that
//! wants sound never decodes a picture. Hardware decoders are left out: their
//! results differ between computers, and a suggestion must not.

use std::fs;
use std::path::Path;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::elements;
use super::first_stream::link_first;
use super::pipeline::{self, Pipeline};
use super::spared::spare_others;
use crate::error::{Error, Result};
use crate::jobs::Monitor;

/// What a stream is for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Moving pictures.
    Picture,
    /// Sound.
    Sound,
    /// Subtitles, data, still pictures.
    Other,
}

impl Kind {
    /// The kind of a stream by its caps. Cover art is a still picture: an image
    /// without a frame rate.
    pub(super) fn of(caps: &gst::CapsRef) -> Self {
        let Some(structure) = caps.structure(0) else {
            return Self::Other;
        };
        let name = structure.name();
        if name.starts_with("video/") {
            Self::Picture
        } else if name.starts_with("audio/") {
            Self::Sound
        } else if name.starts_with("image/") && frame_rate(structure) > 0.0 {
            Self::Picture
        } else {
            Self::Other
        }
    }
}

/// Frames per second; 0 where variable or unknown.
pub(super) fn frame_rate(structure: &gst::StructureRef) -> f64 {
    structure
        .get::<gst::Fraction>("framerate")
        .map_or(0.0, |rate| f64::from(rate.numer()) / f64::from(rate.denom()))
}

/// The `filesrc` for a file that was looked at: there, readable, not empty, no
/// folder, no pipe. Works for names in any encoding.
pub(super) fn file_source(path: &Path) -> Result<gst::Element> {
    let meta = fs::metadata(path).map_err(|source| Error::io(path, "read", source))?;
    if meta.is_dir() {
        return Err(Error::io(
            path,
            "read",
            std::io::Error::from(std::io::ErrorKind::IsADirectory),
        ));
    }
    if !meta.is_file() {
        return Err(Error::input(
            path,
            "is not a regular file; give a video or sound file",
        ));
    }
    if meta.len() == 0 {
        return Err(Error::input(path, "is empty; try a fresh copy of it"));
    }
    fs::File::open(path).map_err(|source| Error::io(path, "read", source))?;
    with_location("filesrc", path)
}

/// `filesrc` or `filesink` at `path`, whatever bytes its name is made of.
pub(super) fn with_location(element: &str, path: &Path) -> Result<gst::Element> {
    let absolute = std::path::absolute(path).map_err(|source| Error::io(path, "read", source))?;
    let strange = |source: glib::Error| {
        Error::input(path, "has a name that GStreamer cannot open; rename it").with_source(source)
    };
    let uri = glib::filename_to_uri(&absolute, None).map_err(strange)?;
    let made = elements::make(element)?;
    let handler = made
        .dynamic_cast_ref::<gst::URIHandler>()
        .ok_or_else(|| Error::internal(format!("{element} takes no address")))?;
    handler.set_uri(&uri).map_err(strange)?;
    Ok(made)
}

/// A `parsebin` that follows no playlist out to the network.
pub(super) fn parse_bin() -> Result<gst::Element> {
    parse_bin_until(None)
}

/// As [`parse_bin()`]; streams that `accepted` takes come as the demuxer gives
/// them, without a parser, which would change their packets.
pub(super) fn parse_bin_until(accepted: Option<gst::Caps>) -> Result<gst::Element> {
    let parse = elements::make("parsebin")?;
    parse.connect("autoplug-continue", false, move |values| {
        let caps = values.get(2)?.get::<gst::Caps>().ok()?;
        let done = accepted.as_ref().is_some_and(|accepted| caps.is_subset(accepted));
        Some((!done && !is_playlist(&caps)).to_value())
    });
    Ok(parse)
}

/// Whether the stream is a list of other places to read from.
fn is_playlist(caps: &gst::Caps) -> bool {
    caps.structure(0).is_some_and(|structure| {
        matches!(
            structure.name().as_str(),
            "application/x-hls" | "application/dash+xml" | "application/vnd.ms-sstr+xml" | "application/sdp"
        )
    })
}

/// A decoded block of samples or a picture.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    /// The bytes.
    pub(super) buffer: gst::Buffer,
    /// Their form.
    pub(super) caps: gst::Caps,
    /// When they are heard or seen, in nanoseconds from the start of the file;
    /// `None` where the stream does not say.
    pub(super) time_ns: Option<i64>,
    /// Where the file says that the stream ends, on the same line: an edit list
    /// cuts what an encoder put behind the sound.
    pub(super) until_ns: Option<i64>,
}

impl Decoded {
    /// Takes a sample apart. `appsink` (1.22) changes its sample in place, so
    /// none may be kept while the next is pulled.
    fn of(sample: &gst::Sample) -> Option<Self> {
        let buffer = sample.buffer_owned()?;
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        Some(Self {
            time_ns: buffer.pts().and_then(|pts| pipeline::stream_ns(segment, pts)),
            until_ns: segment.stop().and_then(|stop| pipeline::stream_ns(segment, stop)),
            caps: sample.caps_owned()?,
            buffer,
        })
    }
}

/// One decoded stream, pulled buffer by buffer.
#[derive(Debug)]
pub(super) struct Source {
    pipeline: Pipeline,
    sink: gst_app::AppSink,
    ended: bool,
}

impl Source {
    /// Opens the first stream of `kind` and waits for its first buffer.
    /// `convert` stands between the decoder and the sink, which takes `caps`
    /// and holds at most `depth` buffers. Of pictures only those shown at `times_s` are wanted, or all.
    ///
    /// # Errors
    /// As [`super::probe()`]; also when there is no stream of the kind.
    pub(super) fn open(
        path: &Path,
        kind: Kind,
        convert: &[gst::Element],
        caps: &gst::Caps,
        depth: u32,
        times_s: Option<&[f64]>,
        monitor: &Monitor,
    ) -> Result<Self> {
        let pipeline = Pipeline::new(path)?;
        let decode = elements::make("decodebin")?;
        if let (Some(times_s), Some(entry)) = (times_s, decode.static_pad("sink")) {
            spare_others(&entry, times_s);
        }
        decode.set_property("force-sw-decoders", true);
        let sink = app_sink(caps, depth);
        let mut row: Vec<&gst::Element> = convert.iter().collect();
        row.push(sink.upcast_ref());
        pipeline.add_row(&row)?;
        pipeline.add_row(&[&decode])?;
        // It joins the pipeline's state when there is a stream for it.
        decode.set_locked_state(true);
        let head = row[0].clone();
        decode.connect_pad_added(move |_, pad| {
            if let Some(sink) = head.static_pad("sink")
                && !sink.is_linked()
                && let Err(source) = pad.link(&sink)
            {
                tracing::warn!(%source, "a decoded stream could not be linked");
            }
        });
        Self::start(pipeline, &parse_bin()?, &decode, sink, kind, monitor)
    }

    /// Opens the first picture stream as the demuxer gives it, coded; it has to
    /// be one of `coded`.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub(super) fn open_coded(path: &Path, coded: &gst::Caps) -> Result<Self> {
        let pipeline = Pipeline::new(path)?;
        let sink = app_sink(coded, 4);
        pipeline.add_row(&[sink.upcast_ref()])?;
        let parse = parse_bin_until(Some(coded.clone()))?;
        let entry = sink.clone();
        Self::start(
            pipeline,
            &parse,
            entry.upcast_ref(),
            sink,
            Kind::Picture,
            &Monitor::silent(),
        )
    }

    /// Adds the file and starts: the first stream of `kind` goes into `entry`.
    fn start(
        mut pipeline: Pipeline,
        parse: &gst::Element,
        entry: &gst::Element,
        sink: gst_app::AppSink,
        kind: Kind,
        monitor: &Monitor,
    ) -> Result<Self> {
        let file = file_source(pipeline.path())?;
        pipeline.add_row(&[&file, parse])?;
        link_first(parse, entry, kind);
        pipeline.set_state(gst::State::Paused)?;
        pipeline.wait_ready(monitor)?;
        pipeline.set_state(gst::State::Playing)?;
        Ok(Self {
            pipeline,
            sink,
            ended: false,
        })
    }

    /// The next buffer, or `None` at the end of the stream.
    ///
    /// # Errors
    /// When decoding fails, stalls, or is cancelled.
    pub(super) fn next(&mut self, monitor: &Monitor) -> Result<Option<Decoded>> {
        if self.ended {
            return Ok(None);
        }
        loop {
            monitor.check()?;
            if let Some(sample) = self.sink.try_pull_sample(pipeline::SLICE) {
                self.pipeline.moved();
                if let Some(decoded) = Decoded::of(&sample) {
                    return Ok(Some(decoded));
                }
                continue;
            }
            self.pipeline.poll()?;
            if self.sink.is_eos() {
                self.ended = true;
                return Ok(None);
            }
            self.pipeline.check_stall()?;
        }
    }

    /// Moves to `position`; false where the file cannot seek, and then the
    /// stream goes on where it was.
    pub(super) fn seek(
        &mut self,
        flags: gst::SeekFlags,
        position: gst::ClockTime,
        monitor: &Monitor,
    ) -> Result<bool> {
        let done = self.pipeline.seek(flags, position, monitor)?;
        if done {
            self.ended = false;
        }
        Ok(done)
    }

    /// Length of the file in seconds, where its demuxer knows it.
    pub(super) fn length_s(&self) -> Option<f64> {
        let length = self.pipeline.inner().query_duration::<gst::ClockTime>()?;
        Some(length.nseconds() as f64 / 1e9)
    }

    /// Tags of the stream and of the file.
    pub(super) fn tags(&self) -> Vec<gst::TagList> {
        self.sink
            .static_pad("sink")
            .map(|pad| pad_tags(&pad))
            .unwrap_or_default()
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        self.pipeline.path()
    }
}

/// A sink that holds at most `depth` buffers of `caps` and takes them as fast as
/// they are pulled.
fn app_sink(caps: &gst::Caps, depth: u32) -> gst_app::AppSink {
    gst_app::AppSink::builder()
        .caps(caps)
        .sync(false)
        .max_buffers(depth)
        .wait_on_eos(false)
        .enable_last_sample(false)
        .build()
}

/// The tags that came down to `pad`: those of its stream and those of the file.
pub(super) fn pad_tags(pad: &gst::Pad) -> Vec<gst::TagList> {
    (0..)
        .map_while(|index| pad.sticky_event::<gst::event::Tag>(index))
        .map(|event| event.tag_owned())
        .collect()
}

/// Whether a stream of `caps` is copy-protected.
pub(super) fn is_encrypted(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|structure| {
        matches!(
            structure.name().as_str(),
            "application/x-cenc" | "application/x-webm-enc"
        )
    })
}
