//! Where the graph's samples come from.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::media::{AudioFormat, WavReader};

/// Random-access interleaved stereo at 44.1 kHz.
pub trait SampleSource: Send {
    /// Length in frames.
    fn frames(&self) -> u64;
    /// Fills `out` (interleaved stereo) from frame `at` on, silence past the end. Called from the audio thread:
    /// must not block for long.
    fn read_at(&mut self, at: u64, out: &mut [f32]);
    /// The first failure since the last call. What could not be read was given as silence: playing goes on, an export
    /// ends with it.
    fn take_error(&mut self) -> Option<Error> {
        None
    }
}

/// Samples in memory: candidates, short stems.
#[derive(Debug, Clone)]
pub struct MemorySource {
    samples: Arc<[f32]>,
}

impl MemorySource {
    /// Interleaved stereo at 44.1 kHz.
    pub fn new(samples: Arc<[f32]>) -> Self {
        Self { samples }
    }
}

impl SampleSource for MemorySource {
    fn frames(&self) -> u64 {
        (self.samples.len() / 2) as u64
    }

    fn read_at(&mut self, at: u64, out: &mut [f32]) {
        let start = usize::try_from(at.saturating_mul(2))
            .unwrap_or(usize::MAX)
            .min(self.samples.len());
        let rest = &self.samples[start..];
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        out[taken..].fill(0.0);
    }
}

/// Silence of a given length: the voice of a video that has no sound.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    frames: u64,
}

impl Silence {
    /// So many frames of nothing.
    pub fn new(frames: u64) -> Self {
        Self { frames }
    }
}

impl SampleSource for Silence {
    fn frames(&self) -> u64 {
        self.frames
    }

    fn read_at(&mut self, _at: u64, out: &mut [f32]) {
        out.fill(0.0);
    }
}

/// Frames read from disk at a time: 0.37 s, 128 KiB.
const READ_AHEAD: usize = 16_384;

/// A stem on disk, in a WAV file that separation wrote, read ahead in pieces.
#[derive(Debug)]
pub struct StemFile {
    reader: WavReader,
    buffer: Vec<f32>,
    /// Frame that the buffer starts at; `None` while it holds nothing.
    start: Option<u64>,
    error: Option<Error>,
}

impl StemFile {
    /// Opens the WAV file.
    ///
    /// # Errors
    /// When it is not a stem of ours: 44.1 kHz stereo float.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = WavReader::open(path)?;
        let format = reader.format();
        if format != AudioFormat::MIX {
            return Err(Error::input(
                path,
                format!(
                    "is {} Hz with {} channels, but stems are 44100 Hz stereo; separate the video again",
                    format.sample_rate, format.channels
                ),
            ));
        }
        Ok(Self {
            reader,
            buffer: vec![0.0; 2 * READ_AHEAD],
            start: None,
            error: None,
        })
    }

    /// Makes the buffer hold frame `at`.
    fn fill(&mut self, at: u64) {
        if let Err(error) = self.reader.read_at(at, &mut self.buffer) {
            self.buffer.fill(0.0);
            // The first failure tells most.
            self.error.get_or_insert(error);
        }
        self.start = Some(at);
    }
}

impl SampleSource for StemFile {
    fn frames(&self) -> u64 {
        self.reader.frames()
    }

    fn read_at(&mut self, at: u64, out: &mut [f32]) {
        let mut at = at;
        let mut rest = out;
        while !rest.is_empty() {
            if at >= self.frames() {
                rest.fill(0.0);
                return;
            }
            let held = self
                .start
                .is_some_and(|start| (start..start + READ_AHEAD as u64).contains(&at));
            if !held {
                self.fill(at);
            }
            let offset = 2 * (at - self.start.unwrap_or(at)) as usize;
            let taken = (self.buffer.len() - offset).min(rest.len());
            let (now, later) = rest.split_at_mut(taken);
            now.copy_from_slice(&self.buffer[offset..offset + taken]);
            rest = later;
            at += (taken / 2) as u64;
        }
    }

    fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }
}
