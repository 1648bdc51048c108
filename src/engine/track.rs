//! What indexing hears in one file, read once from end to end in bounded memory.

use std::path::{Path, PathBuf};

use super::Engine;
use super::embed::{CLIP_S, WINDOW_HOP_S};
use super::index::Songs;
use super::separate::{SeparateOptions, separate_file, separate_samples};
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::library::{FileTags, file_tags};
use crate::media::{self, AudioFormat, AudioReader, MediaInfo};
use crate::settings::Folders;
use crate::signal::features::{Description, describe};
use crate::signal::loudness::Meter;

/// Waveform peaks kept of a track.
pub(super) const PEAKS: usize = 400;

/// Windows in a piece: a piece is 88 s long and the next begins 64 s later.
const WINDOWS_PER_PIECE: usize = 8;

/// Tempo and mode are told from this much of a track; more does not make them surer.
const DESCRIBED_S: usize = 240;

/// How much of a track's middle is looked at for singing.
const EXCERPT_S: f64 = 24.0;

/// A track counts as a song where the voice stem of its excerpt holds more than this part of the energy of both stems.
/// The bar is high on purpose: a false alarm costs a track its lead, a miss only embeds the singing along with the rest.
/// With the compact pack, whose separator learned speech, 3 of 95 instrumental game tracks lie above it and sung pop lies
/// below (0.04 to 0.24), so there `--songs yes` is the way for songs.
const SONG_VOICE_SHARE: f64 = 0.35;

/// A stretch of 16 kHz mono sound that holds whole windows.
pub(super) struct Piece {
    pub(super) start_s: f64,
    pub(super) samples: Vec<f32>,
}

/// Everything about a track but its embeddings.
pub(super) struct Heard {
    pub(super) info: MediaInfo,
    pub(super) tags: FileTags,
    pub(super) loudness_lufs: Option<f64>,
    pub(super) description: Description,
    pub(super) peaks: Vec<u8>,
    pub(super) has_vocals: bool,
}

/// Listens to `path`: hands `take` the pieces to embed, in order, and returns the rest.
///
/// # Errors
/// As [`media::probe`]; when there is no sound or nothing in it; when separation fails; what `take` fails with; cancelled.
pub(super) fn listen(
    engine: &Engine,
    path: &Path,
    songs: Songs,
    monitor: &Monitor,
    take: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<Heard> {
    let info = media::probe(path)?;
    if info.audio.is_empty() {
        return Err(Error::input(path, "has no sound; give a file with music"));
    }
    let has_vocals = match songs {
        Songs::Yes => true,
        Songs::No => false,
        Songs::Auto => has_singing(engine, path, &info, monitor)?,
    };
    let sound = if has_vocals {
        Sound::accompaniment(engine, path, monitor)?
    } else {
        Sound::of(path)
    };
    let description = cut_pieces(&sound.file, monitor, take)?;
    let (loudness_lufs, peaks) = measure(path, &info, monitor)?;
    if peaks.iter().all(|&peak| peak == 0) {
        return Err(Error::input(path, "is silent throughout; give a file with music"));
    }
    Ok(Heard {
        tags: file_tags(path),
        info,
        loudness_lufs,
        description,
        peaks,
        has_vocals,
    })
}

/// The sound that is embedded: the file's own, or its accompaniment in a folder that goes with this value.
struct Sound {
    file: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Sound {
    fn of(path: &Path) -> Self {
        Self {
            file: path.to_owned(),
            _folder: None,
        }
    }

    fn accompaniment(engine: &Engine, path: &Path, monitor: &Monitor) -> Result<Self> {
        let cache = &engine.options().folders.cache;
        Folders::ensure(cache)?;
        let folder = tempfile::Builder::new()
            .prefix("song-")
            .tempdir_in(cache)
            .map_err(|source| Error::io(cache, "write", source))?;
        let stems = separate_file(
            engine,
            path,
            folder.path(),
            &SeparateOptions::default(),
            &monitor.unseen(),
        )?;
        Ok(Self {
            file: stems.bgm,
            _folder: Some(folder),
        })
    }
}

fn has_singing(engine: &Engine, path: &Path, info: &MediaInfo, monitor: &Monitor) -> Result<bool> {
    let start_s = ((info.duration_s - EXCERPT_S) / 2.0).max(0.0);
    let monitor = monitor.unseen();
    let excerpt = media::decode_audio(path, AudioFormat::MIX, start_s, Some(EXCERPT_S), &monitor)?;
    let stems = separate_samples(engine, &excerpt, &SeparateOptions::default(), &monitor)?;
    let share = voice_share(&stems.voice, &stems.bgm);
    tracing::debug!("{}: voice share {share:.3}", path.display());
    Ok(share > SONG_VOICE_SHARE)
}

/// The voice's part of the energy of both stems; 0 for silence.
fn voice_share(voice: &[f32], bgm: &[f32]) -> f64 {
    let energy = |samples: &[f32]| -> f64 {
        samples
            .iter()
            .map(|&sample| f64::from(sample) * f64::from(sample))
            .sum()
    };
    let (voice, bgm) = (energy(voice), energy(bgm));
    if voice + bgm > 0.0 {
        voice / (voice + bgm)
    } else {
        0.0
    }
}

/// Reads `path` at VGGish's rate and hands out pieces such that the windows of all of them are the windows of the whole.
fn cut_pieces(
    path: &Path,
    monitor: &Monitor,
    take: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<Description> {
    let format = AudioFormat::VGGISH;
    let rate = format.sample_rate as usize;
    let mut reader = AudioReader::open(path, format, 0.0)?;
    let mut cutter = Cutter::new(rate);
    let mut start_of_track = Vec::new();
    let mut block = Vec::new();
    loop {
        monitor.check()?;
        block.clear();
        if reader.read(&mut block)? == 0 {
            break;
        }
        let missing = DESCRIBED_S * rate - start_of_track.len();
        start_of_track.extend_from_slice(&block[..block.len().min(missing)]);
        cutter.push(&block, take)?;
    }
    cutter.finish(take)?;
    if start_of_track.is_empty() {
        return Err(Error::input(
            path,
            "holds no sound that can be decoded; convert the file and try again",
        ));
    }
    Ok(describe(&start_of_track, format.sample_rate))
}

/// Cuts a stream of mono samples into overlapping pieces.
struct Cutter {
    clip: usize,
    hop: usize,
    rate: f64,
    /// Position of the buffer's first sample in the stream.
    at: usize,
    buffer: Vec<f32>,
}

impl Cutter {
    fn new(rate: usize) -> Self {
        Self {
            clip: (CLIP_S * rate as f64) as usize,
            hop: (WINDOW_HOP_S * rate as f64) as usize,
            rate: rate as f64,
            at: 0,
            buffer: Vec::new(),
        }
    }

    fn push(&mut self, samples: &[f32], take: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        self.buffer.extend_from_slice(samples);
        let piece = self.clip + (WINDOWS_PER_PIECE - 1) * self.hop;
        let step = WINDOWS_PER_PIECE * self.hop;
        while self.buffer.len() >= piece {
            take(self.piece(self.buffer[..piece].to_vec()))?;
            self.buffer.drain(..step);
            self.at += step;
        }
        Ok(())
    }

    /// Hands out the rest: what a whole window still fits in, or a track that is shorter than one.
    fn finish(mut self, take: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        let is_short_track = self.at == 0 && !self.buffer.is_empty();
        if self.buffer.len() >= self.clip || is_short_track {
            let samples = std::mem::take(&mut self.buffer);
            take(self.piece(samples))?;
        }
        Ok(())
    }

    fn piece(&self, samples: Vec<f32>) -> Piece {
        Piece {
            start_s: self.at as f64 / self.rate,
            samples,
        }
    }
}

/// Loudness and peaks of the sound as it is, at its own rate: both are the same at any other, and changing the rate costs
/// more than decoding.
fn measure(path: &Path, info: &MediaInfo, monitor: &Monitor) -> Result<(Option<f64>, Vec<u8>)> {
    let own_rate = info.audio.first().map_or(0, |stream| stream.sample_rate);
    let format = AudioFormat {
        sample_rate: if (8_000..=192_000).contains(&own_rate) {
            own_rate
        } else {
            AudioFormat::MIX.sample_rate
        },
        channels: 2,
    };
    let channels = format.channels as usize;
    let mut reader = AudioReader::open(path, format, 0.0)?;
    let mut meter = Meter::new(format.sample_rate, format.channels)?;
    let mut peaks = PeakLine::new(info.duration_s * f64::from(format.sample_rate));
    let mut block = Vec::new();
    loop {
        monitor.check()?;
        block.clear();
        if reader.read(&mut block)? == 0 {
            break;
        }
        meter.add(&block)?;
        block.chunks_exact(channels).for_each(|frame| peaks.push(frame));
    }
    Ok((meter.integrated_lufs(), peaks.levels()))
}

/// The highest level in each of [`PEAKS`] equal parts of a track.
struct PeakLine {
    frames_per_peak: f64,
    frame: usize,
    levels: Vec<f32>,
}

impl PeakLine {
    fn new(frames: f64) -> Self {
        Self {
            frames_per_peak: (frames / PEAKS as f64).max(1.0),
            frame: 0,
            levels: vec![0.0; PEAKS],
        }
    }

    fn push(&mut self, frame: &[f32]) {
        let place = (self.frame as f64 / self.frames_per_peak) as usize;
        self.frame += 1;
        // A file may be longer than it says.
        let level = &mut self.levels[place.min(PEAKS - 1)];
        *level = frame.iter().fold(*level, |level, sample| level.max(sample.abs()));
    }

    fn levels(&self) -> Vec<u8> {
        self.levels
            .iter()
            .map(|level| (level * 255.0).round() as u8)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts of the windows that pieces of `seconds` of sound hold, by the rule of `embed_bgm`.
    fn window_starts(seconds: f64, block: usize) -> Vec<f64> {
        const RATE: usize = 100;
        let samples: Vec<f32> = (0..(seconds * RATE as f64) as usize).map(|i| i as f32).collect();
        let mut starts = Vec::new();
        let mut take = |piece: Piece| {
            assert_eq!(f64::from(piece.samples[0]), piece.start_s * RATE as f64);
            let count = piece.samples.len().saturating_sub(32 * RATE) / (8 * RATE) + 1;
            starts.extend((0..count).map(|window| piece.start_s + 8.0 * window as f64));
            Ok(())
        };
        let mut cutter = Cutter::new(RATE);
        for block in samples.chunks(block) {
            cutter.push(block, &mut take).expect("taken");
        }
        cutter.finish(&mut take).expect("taken");
        starts
    }

    #[test]
    fn pieces_hold_every_window_once() {
        for seconds in [1.0, 31.9, 32.0, 40.0, 87.99, 88.0, 95.99, 96.0, 152.0, 400.5] {
            let count = ((seconds - 32.0_f64).max(0.0) / 8.0) as usize + 1;
            let expected: Vec<f64> = (0..count).map(|window| 8.0 * window as f64).collect();
            for block in [77, 1000, 100_000] {
                assert_eq!(
                    window_starts(seconds, block),
                    expected,
                    "{seconds} s in blocks of {block}"
                );
            }
        }
        assert!(window_starts(0.0, 10).is_empty());
    }

    #[test]
    fn peaks_follow_the_level() {
        let mut line = PeakLine::new(800.0);
        for frame in 0..810 {
            line.push(&[if frame < 400 { 0.5 } else { -1.0 }, 0.0]);
        }
        let levels = line.levels();
        assert_eq!(
            (levels.len(), levels[0], levels[199], levels[200], levels[399]),
            (400, 128, 128, 255, 255)
        );
    }

    #[test]
    fn shares_are_of_energy() {
        assert_eq!(voice_share(&[0.5, 0.5], &[0.5, -0.5]), 0.5);
        assert_eq!(voice_share(&[0.0], &[0.0]), 0.0);
        assert_eq!(voice_share(&[1.0], &[]), 1.0);
    }
}
