//! Sound of a file as samples at the rate and channel count one asks for.

use std::path::Path;

use gst::prelude::*;
use gstreamer as gst;

use super::elements;
use super::gapless::Gapless;
use super::pipeline::clock_time;
use super::probe::probe;
use super::source::{Decoded, Kind, Source};
use crate::error::{Error, Result};
use crate::jobs::Monitor;

/// The form samples are asked for in. Conversion (rate, down-mix of 5.1, odd
/// rates) is done by GStreamer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples per second.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u32,
}

impl AudioFormat {
    /// What separation and the mix use: 44.1 kHz stereo.
    pub const MIX: Self = Self {
        sample_rate: 44_100,
        channels: 2,
    };
    /// What VGGish hears: 16 kHz mono.
    pub const VGGISH: Self = Self {
        sample_rate: 16_000,
        channels: 1,
    };
}

/// How far a stream's times may stray from its sample count before that is
/// a gap and no rounding: Matroska rounds to milliseconds, MP3 in AVI worse.
const JITTER_S: f64 = 0.04;
/// Decoders need some packets before the first exact sample: overlap in AAC,
/// the bit reservoir in MP3, 80 ms of convergence in Opus.
const ROLL_IN_S: f64 = 0.25;
/// So many frames into the stream its times are still taken to the sample: an
/// edit list that ends inside a block leaves a sliver of the block before.
const SETTLING_FRAMES: u64 = 64;
/// A stream that ends so little before the end that the file states is filled
/// up: qtdemux (1.22) holds back the last packet of a sound whose edit list
/// skips the encoder's lead.
const MISSING_END_S: f64 = 0.1;
/// A stretch of silence is handed out in pieces of this many frames.
const SILENCE_FRAMES: u64 = 1 << 15;

/// Streams the first sound stream of a file, block by block.
#[derive(Debug)]
pub struct AudioReader {
    source: Source,
    format: AudioFormat,
    length_s: Option<f64>,
    /// What the encoder put before the sound, in seconds.
    lead_s: f64,
    /// The frame behind the last, where the file says that the encoder put
    /// something behind the sound.
    end: Option<u64>,
    /// The next frame to hand out, counted from the start of the file.
    at: u64,
    /// Frames past which a jump in time cannot be true.
    horizon: Option<u64>,
    /// Frames taken from the stream so far, up to [`SETTLING_FRAMES`].
    settled: u64,
    /// Where the stream ends by what the file says.
    stated_end: Option<u64>,
    /// Silence still due before `held`.
    silence: u64,
    /// Samples that wait for the silence before them.
    held: Vec<f32>,
}

impl AudioReader {
    /// Opens `path` and seeks to `start_s` (sample-exact).
    ///
    /// # Errors
    /// As [`crate::media::probe`]; also when the file has no sound.
    pub fn open(path: &Path, format: AudioFormat, start_s: f64) -> Result<Self> {
        Self::open_watched(path, format, start_s, &Monitor::silent())
    }

    /// As [`AudioReader::open`], and can be cancelled while it waits.
    pub(super) fn open_watched(
        path: &Path,
        format: AudioFormat,
        start_s: f64,
        monitor: &Monitor,
    ) -> Result<Self> {
        super::init()?;
        let convert = [elements::make("audioconvert")?, elements::make("audioresample")?];
        convert[1].set_property("quality", 10i32);
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", gstreamer_audio::AUDIO_FORMAT_F32.to_str())
            .field("layout", "interleaved")
            .field("rate", format.sample_rate as i32)
            .field("channels", format.channels as i32)
            .build();
        let mut source = Source::open(path, Kind::Sound, &convert, &caps, 4, None, monitor)?;
        let length_s = source.length_s();
        let gapless = Gapless::of(path, length_s);
        let lead_s = gapless.map_or(0.0, |gapless| gapless.lead_s);
        if start_s > ROLL_IN_S {
            // Where a file cannot seek, the samples before the start are skipped.
            let target_s = start_s + lead_s - ROLL_IN_S;
            source.seek(gst::SeekFlags::ACCURATE, clock_time(target_s), monitor)?;
        }
        let frames = |seconds: f64| (seconds * f64::from(format.sample_rate)).round() as u64;
        Ok(Self {
            source,
            format,
            length_s: gapless.map(|gapless| gapless.length_s).or(length_s),
            lead_s,
            end: gapless.map(|gapless| frames(gapless.length_s)),
            at: frames(start_s.max(0.0)),
            horizon: length_s.map(|length_s| frames(length_s + 10.0)),
            settled: 0,
            stated_end: None,
            silence: 0,
            held: Vec::new(),
        })
    }

    /// The format of the samples.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Appends the next block of interleaved samples to `out` and returns how
    /// many *frames* (samples per channel) it added; 0 at the end of the sound.
    /// Gaps in the stream are filled with silence, so that position in samples
    /// is position in time.
    ///
    /// # Errors
    /// When decoding fails part-way; what came before stays valid.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<usize> {
        self.read_watched(out, &Monitor::silent())
    }

    /// As [`AudioReader::read`], and can be cancelled while it waits.
    pub(super) fn read_watched(&mut self, out: &mut Vec<f32>, monitor: &Monitor) -> Result<usize> {
        let channels = self.format.channels as usize;
        loop {
            if self.silence > 0 {
                let frames = self.silence.min(SILENCE_FRAMES) as usize;
                self.silence -= frames as u64;
                self.at += frames as u64;
                out.resize(out.len() + frames * channels, 0.0);
                return Ok(frames);
            }
            if !self.held.is_empty() {
                let frames = self.held.len() / channels;
                self.at += frames as u64;
                out.append(&mut self.held);
                return Ok(frames);
            }
            if self.end.is_some_and(|end| self.at >= end) {
                return Ok(0);
            }
            if let Some(decoded) = self.source.next(monitor)? {
                self.place(&decoded)?;
            } else {
                let missing = self.stated_end.map_or(0, |end| end.saturating_sub(self.at));
                let bearable = (MISSING_END_S * f64::from(self.format.sample_rate)) as u64;
                if missing == 0 || missing > bearable || self.settled == 0 {
                    return Ok(0);
                }
                self.silence = missing;
            }
        }
    }

    /// Puts a decoded buffer where its time says: after silence, cut at the
    /// front, or right behind what came before.
    fn place(&mut self, decoded: &Decoded) -> Result<()> {
        let channels = self.format.channels as usize;
        let map = decoded
            .buffer
            .map_readable()
            .map_err(|source| Error::internal("a decoded block cannot be read").with_source(source))?;
        let frames = (map.len() / (4 * channels)) as i64;

        let at = self.at as i64;
        let rate = f64::from(self.format.sample_rate);
        let frame_of = |ns: i64| ((ns as f64 * 1e-9 - self.lead_s) * rate).round() as i64;
        let starts = decoded.time_ns.map_or(at, frame_of);
        let believable = self.horizon.is_none_or(|horizon| starts < horizon as i64);
        let strays = self.settled < SETTLING_FRAMES || (starts - at).abs() > (JITTER_S * rate) as i64;
        let starts = if strays && believable { starts } else { at };

        let end = self
            .end
            .map(|end| end as i64)
            .into_iter()
            .chain(decoded.until_ns.map(frame_of))
            .min();
        let cut = (at - starts).clamp(0, frames);
        let over = end.map_or(0, |end| (starts + frames - end).clamp(0, frames - cut));
        if cut + over < frames {
            self.settled = (self.settled + (frames - over - cut) as u64).min(SETTLING_FRAMES);
            self.stated_end = end.and_then(|end| u64::try_from(end).ok());
            self.silence = (starts - at).max(0) as u64;
            let bytes = |frames: i64| frames as usize * channels * 4;
            self.held.extend(
                map[bytes(cut)..bytes(frames - over)]
                    .chunks_exact(4)
                    .map(|bytes| f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            );
        }
        Ok(())
    }
}

/// Decodes `duration_s` (or all) of a file's sound from `start_s` on,
/// interleaved.
///
/// # Errors
/// As [`AudioReader`]; cancelled.
pub fn decode_audio(
    path: &Path,
    format: AudioFormat,
    start_s: f64,
    duration_s: Option<f64>,
    monitor: &Monitor,
) -> Result<Vec<f32>> {
    let mut reader = AudioReader::open_watched(path, format, start_s, monitor)?;
    let rate = f64::from(format.sample_rate);
    let wanted =
        duration_s.map(|length| (length.max(0.0) * rate).round() as usize * format.channels as usize);
    let expected_s = duration_s
        .or_else(|| reader.length_s.map(|length| length - start_s))
        .filter(|length| *length > 0.0);
    let mut samples = Vec::new();
    while wanted.is_none_or(|wanted| samples.len() < wanted)
        && reader.read_watched(&mut samples, monitor)? > 0
    {
        let done_s = samples.len() as f64 / f64::from(format.channels) / rate;
        monitor.progress(
            "Decoding sound",
            expected_s.map(|expected| (done_s / expected) as f32),
        );
    }
    if let Some(wanted) = wanted {
        samples.truncate(wanted);
    }
    Ok(samples)
}

/// Waveform peaks: `buckets` pairs of (minimum, maximum) over the whole file.
///
/// # Errors
/// As [`AudioReader`]; cancelled.
pub fn peaks(path: &Path, buckets: usize, monitor: &Monitor) -> Result<Vec<(f32, f32)>> {
    /// Enough for the eye: what a waveform of a few thousand pixels can show.
    const FORMAT: AudioFormat = AudioFormat {
        sample_rate: 22_050,
        channels: 1,
    };
    let mut pairs = vec![(0.0f32, 0.0f32); buckets];
    if buckets == 0 {
        return Ok(pairs);
    }
    let length_s = probe(path)?.duration_s;
    let frames = (length_s * f64::from(FORMAT.sample_rate)).max(1.0);
    let mut reader = AudioReader::open_watched(path, FORMAT, 0.0, monitor)?;
    let mut block = Vec::new();
    let mut at = 0usize;
    while reader.read_watched(&mut block, monitor)? > 0 {
        for sample in block.drain(..) {
            let bucket = ((at as f64 / frames * buckets as f64) as usize).min(buckets - 1);
            let (low, high) = &mut pairs[bucket];
            *low = low.min(sample);
            *high = high.max(sample);
            at += 1;
        }
        monitor.progress("Drawing the waveform", Some((at as f64 / frames) as f32));
    }
    Ok(pairs)
}
