//! Tests with media that cameras, phones and screen recorders make: turned,
//! stretched, with gaps, several streams, six channels, odd rates.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use gstreamer as gst;

use super::info::Orientation;
use super::mp4_edit;
use super::pipeline::Pipeline;
use super::testing::{run_to_file, write_pipeline};
use super::{
    AudioFormat, Container, Frame, FrameFit, MixedSound, Picture, decode_audio, probe, remux, sample_frames,
};
use crate::error::Result;
use crate::jobs::Monitor;

const BARS: &str =
    "videotestsrc num-buffers=50 pattern=smpte ! video/x-raw,format=I420,width=160,height=120,framerate=25/1";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, description: &str) -> Result<PathBuf> {
        let path = self.at(name);
        write_pipeline(description, &path)?;
        Ok(path)
    }

    /// As [`Folder::write`]; the element called `cut` lets only those buffers
    /// through whose start in seconds `keep` wants.
    fn write_cut(&self, name: &str, description: &str, keep: fn(f64) -> bool) -> Result<PathBuf> {
        let path = self.at(name);
        let pipeline = Pipeline::parse(description, &path)?;
        let pad = pipeline.element("cut")?.static_pad("src").expect("a pad");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let start = info.buffer().and_then(|buffer| buffer.pts());
            if start.is_none_or(|start| keep(start.nseconds() as f64 / 1e9)) {
                gst::PadProbeReturn::Ok
            } else {
                gst::PadProbeReturn::Drop
            }
        });
        run_to_file(pipeline, &path)?;
        Ok(path)
    }
}

fn frame(path: &Path, time_s: f64) -> Result<Frame> {
    let mut found = None;
    sample_frames(
        path,
        &[time_s],
        FrameFit::Height(120),
        &Monitor::silent(),
        &mut |_, frame| found = Some(frame),
    )?;
    Ok(found.expect("a frame"))
}

fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = ((y * frame.width + x) * 3) as usize;
    [frame.rgb[at], frame.rgb[at + 1], frame.rgb[at + 2]]
}

fn sound(path: &Path, format: AudioFormat) -> Result<Vec<f32>> {
    decode_audio(path, format, 0.0, None, &Monitor::silent())
}

/// Loudest sample between two times, mono.
fn peak(samples: &[f32], rate: u32, from_s: f64, to_s: f64) -> f32 {
    let at = |time_s: f64| ((time_s * f64::from(rate)) as usize).min(samples.len());
    samples[at(from_s)..at(to_s)]
        .iter()
        .fold(0.0, |peak, sample| peak.max(sample.abs()))
}

/// How often a mono signal swings from clearly below to clearly above zero in a
/// second.
fn pitch(samples: &[f32], rate: u32) -> f64 {
    let mut low = false;
    let mut swings = 0;
    for &sample in samples {
        if sample < -0.05 {
            low = true;
        } else if low && sample > 0.05 {
            low = false;
            swings += 1;
        }
    }
    f64::from(swings) * f64::from(rate) / samples.len() as f64
}

struct Silence(u64);

impl MixedSound for Silence {
    fn format(&self) -> AudioFormat {
        AudioFormat::MIX
    }

    fn frames(&self) -> u64 {
        self.0
    }

    fn render(&mut self, _at: u64, out: &mut [f32]) -> Result<()> {
        out.fill(0.0);
        Ok(())
    }
}

fn remux_silent(video: &Path, out: &Path) -> Result<Picture> {
    remux(video, Box::new(Silence(88_200)), out, &Monitor::silent())
}

const MONO: AudioFormat = AudioFormat {
    sample_rate: 44_100,
    channels: 1,
};

#[test]
fn turned_pictures_stand_upright() -> Result<()> {
    let folder = Folder::new();
    let path = folder.write(
        "a.mp4",
        &format!("{BARS} ! x264enc speed-preset=ultrafast ! mp4mux name=last"),
    )?;
    let turn = Orientation {
        clockwise: 90,
        mirrored: false,
    };
    mp4_edit::turn_picture(&path, turn).expect("turned");
    let info = probe(&path)?;
    assert_eq!(
        (info.video[0].width, info.video[0].height, info.video[0].rotation),
        (160, 120, 90)
    );
    // The white bar on the left of the stored picture is on top of the shown one.
    let shown = frame(&path, 0.5)?;
    assert_eq!((shown.width, shown.height), (90, 120));
    let check = |frame: &Frame| {
        let white = pixel(frame, 70, 5);
        assert!(white.iter().all(|&value| value > 150), "{white:?}");
        let [red, _, blue] = pixel(frame, 70, 110);
        assert!(blue > red, "the last bar is blue");
    };
    check(&shown);

    let kept = folder.at("kept.mp4");
    assert_eq!(remux_silent(&path, &kept)?, Picture::Copied);
    assert_eq!(probe(&kept)?.video[0].rotation, 90);
    check(&frame(&kept, 0.5)?);
    // Matroska cannot say it, so the pixels are turned.
    let upright = folder.at("upright.mkv");
    assert_eq!(remux_silent(&path, &upright)?, Picture::Encoded);
    let info = probe(&upright)?;
    assert_eq!(
        (info.video[0].width, info.video[0].height, info.video[0].rotation),
        (120, 160, 0)
    );
    check(&frame(&upright, 0.5)?);
    Ok(())
}

#[test]
fn stretched_pixels_are_made_square() -> Result<()> {
    let folder = Folder::new();
    for (name, mux) in [("a.mkv", "matroskamux"), ("a.mp4", "mp4mux")] {
        let path = folder.write(
            name,
            &format!("{BARS},pixel-aspect-ratio=2/1 ! x264enc speed-preset=ultrafast ! {mux} name=last"),
        )?;
        let shown = frame(&path, 0.5)?;
        assert_eq!((shown.width, shown.height), (320, 120), "{name}");
        let out = folder.at("out.mkv");
        assert_eq!(remux_silent(&path, &out)?, Picture::Copied, "{name}");
        assert_eq!(frame(&out, 0.5)?.width, 320, "{name}");
    }
    Ok(())
}

#[test]
fn a_variable_frame_rate_shows_the_frame_before_the_gap() -> Result<()> {
    let folder = Folder::new();
    let path = folder.write_cut(
        "a.mkv",
        "videotestsrc num-buffers=50 pattern=ball ! video/x-raw,format=I420,width=64,height=64,framerate=25/1 \
         ! identity name=cut ! vp8enc deadline=1 ! matroskamux name=last",
        |start_s| !(0.5..1.5).contains(&start_s),
    )?;
    let before = frame(&path, 0.49)?;
    assert_eq!(frame(&path, 0.9)?, before);
    assert_eq!(frame(&path, 1.47)?, before);
    assert_ne!(frame(&path, 1.6)?, before);
    let out = folder.at("out.mkv");
    assert_eq!(remux_silent(&path, &out)?, Picture::Copied);
    assert_eq!(frame(&out, 1.47)?, before);
    Ok(())
}

#[test]
fn the_first_stream_of_each_kind_is_used() -> Result<()> {
    let folder = Folder::new();
    for (name, mux) in [("a.mkv", "matroskamux"), ("a.mp4", "mp4mux")] {
        let sound = |tone: u32| {
            format!(
                "audiotestsrc num-buffers=100 freq={tone} ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! queue ! last. "
            )
        };
        let path = folder.write(
            name,
            &format!(
                "{mux} name=last {BARS} ! x264enc speed-preset=ultrafast ! queue ! last. \
                 videotestsrc num-buffers=50 pattern=black ! video/x-raw,width=80,height=80,framerate=25/1 \
                 ! x264enc speed-preset=ultrafast ! queue ! last. {} {}",
                sound(440),
                sound(880)
            ),
        )?;
        let info = probe(&path)?;
        assert_eq!((info.video.len(), info.audio.len()), (2, 2), "{name}");
        assert_eq!(info.video[0].width, 160, "{name}");
        assert_eq!(frame(&path, 0.5)?.width, 160, "{name}");
        let pitch = pitch(&sound_of(&path)?, 44_100);
        assert!((pitch - 440.0).abs() < 5.0, "{name}: {pitch}");
        let out = folder.at("out.mkv");
        remux_silent(&path, &out)?;
        let info = probe(&out)?;
        assert_eq!((info.video.len(), info.audio.len()), (1, 1), "{name}");
        assert_eq!(info.video[0].width, 160, "{name}");
    }
    Ok(())
}

fn sound_of(path: &Path) -> Result<Vec<f32>> {
    sound(path, MONO)
}

#[test]
fn channels_and_rates_of_all_kinds_come_as_asked() -> Result<()> {
    let folder = Folder::new();
    let forms = [
        ("a.wav", "format=S16LE,rate=11025,channels=1", "wavenc"),
        ("b.wav", "format=S24LE,rate=96000,channels=2", "wavenc"),
        (
            "c.wav",
            "format=F32LE,rate=48000,channels=6,channel-mask=(bitmask)0x3f",
            "wavenc",
        ),
        (
            "d.flac",
            "format=S16LE,rate=44100,channels=6,channel-mask=(bitmask)0x3f",
            "flacenc",
        ),
        (
            "e.mkv",
            "format=S16LE,rate=8000,channels=4,channel-mask=(bitmask)0x33",
            "matroskamux",
        ),
        ("f.mp3", "format=S16LE,rate=22050,channels=2", "lamemp3enc"),
        (
            "g.ogg",
            "format=F32LE,rate=32000,channels=2",
            "vorbisenc ! oggmux",
        ),
    ];
    for (name, form, way) in forms {
        let path = folder.write(
            name,
            &format!("audiotestsrc num-buffers=200 samplesperbuffer=441 freq=300 volume=0.5 ! audioconvert ! audio/x-raw,{form} ! {way} name=last"),
        )?;
        let rate = probe(&path)?.audio[0].sample_rate;
        let length_s = 200.0 * 441.0 / f64::from(rate);
        for format in [AudioFormat::MIX, AudioFormat::VGGISH] {
            let samples = sound(&path, format)?;
            let left: Vec<f32> = samples
                .iter()
                .copied()
                .step_by(format.channels as usize)
                .collect();
            let found_s = left.len() as f64 / f64::from(format.sample_rate);
            assert!(
                (found_s - length_s).abs() < 0.08,
                "{name} {format:?}: {found_s} of {length_s}"
            );
            let pitch = pitch(&left, format.sample_rate);
            assert!((pitch - 300.0).abs() < 8.0, "{name} {format:?}: {pitch}");
            let peak = peak(&left, format.sample_rate, 0.1, length_s - 0.1);
            assert!((0.2..1.5).contains(&peak), "{name} {format:?}: {peak}");
        }
    }
    Ok(())
}

#[test]
fn gaps_and_late_starts_are_silence() -> Result<()> {
    let folder = Folder::new();
    let tone = "audiotestsrc num-buffers=200 samplesperbuffer=480 freq=300 volume=0.5 \
                ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! identity name=cut";
    let check = |path: &Path, spans: &[(f64, f64, bool)]| -> Result<()> {
        let samples = sound_of(path)?;
        let length_s = samples.len() as f64 / 44_100.0;
        assert!((length_s - 2.0).abs() < 0.03, "{}: {length_s}", path.display());
        for &(from_s, to_s, loud) in spans {
            let peak = peak(&samples, 44_100, from_s, to_s);
            assert_eq!(peak > 0.3, loud, "{}: {peak} in {from_s}..{to_s}", path.display());
            assert!(
                loud || peak < 0.01,
                "{}: {peak} in {from_s}..{to_s}",
                path.display()
            );
        }
        // The same from the middle of the gap on.
        let later = decode_audio(path, MONO, 1.0, None, &Monitor::silent())?;
        let found_s = later.len() as f64 / 44_100.0;
        assert!((found_s - 1.0).abs() < 0.03, "{}: {found_s}", path.display());
        Ok(())
    };
    let gap = |start_s: f64| !(0.8..1.2).contains(&start_s);
    for (name, way) in [
        ("gap.mkv", "matroskamux"),
        ("gap_opus.mkv", "opusenc ! matroskamux"),
    ] {
        let path = folder.write_cut(name, &format!("{tone} ! {way} name=last"), gap)?;
        check(&path, &[(0.1, 0.75, true), (0.87, 1.13, false), (1.3, 1.9, true)])?;
    }
    for (name, way, mux) in [
        ("late.mkv", "identity", "matroskamux"),
        ("late_opus.webm", "opusenc", "webmmux"),
        ("late.mp4", "avenc_aac", "mp4mux"),
    ] {
        let path = folder.write_cut(
            name,
            &format!(
                "{mux} name=last {BARS} ! {} ! queue ! last. {tone} ! audioconvert ! {way} ! queue ! last.",
                if mux == "mp4mux" {
                    "x264enc speed-preset=ultrafast"
                } else {
                    "vp8enc deadline=1"
                }
            ),
            |start_s| start_s >= 0.5,
        )?;
        check(&path, &[(0.0, 0.45, false), (0.6, 1.9, true)])?;
    }
    Ok(())
}

#[test]
fn one_second_and_one_frame_are_enough() -> Result<()> {
    let folder = Folder::new();
    let path = folder.write(
        "a.webm",
        "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=64,height=48,framerate=1/1 ! vp8enc deadline=1 ! webmmux name=last",
    )?;
    assert_eq!(frame(&path, 0.0)?, frame(&path, 7.0)?);
    assert_eq!(super::thumbnails(&path, 5, 24, &Monitor::silent())?.len(), 5);
    assert_eq!(Container::of(&path)?, Container::WebM);
    let out = folder.at("out.webm");
    assert_eq!(remux_silent(&path, &out)?, Picture::Copied);
    assert!((probe(&out)?.duration_s - 1.0).abs() < 0.05);
    Ok(())
}
