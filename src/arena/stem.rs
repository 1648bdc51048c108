//! Clean stems on disk: 16-bit WAV, half the size of what the separator writes and enough for sound that was never
//! louder than its peaks.

use std::io::Write;
use std::path::Path;

use super::sound::RATE;
use crate::error::{Error, Result};
use crate::files::AtomicFile;

/// Writes interleaved `samples` of `channels`.
///
/// # Errors
/// When the disk refuses.
pub(super) fn write(path: &Path, samples: &[f32], channels: u16) -> Result<()> {
    let data_bytes = (samples.len() * 2) as u32;
    let frame_bytes = 2 * channels;
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_bytes).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(1u16.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((RATE * u32::from(frame_bytes)).to_le_bytes());
    bytes.extend(frame_bytes.to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    for sample in samples {
        bytes.extend(((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16).to_le_bytes());
    }
    let mut file = AtomicFile::create(path)?;
    file.file()
        .write_all(&bytes)
        .map_err(|source| Error::io(path, "write", source))?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Monitor;
    use crate::media::{AudioFormat, decode_audio};

    #[test]
    fn a_stem_reads_back() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.wav");
        let samples: Vec<f32> = (0..2000u16).map(|i| f32::from(i) / 1000.0 - 1.0).collect();
        write(&path, &samples, 2)?;
        let read = decode_audio(&path, AudioFormat::MIX, 0.0, None, &Monitor::silent())?;
        assert_eq!(read.len(), samples.len());
        assert!(read.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1e-4));
        Ok(())
    }
}
