//! The stream from samples to stems: STFT frames, gathered to segments of 512, masked, and turned back.
//!
//! Nothing here grows with the length of the sound: at any time it holds one segment.

use candle_core::{Device, Tensor};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

use super::{MaskExtension, SeparateOptions, Stems};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::spleeter::Spleeter;
use crate::signal::stft::{Analyser, BINS, Complex32, Synthesiser};

/// Frames of a segment: `T` of the reference's configuration.
const SEGMENT_FRAMES: usize = 512;
/// Bins that the network sees: `F` of the reference's configuration.
const KEPT_BINS: usize = 1024;
const CHANNELS: usize = 2;
const EPSILON: f32 = 1e-10;
/// Names of the voice-over in our packs and in the official checkpoints; every other stem is accompaniment.
const VOICE_NAMES: [&str; 2] = ["voice", "vocals"];

/// Masks of one segment for voice and BGM: [channel, frame, kept bin] each.
type Masks = [Vec<f32>; 2];

/// Separates interleaved 44.1 kHz stereo block by block. What goes in comes out delayed by up to a segment (12 s),
/// aligned and complete after [`Separator::finish`].
#[derive(Debug)]
pub struct Separator<'a> {
    network: &'a Spleeter,
    device: &'a Device,
    monitor: &'a Monitor,
    options: SeparateOptions,
    /// Index of the voice among the network's stems.
    voice: usize,
    analysers: [Analyser; CHANNELS],
    /// Frames of the segment in the making, one after another, for each channel.
    spectra: [Vec<Complex32>; CHANNELS],
    /// What the segment before says of the frames that this one begins with: [channel, overlap, kept bin].
    fading: Option<Masks>,
    /// Voice left and right, BGM left and right.
    lanes: [Lane; 2 * CHANNELS],
    samples_in: u64,
    samples_out: u64,
}

/// One channel of one stem.
#[derive(Debug)]
struct Lane {
    stem: usize,
    channel: usize,
    synthesiser: Synthesiser,
    masked: Vec<Complex32>,
    samples: Vec<f32>,
}

impl Lane {
    fn new(stem: usize, channel: usize) -> Self {
        Self {
            stem,
            channel,
            synthesiser: Synthesiser::default(),
            masked: vec![Complex32::default(); BINS],
            samples: Vec::new(),
        }
    }
}

impl<'a> Separator<'a> {
    /// A separator for one stretch of sound; `monitor` stops it before any segment.
    ///
    /// # Errors
    /// When the network knows no voice, or the segments would overlap by more than half.
    pub fn new(
        network: &'a Spleeter,
        device: &'a Device,
        options: &SeparateOptions,
        monitor: &'a Monitor,
    ) -> Result<Self> {
        let stems = &network.config().stems;
        let voice = stems
            .iter()
            .position(|stem| VOICE_NAMES.contains(&stem.as_str()))
            .ok_or_else(|| {
                Error::pack(format!(
                    "the separator's stems are {stems:?}, and none is the voice; name one of them voice or vocals"
                ))
            })?;
        if options.overlap_frames > SEGMENT_FRAMES / 2 {
            return Err(Error::new(
                ErrorKind::Input,
                format!(
                    "segments of {SEGMENT_FRAMES} frames cannot overlap by {}; choose {} or less",
                    options.overlap_frames,
                    SEGMENT_FRAMES / 2
                ),
            ));
        }
        Ok(Self {
            network,
            device,
            monitor,
            options: *options,
            voice,
            analysers: Default::default(),
            spectra: Default::default(),
            fading: None,
            lanes: [Lane::new(0, 0), Lane::new(0, 1), Lane::new(1, 0), Lane::new(1, 1)],
            samples_in: 0,
            samples_out: 0,
        })
    }

    /// Takes interleaved stereo and appends what became final to `out`.
    ///
    /// # Errors
    /// When the device fails; cancelled.
    pub fn push(&mut self, samples: &[f32], out: &mut Stems) -> Result<()> {
        for (channel, analyser) in self.analysers.iter_mut().enumerate() {
            analyser.push(samples.iter().skip(channel).step_by(CHANNELS).copied());
        }
        self.samples_in += (samples.len() / CHANNELS) as u64;
        self.separate_whole_segments(out)
    }

    /// Says that the sound is over and appends the rest to `out`.
    ///
    /// # Errors
    /// As [`Separator::push`].
    pub fn finish(mut self, out: &mut Stems) -> Result<()> {
        for analyser in &mut self.analysers {
            analyser.end();
        }
        self.separate_whole_segments(out)?;
        let frames = self.frames();
        if frames == 0 {
            return Ok(());
        }
        let masks = match self.fading.take() {
            // The segment before saw all there is.
            Some(masks) if frames == self.options.overlap_frames => masks,
            before => self.masks(before)?,
        };
        self.emit(&masks, frames, out);
        Ok(())
    }

    /// Frames gathered so far.
    fn frames(&self) -> usize {
        self.spectra[0].len() / BINS
    }

    fn separate_whole_segments(&mut self, out: &mut Stems) -> Result<()> {
        while self.gather() {
            let before = self.fading.take();
            let masks = self.masks(before)?;
            let shared = self.options.overlap_frames;
            let fresh = SEGMENT_FRAMES - shared;
            self.emit(&masks, fresh, out);
            if shared > 0 {
                self.fading = Some(masks.map(|mask| {
                    mask.chunks_exact(SEGMENT_FRAMES * KEPT_BINS)
                        .flat_map(|channel| &channel[fresh * KEPT_BINS..])
                        .copied()
                        .collect()
                }));
            }
        }
        Ok(())
    }

    /// Takes what frames there are; whether they make a segment.
    fn gather(&mut self) -> bool {
        while self.frames() < SEGMENT_FRAMES {
            for (analyser, spectra) in self.analysers.iter_mut().zip(&mut self.spectra) {
                let start = spectra.len();
                spectra.resize(start + BINS, Complex32::default());
                if !analyser.next_frame(&mut spectra[start..]) {
                    spectra.truncate(start);
                    return false;
                }
            }
        }
        true
    }

    /// The ratio masks of the gathered frames, padded with zeros to a segment, cross-faded with what the segment
    /// before says.
    fn masks(&self, before: Option<Masks>) -> Result<Masks> {
        self.monitor.check()?;
        let mut magnitude = vec![0.0; CHANNELS * SEGMENT_FRAMES * KEPT_BINS];
        let planes = magnitude.chunks_exact_mut(SEGMENT_FRAMES * KEPT_BINS);
        for (plane, spectra) in planes.zip(&self.spectra) {
            let rows = plane.chunks_exact_mut(KEPT_BINS);
            for (row, frame) in rows.zip(spectra.chunks_exact(BINS)) {
                for (value, bin) in row.iter_mut().zip(frame) {
                    *value = bin.norm();
                }
            }
        }
        let magnitude = Tensor::from_vec(magnitude, (1, CHANNELS, SEGMENT_FRAMES, KEPT_BINS), self.device)?;
        let stems = self
            .network
            .forward(&magnitude)?
            .iter()
            .map(|stem| Ok(stem.flatten_all()?.to_vec1()?))
            .collect::<Result<Vec<Vec<f32>>>>()?;
        let mut masks = ratio_masks(&stems, self.voice);
        if let Some(before) = before {
            for (mask, before) in masks.iter_mut().zip(&before) {
                cross_fade(mask, before, self.options.overlap_frames);
            }
        }
        Ok(masks)
    }

    /// Masks the first `frames` frames, gives their samples out and lets them go.
    fn emit(&mut self, masks: &Masks, frames: usize, out: &mut Stems) {
        let (spectra, extension) = (&self.spectra, self.options.extension);
        self.lanes.par_iter_mut().for_each(|lane| {
            let mask = &masks[lane.stem];
            let rows = mask.len() / CHANNELS / KEPT_BINS;
            let mask = &mask[lane.channel * rows * KEPT_BINS..];
            lane.samples.clear();
            let pairs = spectra[lane.channel]
                .chunks_exact(BINS)
                .zip(mask.chunks_exact(KEPT_BINS));
            for (frame, mask) in pairs.take(frames) {
                let above = match extension {
                    MaskExtension::Zeros => 0.0,
                    MaskExtension::Average => mask.iter().sum::<f32>() / KEPT_BINS as f32,
                };
                let weights = mask.iter().copied().chain(std::iter::repeat(above));
                for ((value, &bin), weight) in lane.masked.iter_mut().zip(frame).zip(weights) {
                    *value = bin * weight;
                }
                lane.synthesiser.push(&lane.masked, &mut lane.samples);
            }
        });
        let there = usize::try_from(self.samples_in - self.samples_out).unwrap_or(usize::MAX);
        let count = self.lanes[0].samples.len().min(there);
        self.samples_out += count as u64;
        for (stem, lanes) in [&mut out.voice, &mut out.bgm]
            .into_iter()
            .zip(self.lanes.chunks_exact(CHANNELS))
        {
            let frames = lanes[0].samples.iter().zip(&lanes[1].samples);
            stem.extend(frames.take(count).flat_map(|(&left, &right)| [left, right]));
        }
        for spectra in &mut self.spectra {
            spectra.drain(..frames * BINS);
        }
    }
}

/// (S^2 + eps / n) / (sum of S^2 + eps) for the voice, and the same summed over all other stems for the BGM.
fn ratio_masks(stems: &[Vec<f32>], voice: usize) -> Masks {
    let share = EPSILON / stems.len() as f32;
    let others = share * (stems.len() - 1) as f32;
    let mut bgm = vec![0.0_f32; stems[voice].len()];
    for (_, stem) in stems.iter().enumerate().filter(|&(stem, _)| stem != voice) {
        for (sum, &value) in bgm.iter_mut().zip(stem) {
            *sum += value * value;
        }
    }
    let mut voice = stems[voice].clone();
    for (voice, bgm) in voice.iter_mut().zip(&mut bgm) {
        let squared = *voice * *voice;
        let total = squared + *bgm + EPSILON;
        *voice = (squared + share) / total;
        *bgm = (*bgm + others) / total;
    }
    [voice, bgm]
}

/// Leads from `before` [channel, overlap, bin] over to the first frames of `mask` [channel, frame, bin].
fn cross_fade(mask: &mut [f32], before: &[f32], overlap: usize) {
    let planes = mask.chunks_exact_mut(SEGMENT_FRAMES * KEPT_BINS);
    for (plane, before) in planes.zip(before.chunks_exact(overlap * KEPT_BINS)) {
        let rows = plane
            .chunks_exact_mut(KEPT_BINS)
            .zip(before.chunks_exact(KEPT_BINS));
        for (i, (row, before)) in rows.enumerate() {
            let weight = (i as f32 + 0.5) / overlap as f32;
            for (now, &before) in row.iter_mut().zip(before) {
                *now = before + (*now - before) * weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_share_out_everything() {
        let check = |stems: &[f32], voice: usize, expected: [f32; 2]| {
            let stems: Vec<Vec<f32>> = stems.iter().map(|&value| vec![value]).collect();
            let [voice, bgm] = ratio_masks(&stems, voice);
            assert!((voice[0] - expected[0]).abs() < 1e-6 && (bgm[0] - expected[1]).abs() < 1e-6);
        };
        check(&[3.0, 1.0], 0, [0.9, 0.1]);
        check(&[3.0, 1.0], 1, [0.1, 0.9]);
        check(&[0.0, 0.0], 0, [0.5, 0.5]);
        check(&[1.0, 1.0, 1.0, 1.0], 2, [0.25, 0.75]);
        check(&[0.0; 5], 0, [0.2, 0.8]);
    }

    #[test]
    fn a_cross_fade_leads_over() {
        let overlap = 4;
        let mut mask = vec![1.0; CHANNELS * SEGMENT_FRAMES * KEPT_BINS];
        cross_fade(&mut mask, &vec![0.0; CHANNELS * overlap * KEPT_BINS], overlap);
        for channel in 0..CHANNELS {
            let row = |frame: usize| mask[(channel * SEGMENT_FRAMES + frame) * KEPT_BINS + 7];
            assert_eq!(
                [0, 1, 2, 3, 4, 511].map(row),
                [0.125, 0.375, 0.625, 0.875, 1.0, 1.0]
            );
        }
    }
}
