//! Which stream of a file is used, and what is said on the bus where none can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::source::{Kind, is_encrypted};
use super::{pipeline, sentences};

/// Links the first pad of `kind` to `entry` and says on the bus when there is
/// none. `parsebin` adds all pads before the first packet flows, so a packet
/// without a linked pad means that there is none.
pub(super) fn link_first(parse: &gst::Element, entry: &gst::Element, kind: Kind) {
    let seen = Arc::new(Seen::default());
    let unknown = Arc::clone(&seen);
    parse.connect("unknown-type", false, move |values| {
        if let Some(Ok(caps)) = values.get(2).map(glib::Value::get::<gst::Caps>) {
            unknown.note(&caps);
        }
        None
    });
    let entry = entry.clone();
    parse.connect_pad_added(move |parse, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        seen.note(&caps);
        if Kind::of(&caps) != kind || seen.linked.swap(true, Ordering::SeqCst) {
            report_at_first_packet(parse, pad, kind, &seen);
            return;
        }
        report_empty_packets(parse, pad);
        entry.set_locked_state(false);
        let joined = entry
            .static_pad("sink")
            .is_some_and(|sink| pad.link(&sink).is_ok());
        if !joined || entry.sync_state_with_parent().is_err() {
            tracing::warn!(%caps, "a stream could not be started");
        }
    });
}

/// What the streams of a file have shown so far.
#[derive(Default)]
struct Seen {
    /// A stream is linked.
    linked: AtomicBool,
    /// One is copy-protected.
    encrypted: AtomicBool,
    /// One is picture or sound.
    media: AtomicBool,
}

impl Seen {
    fn note(&self, caps: &gst::CapsRef) {
        if is_encrypted(caps) {
            self.encrypted.store(true, Ordering::SeqCst);
        }
        if Kind::of(caps) != Kind::Other {
            self.media.store(true, Ordering::SeqCst);
        }
    }
}

/// Waits for the first packet of a stream that is not used, and says on the bus
/// if none is.
fn report_at_first_packet(parse: &gst::Element, pad: &gst::Pad, kind: Kind, seen: &Arc<Seen>) {
    let packets =
        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_DOWNSTREAM;
    let (parse, seen) = (parse.downgrade(), Arc::clone(seen));
    pad.add_probe(packets, move |_, info| {
        let flows = info
            .event()
            .is_none_or(|event| event.type_() == gst::EventType::Eos);
        if !flows {
            return gst::PadProbeReturn::Ok;
        }
        if !seen.linked.load(Ordering::SeqCst)
            && let Some(parse) = parse.upgrade()
        {
            report_no_stream(&parse, kind, &seen);
        }
        gst::PadProbeReturn::Remove
    });
}

/// Says on the bus when a demuxer hands out nothing but empty packets, as
/// wavparse (1.22) does for ever behind a last chunk that is cut short.
fn report_empty_packets(parse: &gst::Element, pad: &gst::Pad) {
    const TOO_MANY: u32 = 1000;
    let parse = parse.downgrade();
    let empty = AtomicU32::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if info.buffer().is_some_and(|buffer| buffer.size() > 0) {
            empty.store(0, Ordering::Relaxed);
        } else if empty.fetch_add(1, Ordering::Relaxed) == TOO_MANY
            && let Some(parse) = parse.upgrade()
        {
            report(
                &parse,
                "is damaged or cut short (its packets are empty); try a fresh copy of it",
            );
            return gst::PadProbeReturn::Remove;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Says on the bus that the file has no stream of `kind`.
fn report_no_stream(parse: &gst::Element, kind: Kind, seen: &Seen) {
    let problem = match kind {
        _ if seen.encrypted.load(Ordering::SeqCst) => sentences::ENCRYPTED,
        _ if !seen.media.load(Ordering::SeqCst) => sentences::NOT_MEDIA,
        Kind::Picture => "has no picture; choose a video",
        Kind::Sound | Kind::Other => "has no sound; choose a file with sound",
    };
    report(parse, problem);
}

/// Ends the pipeline's use of the file with `problem`.
fn report(parse: &gst::Element, problem: &str) {
    let structure = gst::Structure::builder(pipeline::UNUSABLE)
        .field("problem", problem)
        .build();
    // Without a bus nobody waits for the answer.
    let _ = parse.post_message(gst::message::Application::builder(structure).src(parse).build());
}
