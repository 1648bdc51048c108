//! Coded pictures that are not decoded, because no other picture refers to them and another one is shown at each time that is
//! asked for. Only H.264 says so in a place read here; of what its encoders write by default that is half of the
//! pictures, and what is sampled comes out the same.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use super::pipeline::stream_ns;

/// Times closer than this count as one: containers round.
const ROUNDING_NS: i64 = 1_500_000;
/// Pictures whose times are remembered: more than any encoder reorders.
const REMEMBERED: usize = 32;

/// Lets only pass `pad` what is needed for the pictures shown at `times_s` (seconds from the start of the file).
pub(super) fn spare_others(pad: &gst::Pad, times_s: &[f64]) {
    let mut wanted_ns: Vec<i64> = times_s.iter().map(|time_s| (time_s * 1e9) as i64).collect();
    wanted_ns.sort_unstable();
    let passed: Mutex<Vec<i64>> = Mutex::new(Vec::new());
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(time_ns) = info.buffer().and_then(|buffer| time_ns(pad, buffer)) else {
            return gst::PadProbeReturn::Ok;
        };
        let alone = info
            .buffer()
            .is_some_and(|buffer| framing(pad).is_some_and(|framing| nobody_refers_to(buffer, framing)));
        let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
        if alone && !is_shown(time_ns, &passed, &wanted_ns) {
            return gst::PadProbeReturn::Drop;
        }
        if passed.len() == REMEMBERED {
            passed.remove(0);
        }
        passed.push(time_ns);
        gst::PadProbeReturn::Ok
    });
}

/// Whether the picture at `time_ns` may be the one shown at a wanted time. What it refers to comes before it, and some of
/// that is shown after it: until then at most it is seen itself.
fn is_shown(time_ns: i64, passed: &[i64], wanted_ns: &[i64]) -> bool {
    let Some(next_ns) = passed.iter().copied().filter(|&other| other > time_ns).min() else {
        return true;
    };
    let first = wanted_ns.partition_point(|&wanted| wanted < time_ns - ROUNDING_NS);
    wanted_ns
        .get(first)
        .is_some_and(|&wanted| wanted <= next_ns + ROUNDING_NS)
}

fn time_ns(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<i64> {
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = event.segment().downcast_ref::<gst::ClockTime>()?;
    stream_ns(segment, buffer.pts()?)
}

/// How the units of a picture follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Behind a start code each.
    StartCodes,
    /// Behind their length in so many bytes.
    Lengths(usize),
}

/// That of H.264 in whole pictures; `None` for anything else.
fn framing(pad: &gst::Pad) -> Option<Framing> {
    let caps = pad.current_caps()?;
    let structure = caps.structure(0)?;
    if structure.name() != "video/x-h264" || structure.get::<&str>("alignment").ok()? != "au" {
        return None;
    }
    if structure.get::<&str>("stream-format").ok()? == "byte-stream" {
        return Some(Framing::StartCodes);
    }
    let head = structure.get::<gst::Buffer>("codec_data").ok()?;
    let head = head.map_readable().ok()?;
    Some(Framing::Lengths(usize::from(*head.get(4)? & 3) + 1))
}

fn nobody_refers_to(buffer: &gst::BufferRef, framing: Framing) -> bool {
    buffer
        .map_readable()
        .is_ok_and(|bytes| is_for_itself(&bytes, framing))
}

/// Whether all slices of an H.264 picture say that nothing refers to them (`nal_ref_idc`, ITU-T H.264, 7.4.1). What cannot
/// be read through is taken for needed.
fn is_for_itself(picture: &[u8], framing: Framing) -> bool {
    let mut slices = 0;
    let mut see = |head: u8| -> bool {
        // Slices whole or in parts, and those of key frames.
        let slice = matches!(head & 31, 1..=5);
        slices += usize::from(slice);
        !slice || head >> 5 == 0
    };
    let read = match framing {
        Framing::Lengths(bytes) => {
            let mut rest = picture;
            loop {
                if rest.is_empty() {
                    break true;
                }
                let Some((length, behind)) = rest.split_at_checked(bytes) else {
                    break false;
                };
                let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
                let Some((unit, behind)) = behind.split_at_checked(length) else {
                    break false;
                };
                if unit.first().is_some_and(|&head| !see(head)) {
                    break false;
                }
                rest = behind;
            }
        }
        Framing::StartCodes => picture
            .windows(4)
            .filter(|window| window[..3] == [0, 0, 1])
            .all(|window| see(window[3])),
    };
    read && slices > 0
}

#[cfg(test)]
mod tests {
    use super::super::picture::PictureReader;
    use super::super::testing::write_pipeline;
    use super::super::{Frame, FrameFit, sample_frames};
    use super::*;
    use crate::error::Result;
    use crate::jobs::Monitor;

    /// By decoding everything.
    fn shown_at(path: &std::path::Path, times_s: &[f64], fit: FrameFit) -> Result<Vec<Frame>> {
        let monitor = Monitor::silent();
        let mut reader = PictureReader::open(path, &monitor)?;
        let mut pictures = Vec::new();
        while let Some(picture) = reader.next(&monitor)? {
            pictures.push(picture);
        }
        times_s
            .iter()
            .map(|&time_s| {
                let behind = pictures.partition_point(|picture| picture.pts_s <= time_s + 6e-4);
                reader.convert(&pictures[behind.saturating_sub(1)], fit)
            })
            .collect()
    }

    #[test]
    fn what_is_sampled_is_the_same_from_fewer_pictures() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let times_s: Vec<f64> = (0..8).map(|index| 0.25 + 0.5 * f64::from(index)).collect();
        let fit = FrameFit::Height(64);
        for (name, coder) in [
            (
                "pyramid.mp4",
                "x264enc bframes=3 b-adapt=false b-pyramid=true ! mp4mux",
            ),
            ("plain.mkv", "x264enc bframes=2 b-adapt=false ! matroskamux"),
            (
                "codes.ts",
                "x264enc bframes=3 ! video/x-h264,stream-format=byte-stream ! mpegtsmux",
            ),
            (
                "slices.mp4",
                "x264enc bframes=3 sliced-threads=true threads=3 ! mp4mux",
            ),
            ("none.webm", "vp8enc deadline=1 ! webmmux"),
        ] {
            let path = folder.path().join(name);
            let picture = "videotestsrc num-buffers=120 pattern=ball \
                           ! video/x-raw,format=I420,width=96,height=64,framerate=30/1";
            write_pipeline(&format!("{picture} ! {coder} name=last"), &path)?;
            let mut sampled = Vec::new();
            sample_frames(&path, &times_s, fit, &Monitor::silent(), &mut |_, frame| {
                sampled.push(frame);
            })?;
            assert!(sampled == shown_at(&path, &times_s, fit)?, "{name}");

            let mut reader = PictureReader::open_for(&path, Some(&times_s), &Monitor::silent())?;
            let mut decoded = 0;
            while reader.next(&Monitor::silent())?.is_some() {
                decoded += 1;
            }
            let spared = name != "none.webm";
            assert!(
                if spared {
                    (40..100).contains(&decoded)
                } else {
                    decoded == 120
                },
                "{name}: {decoded}"
            );
        }
        Ok(())
    }

    #[test]
    fn slices_say_whether_they_are_referred_to() {
        let check = |units: &[&[u8]], expected: bool| {
            let lengths: Vec<u8> = units
                .iter()
                .flat_map(|unit| [&[0, 0, 0, unit.len() as u8], *unit].concat())
                .collect();
            assert_eq!(
                is_for_itself(&lengths, Framing::Lengths(4)),
                expected,
                "{units:?}"
            );
            let codes: Vec<u8> = units
                .iter()
                .flat_map(|unit| [&[0, 0, 1], *unit].concat())
                .collect();
            assert_eq!(is_for_itself(&codes, Framing::StartCodes), expected, "{units:?}");
        };
        let (delimiter, alone, referred, key): (&[u8], &[u8], &[u8], &[u8]) =
            (&[9, 16], &[1, 200, 7], &[0x41, 200], &[0x65, 200]);
        check(&[delimiter, alone], true);
        check(&[delimiter, alone, alone], true);
        check(&[delimiter, referred], false);
        check(&[alone, referred], false);
        check(&[key], false);
        check(&[delimiter], false);
        check(&[], false);
        // Cut off.
        assert!(!is_for_itself(&[0, 0, 0, 9, 1, 2], Framing::Lengths(4)));
        assert!(!is_for_itself(&[0, 0], Framing::Lengths(4)));
    }

    #[test]
    fn a_picture_is_shown_until_the_next_known_one() {
        let ms = |times: &[i64]| -> Vec<i64> { times.iter().map(|time| time * 1_000_000).collect() };
        let check = |time: i64, passed: &[i64], wanted: &[i64], expected: bool| {
            assert_eq!(is_shown(time * 1_000_000, &ms(passed), &ms(wanted)), expected);
        };
        check(40, &[0, 120], &[30, 130], false);
        check(40, &[0, 120], &[30, 100, 130], true);
        check(40, &[0, 120, 80], &[30, 100, 130], false);
        check(40, &[0, 120], &[40], true);
        // Nothing is known to come behind it.
        check(40, &[0], &[5], true);
    }
}
