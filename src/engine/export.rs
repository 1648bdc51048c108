//! The finished mix as a file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::Engine;
use super::cache::{self, Lease};
use super::separate::separate_cached;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{AtomicFile, is_same_file, remove_abandoned};
use crate::jobs::Monitor;
use crate::media::{
    self, AudioFormat, AudioReader, Container, MediaInfo, MixedSound, Picture, WavWriter, decode_audio,
};
use crate::mix::{
    MemorySource, MixGraph, MixSettings, SampleSource, Silence, Solo, StemFile, VoiceLevels, match_loudness,
    measure_track, measure_voice,
};
use crate::settings::Folders;
use crate::signal::loudness::Meter;

/// What to write.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The video.
    pub video: PathBuf,
    /// The candidate's file.
    pub track: PathBuf,
    /// Mix settings (`master_gain_db` is computed here from `loudness_lufs`; solo is ignored).
    pub settings: MixSettings,
    /// Whether the track is first brought to the level of a bed: the candidate's `gain_db` then stands on top of
    /// [`bed_gain_db`], measured here. Not so for settings that a window already plays, in which it is contained.
    pub fit_level: bool,
    /// Loudness target, LUFS; `None` leaves the level as mixed.
    pub loudness_lufs: Option<f64>,
    /// The file to write; its extension chooses the container.
    pub out: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportReport {
    /// The file.
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub out: PathBuf,
    /// "copied", "encoded" or "none".
    pub picture: String,
    /// Length in seconds.
    pub duration_s: f64,
    /// Measured loudness of the mix that was written, LUFS; `None` for silence.
    pub loudness_lufs: Option<f64>,
}

/// Words for what became of the picture.
pub fn picture_word(picture: Picture) -> &'static str {
    match picture {
        Picture::Copied => "copied",
        Picture::Encoded => "encoded",
        Picture::None => "none",
    }
}

/// A bed lies this much under the voice before it is ducked: loud enough to carry the pauses, and with ducking 14 to
/// 23 LU down while the voice speaks.
const BED_UNDER_VOICE_LU: f64 = 8.0;
/// Where a bed lies that has no voice over it.
const LONE_BED_LUFS: f64 = -18.0;
/// No track is lifted or lowered by more.
const MOST_BED_GAIN_DB: f64 = 24.0;

/// Gain in dB that brings a track of `track_lufs` to the level of a bed: 8 LU under a voice of `voice_lufs`, at -18 LUFS
/// where there is none, within ±24 dB; 0 for a silent track. One rule for window, audition and export; the loudness
/// target then moves voice and bed together.
pub fn bed_gain_db(voice_lufs: Option<f64>, track_lufs: Option<f64>) -> f32 {
    let Some(track_lufs) = track_lufs else {
        return 0.0;
    };
    let bed_lufs = voice_lufs.map_or(LONE_BED_LUFS, |voice_lufs| voice_lufs - BED_UNDER_VOICE_LU);
    (bed_lufs - track_lufs).clamp(-MOST_BED_GAIN_DB, MOST_BED_GAIN_DB) as f32
}

/// Separates if needed, mixes, measures, writes. The file is as long as the video; a video without sound gets the track
/// alone.
///
/// # Errors
/// As [`crate::media::remux`] and [`super::separate::separate_cached`]; when `out` is the video or the track itself, or
/// a video file is asked of a source without picture; cancelled. No partial file is left, and an existing `out` stays as
/// it was.
pub fn export(engine: &Engine, request: &ExportRequest, monitor: &Monitor) -> Result<ExportReport> {
    check_request(request)?;
    let container = Container::of(&request.out)?;
    let info = media::probe(&request.video)?;
    if info.video.is_empty() && container != Container::Wav {
        return Err(Error::input(
            &request.video,
            format!(
                "has no picture, so {} cannot be a video; give the output a name that ends in .wav",
                request.out.display()
            ),
        ));
    }
    let track_info = media::probe(&request.track)?;
    if track_info.audio.is_empty() {
        return Err(Error::input(
            &request.track,
            "has no sound; choose a music file as the track",
        ));
    }

    let clip = Clip::open(engine, &request.video, &info, &monitor.part(0.0, 0.6))?;
    let mut track = Track::open(
        engine,
        &request.track,
        track_info.duration_s,
        &monitor.part(0.6, 0.7),
    )?;
    let mut settings = MixSettings {
        solo: Solo::None,
        master_gain_db: 0.0,
        ..request.settings
    };
    if request.fit_level {
        let track_lufs = measure_track(track.source.as_mut(), &monitor.part(0.7, 0.75))?;
        settings.candidate.gain_db += bed_gain_db(clip.levels.lufs, track_lufs);
    }

    let frames = clip.frames;
    let mut graph = MixGraph::new(clip.voice, clip.original, clip.levels.rms).with_frames(frames);
    graph.set_settings(settings);
    graph.set_candidate(Some(track.source));
    if let Some(target_lufs) = request.loudness_lufs {
        let found = match_loudness(&mut graph, target_lufs, &monitor.part(0.75, 0.9))?;
        if let (false, Some(lufs)) = (found.reached, found.loudness.lufs) {
            monitor.warn(format!(
                "the mix has {lufs:.1} LUFS where {target_lufs:.1} were asked for: its peaks leave no room for more"
            ));
        }
    }

    let meter = Arc::new(Mutex::new(Meter::new(AudioFormat::MIX.sample_rate, 2)?));
    let sound = GraphSound {
        graph,
        meter: Arc::clone(&meter),
    };
    let picture = media::remux(
        &request.video,
        Box::new(sound),
        &request.out,
        &monitor.part(0.9, 1.0),
    )?;
    let loudness_lufs = meter
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .integrated_lufs();
    Ok(ExportReport {
        out: request.out.clone(),
        picture: picture_word(picture).to_owned(),
        duration_s: frames as f64 / f64::from(AudioFormat::MIX.sample_rate),
        loudness_lufs,
    })
}

/// Refuses before any work what could only fail after it.
fn check_request(request: &ExportRequest) -> Result<()> {
    let out = &request.out;
    if let Some(target_lufs) = request.loudness_lufs
        && !(-60.0..=-3.0).contains(&target_lufs)
    {
        return Err(Error::new(
            ErrorKind::Input,
            format!("a loudness of {target_lufs} LUFS cannot be met; give one from -60 to -3, such as -14"),
        ));
    }
    if out.is_dir() {
        return Err(Error::input(out, "is a folder; give the name of a file"));
    }
    for source in [&request.video, &request.track] {
        if is_same_file(source, out) {
            return Err(Error::input(
                out,
                "is one of the files the mix is made from; choose another name for the output",
            ));
        }
    }
    // Whether the folder takes a file at all; dropped, it leaves nothing.
    AtomicFile::create(out).map(drop)?;
    remove_abandoned(out);
    Ok(())
}

/// The clip's own sound, taken apart.
struct Clip {
    voice: Box<dyn SampleSource>,
    original: Box<dyn SampleSource>,
    levels: VoiceLevels,
    /// Length of the export.
    frames: u64,
    /// Keeps the stems in the cache while they are read.
    _stems: Option<Lease>,
}

impl Clip {
    fn open(engine: &Engine, video: &Path, info: &MediaInfo, monitor: &Monitor) -> Result<Self> {
        let video_frames = (info.duration_s * f64::from(AudioFormat::MIX.sample_rate)).round() as u64;
        if info.audio.is_empty() {
            return Ok(Self {
                voice: Box::new(Silence::new(video_frames)),
                original: Box::new(Silence::new(0)),
                levels: VoiceLevels::default(),
                frames: video_frames,
                _stems: None,
            });
        }
        let stems = separate_cached(engine, video, &monitor.part(0.0, 0.9))?;
        let lease = cache::hold(&stems);
        let mut voice = StemFile::open(&stems.voice)?;
        let mut original = StemFile::open(&stems.bgm)?;
        let levels = measure_voice(&mut voice, &mut original, &monitor.part(0.9, 1.0))?;
        let frames = if info.video.is_empty() {
            voice.frames()
        } else {
            video_frames
        };
        Ok(Self {
            voice: Box::new(voice),
            original: Box::new(original),
            levels,
            frames,
            _stems: lease,
        })
    }
}

/// Longer tracks are decoded to disk: ten minutes are 200 MB.
const LONGEST_IN_MEMORY_S: f64 = 600.0;

/// A decoded track.
struct Track {
    source: Box<dyn SampleSource>,
    /// Holds the decoded file of a long track until the export is done.
    _folder: Option<tempfile::TempDir>,
}

impl Track {
    fn open(engine: &Engine, path: &Path, duration_s: f64, monitor: &Monitor) -> Result<Self> {
        if duration_s <= LONGEST_IN_MEMORY_S {
            let samples = decode_audio(path, AudioFormat::MIX, 0.0, None, monitor)?;
            return Ok(Self {
                source: Box::new(MemorySource::new(samples.into())),
                _folder: None,
            });
        }
        let cache = &engine.options().folders.cache;
        Folders::ensure(cache)?;
        let folder = tempfile::Builder::new()
            .prefix("track-")
            .tempdir_in(cache)
            .map_err(|source| Error::io(cache, "write", source))?;
        let file = folder.path().join("track.wav");
        decode_to_disk(path, &file, duration_s, monitor)?;
        Ok(Self {
            source: Box::new(StemFile::open(&file)?),
            _folder: Some(folder),
        })
    }
}

fn decode_to_disk(path: &Path, file: &Path, duration_s: f64, monitor: &Monitor) -> Result<()> {
    let mut reader = AudioReader::open(path, AudioFormat::MIX, 0.0)?;
    let mut writer = WavWriter::create(file, AudioFormat::MIX)?;
    let mut block = Vec::new();
    let mut frames = 0usize;
    loop {
        monitor.check()?;
        block.clear();
        let taken = reader.read(&mut block)?;
        if taken == 0 {
            return writer.finish();
        }
        writer.write(&block)?;
        frames += taken;
        let done_s = frames as f64 / f64::from(AudioFormat::MIX.sample_rate);
        monitor.progress("Decoding the track", Some((done_s / duration_s) as f32));
    }
}

/// The graph as the encoder wants it, metered on its way out.
struct GraphSound {
    graph: MixGraph,
    meter: Arc<Mutex<Meter>>,
}

impl MixedSound for GraphSound {
    fn format(&self) -> AudioFormat {
        AudioFormat::MIX
    }

    fn frames(&self) -> u64 {
        self.graph.frames()
    }

    fn render(&mut self, at: u64, out: &mut [f32]) -> Result<()> {
        self.graph.render(at, out);
        if let Some(error) = self.graph.take_error() {
            return Err(error);
        }
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).add(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bed_lies_under_the_voice() {
        let check = |voice_lufs: Option<f64>, track_lufs: Option<f64>, expected: f32| {
            assert_eq!(bed_gain_db(voice_lufs, track_lufs), expected);
        };
        check(Some(-16.0), Some(-10.0), -14.0);
        check(Some(-30.0), Some(-9.0), -24.0);
        check(Some(-10.0), Some(-60.0), 24.0);
        check(None, Some(-12.0), -6.0);
        check(Some(-20.0), None, 0.0);
        check(None, None, 0.0);
    }

    #[test]
    fn a_track_on_disk_is_the_track_in_memory() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let track = folder.path().join("track.opus");
        let what = crate::media::testing::Synthetic {
            picture: None,
            ..Default::default()
        };
        crate::media::testing::synthesise(&what, &track)?;
        let monitor = Monitor::silent();
        let samples = decode_audio(&track, AudioFormat::MIX, 0.0, None, &monitor)?;
        let file = folder.path().join("track.wav");
        decode_to_disk(&track, &file, what.duration_s, &monitor)?;
        let mut stem = StemFile::open(&file)?;
        let mut read = vec![0.0; samples.len()];
        stem.read_at(0, &mut read);
        assert_eq!(read, samples);
        assert_eq!(stem.frames(), samples.len() as u64 / 2);
        Ok(())
    }
}
