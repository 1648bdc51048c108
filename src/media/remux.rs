//! A video with new sound: the picture's packets copied where the container
//! allows, the sound encoded once.

use std::io;
use std::path::Path;

use gstreamer as gst;

use super::info::Orientation;
use super::mux_picture::PictureTrack;
use super::mux_sound::SoundTrack;
use super::pipeline::{News, Pipeline};
use super::probe::probe;
use super::source::with_location;
use super::{AudioFormat, WavWriter, elements, matroska_edit, mp4_edit};
use crate::error::{Error, Result};
use crate::files::{AtomicFile, is_same_file};
use crate::jobs::Monitor;

/// A file form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// MPEG-4 with AAC.
    Mp4,
    /// Matroska with Opus.
    Matroska,
    /// WebM with Opus.
    WebM,
    /// 32-bit float WAV, no picture.
    Wav,
}

impl Container {
    /// The container that the extension of `path` names.
    ///
    /// # Errors
    /// For any other extension; the sentence lists the ones that work.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        match extension.as_str() {
            "mp4" => Ok(Self::Mp4),
            "mkv" => Ok(Self::Matroska),
            "webm" => Ok(Self::WebM),
            "wav" => Ok(Self::Wav),
            _ => Err(Error::input(
                path,
                "cannot be written in that form; end its name in .mp4, .mkv, .webm or .wav",
            )),
        }
    }

    /// The element that writes it; none for WAV.
    pub(super) fn muxer(self) -> Option<&'static str> {
        match self {
            Self::Mp4 => Some("mp4mux"),
            Self::Matroska => Some("matroskamux"),
            Self::WebM => Some("webmmux"),
            Self::Wav => None,
        }
    }
}

/// Where the sound of the new file comes from.
pub trait MixedSound: Send {
    /// Format of the samples.
    fn format(&self) -> AudioFormat;
    /// Length in frames.
    fn frames(&self) -> u64;
    /// Fills `out` (interleaved) with the frames from `at` on. Called with ascending,
    /// gapless positions, from a thread of the encoder.
    ///
    /// # Errors
    /// Ends the export with that error.
    fn render(&mut self, at: u64, out: &mut [f32]) -> Result<()>;
}

/// What became of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Packets copied bit for bit.
    Copied,
    /// Encoded anew because the container cannot hold the codec.
    Encoded,
    /// There was none, or the target is a sound file.
    None,
}

/// Writes `out` with the picture of `video` and the sound of `sound`, atomically. Encoder
/// delay is compensated so that sound and picture stay in sync.
///
/// Where there is a picture, the sound is cut or filled with silence to the
/// length of `video`.
///
/// # Errors
/// As [`crate::media::probe`]; missing encoder named; disk full; cancelled. No partial
/// file is left.
pub fn remux(video: &Path, sound: Box<dyn MixedSound>, out: &Path, monitor: &Monitor) -> Result<Picture> {
    super::init()?;
    let container = Container::of(out)?;
    if is_same_file(video, out) {
        return Err(Error::input(
            out,
            "is the video itself, which is never changed; choose another name",
        ));
    }
    let Some(muxer) = container.muxer() else {
        write_wav(sound, out, monitor)?;
        return Ok(Picture::None);
    };
    let info = probe(video)?;
    let has_picture = !info.video.is_empty();
    let frames = if has_picture {
        (info.duration_s * f64::from(sound.format().sample_rate)).round() as u64
    } else {
        sound.frames()
    };

    let target = AtomicFile::create(out)?;
    let mut pipeline = Pipeline::new(video)?;
    pipeline.writes(out);
    let mux = elements::make(muxer)?;
    let sink = with_location("filesink", target.path())?;
    pipeline.add_row(&[&mux, &sink])?;
    let track = SoundTrack::add(&pipeline, &mux, container, sound, frames, None)?;
    let picture = if has_picture {
        Some(PictureTrack::add(&pipeline, &mux, container, video, &info)?)
    } else {
        None
    };

    let picture_failure = || picture.as_ref().and_then(PictureTrack::take_failure);
    run_to_end(pipeline, &track, frames, &picture_failure, monitor)?;

    let turn = picture.as_ref().map(PictureTrack::turn).unwrap_or_default();
    complete(target.path(), container, &track, frames, turn)
        .map_err(|source| Error::io(out, "write", source))?;
    target.commit()?;
    Ok(picture.map_or(Picture::None, |picture| picture.fate()))
}

/// Plays `pipeline` until its file is whole but for [`complete`]. `picture_failure` tells why the picture's side failed.
///
/// # Errors
/// Of either side; disk full; cancelled, with the last progress too.
pub(super) fn run_to_end(
    mut pipeline: Pipeline,
    sound: &SoundTrack,
    frames: u64,
    picture_failure: &dyn Fn() -> Option<Error>,
    monitor: &Monitor,
) -> Result<()> {
    pipeline.set_state(gst::State::Playing)?;
    let mut written = 0;
    loop {
        let news = pipeline.wait_slice(monitor);
        // The reason comes before its consequences.
        if let Some(failure) = sound.take_failure().or_else(picture_failure) {
            return Err(failure);
        }
        if news? == Some(News::End) {
            break;
        }
        if sound.rendered() > written {
            written = sound.rendered();
            pipeline.moved();
        }
        monitor.progress("Writing the video", Some(written as f32 / frames.max(1) as f32));
    }
    drop(pipeline);
    monitor.progress("Writing the video", Some(1.0));
    // A cancel that came with the end still counts.
    monitor.check()
}

/// Adds to a finished file what GStreamer's muxers leave out or get wrong.
pub(super) fn complete(
    path: &Path,
    container: Container,
    sound: &SoundTrack,
    frames: u64,
    turn: Orientation,
) -> io::Result<()> {
    if container != Container::Mp4 {
        return matroska_edit::set_length(path, frames as f64 / f64::from(sound.sample_rate()));
    }
    if turn != Orientation::default() {
        mp4_edit::turn_picture(path, turn)?;
    }
    mp4_edit::trim_sound(path, sound.lead(), frames, sound.sample_rate())
}

/// Renders the whole sound into a WAV file.
fn write_wav(mut sound: Box<dyn MixedSound>, out: &Path, monitor: &Monitor) -> Result<()> {
    const BLOCK_FRAMES: u64 = 1 << 14;
    let (format, frames) = (sound.format(), sound.frames());
    let mut writer = WavWriter::create(out, format)?;
    let mut block = Vec::new();
    let mut at = 0;
    while at < frames {
        monitor.check()?;
        let count = BLOCK_FRAMES.min(frames - at);
        block.resize(count as usize * format.channels as usize, 0.0);
        sound.render(at, &mut block)?;
        writer.write(&block)?;
        at += count;
        monitor.progress("Writing the sound", Some(at as f32 / frames as f32));
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_names_the_container() {
        let check = |name: &str, expected: Container| {
            assert_eq!(Container::of(Path::new(name)).expect(name), expected);
        };
        check("a.mp4", Container::Mp4);
        check("a.b.MKV", Container::Matroska);
        check("/x/a.webm", Container::WebM);
        check("a.wav", Container::Wav);
        for name in ["a.avi", "a", ".mp4"] {
            let error = Container::of(Path::new(name)).expect_err(name).to_string();
            assert!(error.contains(".mp4, .mkv, .webm or .wav"), "{error}");
        }
    }
}
