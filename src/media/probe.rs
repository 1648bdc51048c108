//! What a file holds, without decoding it.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_pbutils as gst_pbutils;

use super::gapless::Gapless;
use super::info::{MediaInfo, Orientation, Tags, audio_stream, container_name, video_stream};
use super::pipeline::{self, Pipeline};
use super::sentences;
use super::source::{self, Kind};
use crate::error::{Error, Result};

/// How long a stream may take to show its first packet after the others did.
const LATE_STREAM: Duration = Duration::from_millis(300);
/// How often the pipeline is asked for errors while packets are awaited.
const LOOK: Duration = Duration::from_millis(10);

/// Reads what `path` holds.
///
/// # Errors
/// One sentence each for: no such file, a folder, no permission, empty, not a
/// media file, truncated beyond use, encrypted, and a missing plug-in (named,
/// with the package that brings it).
pub fn probe(path: &Path) -> Result<MediaInfo> {
    super::init()?;
    let file = source::file_source(path)?;
    let mut pipeline = Pipeline::new(path)?;
    let parse = source::parse_bin()?;
    pipeline.add_row(&[&file, &parse])?;
    let watch = Arc::new(Watch::default());
    Watch::connect(&watch, &parse);
    pipeline.set_state(gst::State::Paused)?;

    let mut all_known_at = None;
    watch.wait(&mut pipeline, |seen| {
        let known_at = *all_known_at.get_or_insert_with(Instant::now);
        seen.streams.iter().all(|stream| stream.flowing || stream.ended) || known_at.elapsed() > LATE_STREAM
    })?;
    let known = known_duration(&watch.lock().streams);
    let duration_s = if let Some(duration) = known {
        duration
    } else {
        // A recording that was never closed: run through its packets.
        watch.wait(&mut pipeline, |seen| {
            seen.streams.iter().all(|stream| stream.ended)
        })?;
        let seen = watch.lock();
        let end_ns = seen.streams.iter().map(|stream| stream.end_ns).max().unwrap_or(0);
        end_ns as f64 / 1e9
    };
    let duration_s = Gapless::of(path, Some(duration_s)).map_or(duration_s, |gapless| gapless.length_s);
    let seen = watch.lock();
    let container = container_caps(&parse);
    describe(path, &seen, container.as_deref(), duration_s)
}

/// What the packets of the file have shown so far.
#[derive(Default)]
struct Seen {
    streams: Vec<Stream>,
    /// Streams that nothing installed can even parse.
    unknown: Vec<gst::Caps>,
    /// Packets flow, and `parsebin` adds all pads before the first does.
    complete: bool,
}

struct Stream {
    pad: gst::Pad,
    /// Length that the demuxer stated before the first packet: matroskademux
    /// moves it on while packets flow.
    stated: Option<gst::ClockTime>,
    flowing: bool,
    ended: bool,
    end_ns: i64,
}

/// Looks at every stream of a `parsebin` and lets no packet through, so that
/// nothing has to be linked and nothing decodes.
#[derive(Default)]
struct Watch {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn connect(this: &Arc<Self>, parse: &gst::Element) {
        let watch = Arc::clone(this);
        parse.connect_pad_added(move |_, pad| {
            // Asked before the lock is taken: the answer comes from upstream.
            let stated = pad.query_duration();
            let index = {
                let mut seen = watch.lock();
                seen.streams.push(Stream {
                    pad: pad.clone(),
                    stated,
                    flowing: false,
                    ended: false,
                    end_ns: 0,
                });
                seen.streams.len() - 1
            };
            let watch = Arc::clone(&watch);
            let packets = gst::PadProbeType::BUFFER
                | gst::PadProbeType::BUFFER_LIST
                | gst::PadProbeType::EVENT_DOWNSTREAM;
            pad.add_probe(packets, move |pad, info| {
                let Some(event) = info.event() else {
                    let end_ns = info.buffer().and_then(|buffer| end_ns(pad, buffer));
                    watch.change(|seen| {
                        seen.complete = true;
                        let stream = &mut seen.streams[index];
                        stream.flowing = true;
                        stream.end_ns = stream.end_ns.max(end_ns.unwrap_or(0));
                    });
                    return gst::PadProbeReturn::Drop;
                };
                match event.type_() {
                    gst::EventType::Eos => watch.change(|seen| {
                        seen.complete = true;
                        seen.streams[index].ended = true;
                    }),
                    gst::EventType::Gap => watch.change(|seen| seen.streams[index].flowing = true),
                    _ => {}
                }
                gst::PadProbeReturn::Ok
            });
        });
        let watch = Arc::clone(this);
        parse.connect("unknown-type", false, move |values| {
            let caps = values.get(2)?.get::<gst::Caps>().ok()?;
            watch.change(|seen| seen.unknown.push(caps));
            None
        });
    }

    /// Waits until all streams are known and `enough` holds.
    fn wait(&self, pipeline: &mut Pipeline, mut enough: impl FnMut(&Seen) -> bool) -> Result<()> {
        let mut end_ns = -1;
        pipeline.moved();
        loop {
            {
                let seen = self.lock();
                if seen.complete && enough(&seen) {
                    return Ok(());
                }
                let reached = seen.streams.iter().map(|stream| stream.end_ns).max().unwrap_or(0);
                if reached > end_ns {
                    end_ns = reached;
                    pipeline.moved();
                }
                // What woke us is looked at above, at the next turn.
                drop(self.changed.wait_timeout(seen, LOOK));
            }
            pipeline.poll()?;
            pipeline.check_stall()?;
        }
    }
}

/// Where a packet ends on the file's time line.
fn end_ns(pad: &gst::Pad, packet: &gst::BufferRef) -> Option<i64> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let end = packet.pts()? + packet.duration().unwrap_or(gst::ClockTime::ZERO);
    pipeline::stream_ns(segment.segment().downcast_ref::<gst::ClockTime>()?, end)
}

impl Stream {
    fn caps(&self) -> Option<gst::Caps> {
        self.pad.current_caps()
    }

    fn tags(&self) -> Vec<gst::TagList> {
        source::pad_tags(&self.pad)
    }
}

/// The length that the container states, in seconds: before packets flow, or
/// where that takes a packet, after the first.
fn known_duration(streams: &[Stream]) -> Option<f64> {
    let early = streams.iter().filter_map(|stream| stream.stated).max();
    early
        .or_else(|| {
            let late = streams.iter().filter_map(|stream| stream.pad.query_duration());
            late.max()
        })
        .filter(|duration: &gst::ClockTime| *duration > gst::ClockTime::ZERO)
        .map(|duration| duration.nseconds() as f64 / 1e9)
}

/// What the first bytes of the file were taken for.
fn container_caps(parse: &gst::Element) -> Option<gst::Caps> {
    parse
        .downcast_ref::<gst::Bin>()?
        .by_name("typefind")?
        .property::<Option<gst::Caps>>("caps")
}

/// Turns what was seen into plain values, or into the sentence for why it is
/// of no use.
fn describe(
    path: &Path,
    seen: &Seen,
    container: Option<&gst::CapsRef>,
    duration_s: f64,
) -> Result<MediaInfo> {
    let caps: Vec<gst::Caps> = seen.streams.iter().filter_map(Stream::caps).collect();
    if caps
        .iter()
        .chain(&seen.unknown)
        .any(|caps| source::is_encrypted(caps))
    {
        return Err(sentences::encrypted(path));
    }
    let mut info = MediaInfo {
        duration_s,
        container: container_name(container, caps.first().map(|caps| &**caps)),
        video: Vec::new(),
        audio: Vec::new(),
        tags: Tags::default(),
    };
    for stream in &seen.streams {
        let Some(caps) = stream.caps() else {
            continue;
        };
        let tags = stream.tags();
        match Kind::of(&caps) {
            Kind::Picture => {
                need_decoder(path, &caps, info.video.is_empty())?;
                info.video.push(video_stream(&caps, Orientation::of(&tags)));
            }
            Kind::Sound => {
                need_decoder(path, &caps, info.audio.is_empty())?;
                info.audio.push(audio_stream(&caps));
            }
            Kind::Other => {}
        }
        // A stream's own title in a video is a label such as "Audio"; of a bare
        // piece of music it is the title.
        for tags in tags
            .iter()
            .filter(|tags| seen.streams.len() == 1 || tags.scope() == gst::TagScope::Global)
        {
            info.tags.fill(tags);
        }
    }
    if info.video.is_empty() && info.audio.is_empty() {
        return Err(useless(path, &caps, &seen.unknown));
    }
    Ok(info)
}

/// Fails where nothing installed decodes the first stream of its kind.
fn need_decoder(path: &Path, caps: &gst::Caps, first: bool) -> Result<()> {
    let raw = caps
        .structure(0)
        .is_some_and(|structure| structure.name().ends_with("/x-raw"));
    let decodable = || {
        gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DECODER, gst::Rank::MARGINAL)
            .iter()
            .any(|factory| factory.can_sink_any_caps(caps))
    };
    if !first || raw || decodable() {
        return Ok(());
    }
    let words = gst_pbutils::pb_utils_get_decoder_description(caps);
    Err(sentences::missing_reader(path, &caps.to_string(), &words))
}

/// The sentence for a file without picture and sound.
fn useless(path: &Path, caps: &[gst::Caps], unknown: &[gst::Caps]) -> Error {
    let is = |caps: &gst::Caps, kinds: &[&str]| {
        caps.structure(0)
            .is_some_and(|structure| kinds.iter().any(|kind| structure.name().starts_with(kind)))
    };
    if let Some(caps) = unknown.iter().find(|caps| is(caps, &["video/", "audio/"])) {
        let words = gst_pbutils::pb_utils_get_decoder_description(caps);
        return sentences::missing_reader(path, &caps.to_string(), &words);
    }
    if caps.iter().any(|caps| is(caps, &["image/"])) {
        return Error::input(path, "is a still picture; choose a video or sound file");
    }
    sentences::not_media(path)
}
