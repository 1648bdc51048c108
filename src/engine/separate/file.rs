//! Stems of a whole file, written as it is read.

use std::fs;
use std::path::Path;

use super::{STAGE, SeparateOptions, Separator, StemFiles, Stems};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::remove_abandoned;
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat, AudioReader, MediaInfo, WavWriter};
use crate::settings::Folders;

/// A length beyond this is a damaged header's, not a video's: no silence is written up to it.
const LONGEST_PICTURE_S: f64 = 24.0 * 3600.0;
static SILENCE: [f32; 1 << 14] = [0.0; 1 << 14];

/// Separates the sound of `media` into `folder/voice.wav` and `folder/bgm.wav`, streaming: memory does not grow with
/// length. The stems are as long as the sound, and where the picture is longer, as long as that.
///
/// # Errors
/// As [`crate::media::probe`]; when the file has no sound; disk full; cancelled. Nothing partial is left.
pub fn separate_file(
    engine: &Engine,
    media: &Path,
    folder: &Path,
    options: &SeparateOptions,
    monitor: &Monitor,
) -> Result<StemFiles> {
    let info = media::probe(media)?;
    if info.audio.is_empty() {
        return Err(Error::input(
            media,
            "has no sound, so there is nothing to separate; choose a file with sound",
        ));
    }
    let separator = Separator::new(engine.spleeter()?, &engine.device().device, options, monitor)?;
    let made = !folder.exists();
    Folders::ensure(folder)?;
    let stems = write_stems(separator, media, &info, folder, monitor);
    if made && stems.is_err() {
        // Only an empty folder can be removed so, and only we can have made this one.
        let _ = fs::remove_dir(folder);
    }
    stems
}

fn write_stems(
    mut separator: Separator<'_>,
    media: &Path,
    info: &MediaInfo,
    folder: &Path,
    monitor: &Monitor,
) -> Result<StemFiles> {
    let format = AudioFormat::MIX;
    let (voice, bgm) = (folder.join("voice.wav"), folder.join("bgm.wav"));
    remove_abandoned(&voice);
    let mut writers = Writers {
        voice: WavWriter::create(&voice, format)?,
        bgm: WavWriter::create(&bgm, format)?,
        frames: 0,
    };
    let expected = (info.duration_s * f64::from(format.sample_rate)).round();
    let mut reader = AudioReader::open(media, format, 0.0)?;
    let (mut sound, mut stems) = (Vec::new(), Stems::default());
    loop {
        monitor.check()?;
        sound.clear();
        if reader.read(&mut sound)? == 0 {
            break;
        }
        separator.push(&sound, &mut stems)?;
        if !stems.voice.is_empty() {
            writers.write(&mut stems)?;
            monitor.progress(STAGE, Some((writers.frames as f64 / expected) as f32));
        }
    }
    separator.finish(&mut stems)?;
    writers.write(&mut stems)?;
    if !info.video.is_empty() && info.duration_s < LONGEST_PICTURE_S {
        writers.write_silence_up_to(expected as u64, monitor)?;
    }
    let duration_s = writers.frames as f64 / f64::from(format.sample_rate);
    writers.voice.finish()?;
    if let Err(error) = writers.bgm.finish() {
        // One stem alone would be taken for a result.
        let _ = fs::remove_file(&voice);
        return Err(error);
    }
    monitor.progress(STAGE, Some(1.0));
    Ok(StemFiles {
        voice,
        bgm,
        duration_s,
    })
}

struct Writers {
    voice: WavWriter,
    bgm: WavWriter,
    /// Written so far, in samples per channel.
    frames: u64,
}

impl Writers {
    /// Writes the stems and empties them.
    fn write(&mut self, stems: &mut Stems) -> Result<()> {
        self.voice.write(&stems.voice)?;
        self.bgm.write(&stems.bgm)?;
        self.frames += (stems.voice.len() / 2) as u64;
        stems.voice.clear();
        stems.bgm.clear();
        Ok(())
    }

    fn write_silence_up_to(&mut self, frames: u64, monitor: &Monitor) -> Result<()> {
        while self.frames < frames {
            monitor.check()?;
            let count = (frames - self.frames).min(SILENCE.len() as u64 / 2);
            let silence = &SILENCE[..2 * count as usize];
            self.voice.write(silence)?;
            self.bgm.write(silence)?;
            self.frames += count;
        }
        Ok(())
    }
}
