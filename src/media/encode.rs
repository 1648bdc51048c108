//! WAV files, written and read block by block.
//!
//! Stems live on disk between separation, playback and export, so this is
//! also the random-access side of the mix.
//!
//! Layout: `RIFF`/`WAVE`, a `JUNK` chunk of the size of a `ds64` chunk, `fmt `
//! (IEEE float), `fact`, `data`. A file that outgrows 4 GiB has `RIFF` turned to
//! `RF64` and `JUNK` to `ds64` at the end (EBU Tech 3306), so nobody has to know
//! the length beforehand.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::AudioFormat;
use crate::error::{Error, Result};
use crate::files::AtomicFile;

/// Bytes before the first sample.
const HEADER_BYTES: u64 = 12 + (8 + DS64_BYTES as u64) + (8 + 16) + (8 + 4) + 8;
/// Size of the `ds64` chunk's body without a table.
const DS64_BYTES: u32 = 28;
/// The format tag of IEEE float samples.
const IEEE_FLOAT: u16 = 3;
/// In the place of a 32-bit size: look into `ds64`.
const IN_DS64: u32 = u32::MAX;
const SAMPLE_BYTES: u64 = 4;

/// Writes 32-bit float WAV (RF64 beyond 4 GiB) under a temporary name;
/// [`WavWriter::finish`] gives it its name.
#[derive(Debug)]
pub struct WavWriter {
    file: AtomicFile,
    path: PathBuf,
    format: AudioFormat,
    data_bytes: u64,
    block: Vec<u8>,
}

impl WavWriter {
    /// Starts a file that will become `path`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(path: &Path, format: AudioFormat) -> Result<Self> {
        let mut writer = Self {
            file: AtomicFile::create(path)?,
            path: path.to_owned(),
            format,
            data_bytes: 0,
            block: Vec::new(),
        };
        let header = header(format, 0);
        writer.put(&header)?;
        Ok(writer)
    }

    /// Appends interleaved samples.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, samples: &[f32]) -> Result<()> {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        block.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.put(&block)?;
        self.data_bytes += block.len() as u64;
        self.block = block;
        Ok(())
    }

    /// Completes the header, syncs, renames.
    ///
    /// # Errors
    /// When the disk is full or the target cannot be replaced.
    pub fn finish(mut self) -> Result<()> {
        let header = header(self.format, self.data_bytes);
        self.file
            .file()
            .seek(SeekFrom::Start(0))
            .map_err(|source| Error::io(&self.path, "write", source))?;
        self.put(&header)?;
        self.file.commit()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .file()
            .write_all(bytes)
            .map_err(|source| Error::io(&self.path, "write", source))
    }
}

/// The bytes before the first sample of a file with `data_bytes` of samples.
fn header(format: AudioFormat, data_bytes: u64) -> Vec<u8> {
    let frame_bytes = u64::from(format.channels) * SAMPLE_BYTES;
    let riff_bytes = HEADER_BYTES - 8 + data_bytes;
    let frames = data_bytes / frame_bytes;
    let large = u32::try_from(riff_bytes).is_err();
    let small = |size: u64| if large { IN_DS64 } else { size as u32 };

    let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
    bytes.extend_from_slice(if large { b"RF64" } else { b"RIFF" });
    bytes.extend_from_slice(&small(riff_bytes).to_le_bytes());
    bytes.extend_from_slice(b"WAVE");
    bytes.extend_from_slice(if large { b"ds64" } else { b"JUNK" });
    bytes.extend_from_slice(&DS64_BYTES.to_le_bytes());
    for size in [riff_bytes, data_bytes, frames] {
        bytes.extend_from_slice(&(if large { size } else { 0 }).to_le_bytes());
    }
    bytes.extend_from_slice(&0u32.to_le_bytes());
    bytes.extend_from_slice(b"fmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&IEEE_FLOAT.to_le_bytes());
    bytes.extend_from_slice(&(format.channels as u16).to_le_bytes());
    bytes.extend_from_slice(&format.sample_rate.to_le_bytes());
    bytes.extend_from_slice(&((u64::from(format.sample_rate) * frame_bytes) as u32).to_le_bytes());
    bytes.extend_from_slice(&(frame_bytes as u16).to_le_bytes());
    bytes.extend_from_slice(&(8 * SAMPLE_BYTES as u16).to_le_bytes());
    bytes.extend_from_slice(b"fact");
    bytes.extend_from_slice(&4u32.to_le_bytes());
    bytes.extend_from_slice(&small(frames).to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&small(data_bytes).to_le_bytes());
    bytes
}

/// Reads a WAV file written by [`WavWriter`] at any position.
#[derive(Debug)]
pub struct WavReader {
    file: File,
    path: PathBuf,
    format: AudioFormat,
    frames: u64,
    /// Where the samples start in the file.
    data_at: u64,
    block: Vec<u8>,
}

impl WavReader {
    /// Opens `path`.
    ///
    /// # Errors
    /// When it is not a float WAV file of ours.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |source| Error::io(path, "read", source);
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let layout = match parse_header(&mut file) {
            Ok(Some(layout)) => layout,
            Ok(None) => return Err(not_ours(path)),
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => return Err(not_ours(path)),
            Err(source) => return Err(unreadable(source)),
        };
        if layout.data_at + layout.data_bytes > length {
            return Err(Error::input(path, "is cut short; make it anew"));
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            format: layout.format,
            frames: layout.data_bytes / (u64::from(layout.format.channels) * SAMPLE_BYTES),
            data_at: layout.data_at,
            block: Vec::new(),
        })
    }

    /// The format of the samples.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Length in frames.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Fills `out` (interleaved) from frame `at` on; what lies past the end is silence.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read_at(&mut self, at: u64, out: &mut [f32]) -> Result<()> {
        let channels = u64::from(self.format.channels);
        let there = self.frames.saturating_sub(at) * channels;
        let taken = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (samples, past) = out.split_at_mut(taken);
        past.fill(0.0);
        if samples.is_empty() {
            return Ok(());
        }
        self.block.resize(taken * SAMPLE_BYTES as usize, 0);
        self.file
            .seek(SeekFrom::Start(self.data_at + at * channels * SAMPLE_BYTES))
            .and_then(|_| self.file.read_exact(&mut self.block))
            .map_err(|source| Error::io(&self.path, "read", source))?;
        for (sample, bytes) in samples.iter_mut().zip(self.block.chunks_exact(4)) {
            *sample = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Ok(())
    }
}

fn not_ours(path: &Path) -> Error {
    Error::input(path, "is not a 32-bit float WAV file; make it anew")
}

/// What a header says.
struct Layout {
    format: AudioFormat,
    data_at: u64,
    data_bytes: u64,
}

/// Walks the chunks up to the samples; `None` where it is no float WAV file.
fn parse_header(file: &mut File) -> io::Result<Option<Layout>> {
    let mut start = [0u8; 12];
    file.read_exact(&mut start)?;
    if !matches!(&start[..4], b"RIFF" | b"RF64") || &start[8..] != b"WAVE" {
        return Ok(None);
    }
    let mut format = None;
    let mut long_data_bytes = None;
    let mut at = 12u64;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let mut chunk = [0u8; 8];
        file.read_exact(&mut chunk)?;
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        at += 8;
        match &chunk[..4] {
            b"ds64" => {
                let mut sizes = [0u8; 16];
                file.read_exact(&mut sizes)?;
                let mut data = [0u8; 8];
                data.copy_from_slice(&sizes[8..]);
                long_data_bytes = Some(u64::from_le_bytes(data));
            }
            b"fmt " => {
                let mut fields = [0u8; 16];
                file.read_exact(&mut fields)?;
                let half = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
                let channels = u32::from(half(2));
                let sample_rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
                if half(0) != IEEE_FLOAT || half(14) != 32 || channels == 0 || sample_rate == 0 {
                    return Ok(None);
                }
                format = Some(AudioFormat {
                    sample_rate,
                    channels,
                });
            }
            b"data" => {
                return Ok(format.map(|format| Layout {
                    format,
                    data_at: at,
                    data_bytes: match long_data_bytes {
                        Some(bytes) if size == IN_DS64 => bytes,
                        _ => u64::from(size),
                    },
                }));
            }
            _ => {}
        }
        // Chunks are padded to even sizes.
        at += u64::from(size) + u64::from(size % 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_any_position() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("stem.wav");
        let samples: Vec<f32> = (0..2000u16).map(|i| f32::from(i) / 1000.0 - 1.0).collect();
        let mut writer = WavWriter::create(&path, AudioFormat::MIX)?;
        for block in samples.chunks(300) {
            writer.write(block)?;
        }
        assert!(!path.exists(), "the name is given at the end");
        writer.finish()?;

        let mut reader = WavReader::open(&path)?;
        assert_eq!((reader.format(), reader.frames()), (AudioFormat::MIX, 1000));
        let mut block = [9.0; 20];
        reader.read_at(990, &mut block)?;
        assert_eq!(block, samples[1980..]);
        reader.read_at(995, &mut block)?;
        assert_eq!(block[..10], samples[1990..]);
        assert_eq!(block[10..], [0.0; 10]);
        reader.read_at(u64::MAX / 16, &mut block)?;
        assert_eq!(block, [0.0; 20]);
        Ok(())
    }

    #[test]
    fn beyond_4_gib_the_sizes_move_to_ds64() -> Result<()> {
        let bytes = 5 * (1u64 << 30);
        let header = header(AudioFormat::MIX, bytes);
        assert_eq!(header.len() as u64, HEADER_BYTES);
        assert_eq!((&header[..4], &header[12..16]), (&b"RF64"[..], &b"ds64"[..]));

        // A sparse file of that size is read back without being written.
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(&header).expect("write");
        file.as_file().set_len(HEADER_BYTES + bytes).expect("sparse");
        let mut reader = WavReader::open(file.path())?;
        assert_eq!(reader.frames(), bytes / 8);
        let mut block = [1.0; 4];
        reader.read_at(reader.frames() - 1, &mut block)?;
        assert_eq!(block, [0.0; 4]);
        Ok(())
    }

    #[test]
    fn other_files_are_refused_in_a_sentence() {
        let check = |bytes: &[u8], expected: &str| {
            let mut file = tempfile::NamedTempFile::new().expect("temporary file");
            file.write_all(bytes).expect("write");
            let error = WavReader::open(file.path()).expect_err("refused");
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(b"", "not a 32-bit float WAV");
        check(b"just some text, no sound", "not a 32-bit float WAV");
        let whole = header(AudioFormat::MIX, 8000);
        check(&whole, "cut short");
        check(&whole[..40], "not a 32-bit float WAV");
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut writer = WavWriter::create(&folder.path().join("stem.wav"), AudioFormat::VGGISH)?;
        writer.write(&[0.5; 100])?;
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 0);
        Ok(())
    }
}
