//! The picture of an exported file: its packets copied where the container
//! takes them, encoded anew where it does not.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use super::info::Orientation;
use super::pipeline::Pipeline;
use super::source::{self, Kind};
use super::{Container, MediaInfo, Picture, elements};
use crate::error::{Error, Result};

/// Parsers that can give a stream the form that a muxer wants without touching
/// what is coded in it.
const PARSERS: &[(&str, &str)] = &[
    ("video/x-h264", "h264parse"),
    ("video/x-h265", "h265parse"),
    ("video/mpeg", "mpeg4videoparse"),
    ("video/x-av1", "av1parse"),
    ("video/x-vp9", "vp9parse"),
];

/// Bits a pixel that a new encoding may use.
const BITS_PER_PIXEL: f64 = 0.15;

/// The picture's way into the muxer.
pub(super) struct PictureTrack {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    fate: Picture,
    /// How players must turn what was written.
    turn: Orientation,
    failure: Option<Error>,
}

/// What is known before the stream itself is.
struct Plan {
    /// The last element before the muxer.
    queue: gst::Element,
    /// What the muxer takes.
    accepted: gst::Caps,
    container: Container,
    /// For a new encoding, bits per second.
    bitrate: u32,
}

impl PictureTrack {
    /// Adds the file and the way of its first picture stream into `mux`.
    ///
    /// # Errors
    /// When an element is missing.
    pub(super) fn add(
        pipeline: &Pipeline,
        mux: &gst::Element,
        container: Container,
        video: &Path,
        info: &MediaInfo,
    ) -> Result<Self> {
        let queue = elements::make("queue")?;
        pipeline.add_row(&[&queue])?;
        queue
            .link_pads(Some("src"), mux, Some("video_%u"))
            .map_err(|source| Error::internal("the muxer takes no picture").with_source(source))?;

        let file = source::file_source(video)?;
        let accepted = accepted_by(mux)?;
        let parse = source::parse_bin_until(Some(accepted.clone()))?;
        pipeline.add_row(&[&file, &parse])?;

        let plan = Plan {
            queue,
            accepted,
            container,
            bitrate: bitrate(info),
        };
        let shared = Arc::new(Mutex::new(Shared {
            fate: Picture::None,
            turn: Orientation::default(),
            failure: None,
        }));
        let track = Self {
            shared: Arc::clone(&shared),
        };
        let bin = pipeline.inner().downgrade();
        parse.connect_pad_added(move |_, pad| {
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let mut shared = lock(&shared);
            if Kind::of(&caps) != Kind::Picture || shared.fate != Picture::None {
                return;
            }
            let Some(bin) = bin.upgrade() else {
                return;
            };
            match plan.connect(&bin, pad, &caps) {
                Ok((fate, turn)) => {
                    shared.fate = fate;
                    shared.turn = turn;
                }
                Err(failure) => shared.failure = Some(failure),
            }
        });
        Ok(track)
    }

    /// What became of the picture.
    pub(super) fn fate(&self) -> Picture {
        lock(&self.shared).fate
    }

    /// How players must turn what was written: GStreamer's muxers do not say it.
    pub(super) fn turn(&self) -> Orientation {
        lock(&self.shared).turn
    }

    /// Why the picture could not be connected.
    pub(super) fn take_failure(&self) -> Option<Error> {
        lock(&self.shared).failure.take()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pictures that a muxer takes. Asked of its factory: `webmmux` of GStreamer
/// 1.22 leaves the pad templates of its class floating, and whoever takes one of
/// those from Rust takes the class's own reference and frees it.
fn accepted_by(mux: &gst::Element) -> Result<gst::Caps> {
    mux.factory()
        .and_then(|factory| {
            let mut templates = factory.static_pad_templates().into_iter();
            templates.find(|template| template.name_template() == "video_%u")
        })
        .map(|template| template.caps())
        .ok_or_else(|| Error::internal("the muxer takes no picture"))
}

/// Bits per second for a new encoding of the first picture stream.
fn bitrate(info: &MediaInfo) -> u32 {
    info.video.first().map_or(2_000_000, |stream| {
        let pixels = f64::from(stream.width) * f64::from(stream.height);
        let rate = if stream.frame_rate > 0.0 {
            stream.frame_rate
        } else {
            30.0
        };
        (pixels * rate * BITS_PER_PIXEL).clamp(300_000.0, 60_000_000.0) as u32
    })
}

impl Plan {
    /// Puts between `pad` and the muxer what the stream needs.
    fn connect(
        &self,
        bin: &gst::Pipeline,
        pad: &gst::Pad,
        caps: &gst::Caps,
    ) -> Result<(Picture, Orientation)> {
        let turn = Orientation::of(&source::pad_tags(pad));
        let upright = Orientation::default();
        // In Matroska GStreamer can neither write nor read a turn.
        let keeps_turn = turn == upright || self.container == Container::Mp4;
        let (row, fate, turn) = if !keeps_turn {
            (self.encoding()?, Picture::Encoded, upright)
        } else if caps.is_subset(&self.accepted) {
            (Vec::new(), Picture::Copied, turn)
        } else if let Some(parser) = self.parser(caps) {
            (vec![elements::make(parser)?], Picture::Copied, turn)
        } else {
            (self.encoding()?, Picture::Encoded, upright)
        };
        self.link(bin, pad, row)?;
        Ok((fate, turn))
    }

    /// A parser that turns `caps` into something the muxer takes.
    fn parser(&self, caps: &gst::Caps) -> Option<&'static str> {
        let name = caps.structure(0)?.name();
        let (_, parser) = PARSERS.iter().find(|(media, _)| *media == name.as_str())?;
        let factory = gst::ElementFactory::find(parser)?;
        (factory.can_sink_any_caps(caps) && factory.can_src_any_caps(&self.accepted)).then_some(parser)
    }

    /// Decoder, upright pixels, encoder.
    fn encoding(&self) -> Result<Vec<gst::Element>> {
        let decode = elements::make("decodebin")?;
        decode.set_property("force-sw-decoders", true);
        let flip = elements::make("videoflip")?;
        flip.set_property_from_str("method", "automatic");
        let form = elements::make("capsfilter")?;
        form.set_property(
            "caps",
            gst::Caps::builder("video/x-raw").field("format", "I420").build(),
        );
        let mut row = vec![decode, elements::make("videoconvert")?, flip, form];
        row.extend(picture_encoder(self.container, self.bitrate)?);
        Ok(row)
    }

    /// Adds `row` between `pad` and the queue and starts it.
    fn link(&self, bin: &gst::Pipeline, pad: &gst::Pad, row: Vec<gst::Element>) -> Result<()> {
        let failed =
            |problem: &str| Error::internal(format!("the picture does not fit the muxer: {problem}"));
        let bad = |source: gst::glib::BoolError| failed("elements do not link").with_source(source);
        bin.add_many(&row).map_err(bad)?;
        let mut before: Option<&gst::Element> = None;
        for element in row.iter().chain([&self.queue]) {
            if let Some(before) = before {
                // A decoder shows its pad when it knows the stream.
                if before.static_pad("src").is_some() {
                    before.link(element).map_err(bad)?;
                } else {
                    let next = element.clone();
                    before.connect_pad_added(move |_, pad| {
                        if let Some(sink) = next.static_pad("sink")
                            && let Err(source) = pad.link(&sink)
                        {
                            tracing::warn!(%source, "a decoded picture could not be linked");
                        }
                    });
                }
            }
            before = Some(element);
        }
        let first = row.first().unwrap_or(&self.queue);
        let sink = first
            .static_pad("sink")
            .ok_or_else(|| failed("an element has no input"))?;
        // From the muxer up, so that nothing flows into what does not run yet.
        for element in row.iter().rev() {
            element.sync_state_with_parent().map_err(bad)?;
        }
        pad.link(&sink)
            .map_err(|source| failed("its stream does not link").with_source(source))?;
        Ok(())
    }
}

/// What turns pixels into what `container` holds, at `bitrate` bits per second.
///
/// # Errors
/// When no encoder for it is installed.
pub(super) fn picture_encoder(container: Container, bitrate: u32) -> Result<Vec<gst::Element>> {
    if container != Container::Mp4 {
        let encode = elements::make("vp8enc")?;
        encode.set_property("deadline", 1i64);
        encode.set_property("cpu-used", 4i32);
        encode.set_property("keyframe-max-dist", 120i32);
        encode.set_property("target-bitrate", bitrate as i32);
        encode.set_property_from_str("end-usage", "vbr");
        return Ok(vec![encode]);
    }
    const NAMES: [&str; 3] = ["x264enc", "openh264enc", "avenc_mpeg4"];
    let name = NAMES
        .into_iter()
        .find(|name| elements::is_present(name))
        .ok_or_else(|| elements::missing_element(&NAMES))?;
    let encode = elements::make(name)?;
    let mut row = vec![encode.clone()];
    match name {
        "x264enc" => {
            encode.set_property_from_str("speed-preset", "veryfast");
            encode.set_property("bitrate", bitrate / 1000);
        }
        "openh264enc" => {
            encode.set_property("bitrate", bitrate);
            row.push(elements::make("h264parse")?);
        }
        _ => encode.set_property("bitrate", bitrate as i32),
    }
    Ok(row)
}
