//! Short-time Fourier transform and its inverse, as Spleeter uses them (reference:
//! `_build_stft_feature` and `_inverse_stft` of `spleeter/model/__init__.py`): 4096-point
//! periodic Hann window, hop 1024, one window of zeros before the sound and as many after it as
//! the last frame needs; the inverse windows again, and is scaled by 2/3 because squared Hann
//! windows a quarter apart add up to 3/2.
//!
//! Both sides work block by block on one channel, so that sound of any length passes through.

use std::fmt;
use std::sync::Arc;

pub use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::periodic_hann;

/// Samples of a frame.
pub const WINDOW_SAMPLES: usize = 4096;
/// Samples from one frame to the next.
pub const HOP_SAMPLES: usize = 1024;
/// Bins of a frame, from 0 Hz to half the sample rate.
pub const BINS: usize = WINDOW_SAMPLES / 2 + 1;
/// 1 / (sum of squared windows), over the FFT's own gain.
const SYNTHESIS_GAIN: f32 = 2.0 / 3.0 / WINDOW_SAMPLES as f32;

fn window() -> Vec<f32> {
    periodic_hann(WINDOW_SAMPLES)
        .into_iter()
        .map(|w| w as f32)
        .collect()
}

/// Frames that `samples` samples give: ceil((n + 4096) / 1024).
pub fn frame_count(samples: u64) -> u64 {
    (samples + WINDOW_SAMPLES as u64).div_ceil(HOP_SAMPLES as u64)
}

/// Samples of one channel in, frames out.
pub struct Analyser {
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
    windowed: Vec<f32>,
    scratch: Vec<Complex32>,
    /// Samples that frames have still to read, from `start` on.
    pending: Vec<f32>,
    start: usize,
    given: u64,
    taken: u64,
    ended: bool,
}

impl fmt::Debug for Analyser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analyser")
            .field("given", &self.given)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl Default for Analyser {
    fn default() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(WINDOW_SAMPLES);
        Self {
            window: window(),
            windowed: fft.make_input_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            pending: vec![0.0; WINDOW_SAMPLES],
            start: 0,
            given: 0,
            taken: 0,
            ended: false,
        }
    }
}

impl Analyser {
    /// Appends samples. Nothing is taken after [`Analyser::end`].
    pub fn push(&mut self, samples: impl IntoIterator<Item = f32>) {
        self.pending.drain(..self.start);
        self.start = 0;
        let before = self.pending.len();
        self.pending.extend(samples);
        self.given += (self.pending.len() - before) as u64;
    }

    /// Says that no more samples come, so that the last frames can be had.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.pending.resize(self.pending.len() + WINDOW_SAMPLES, 0.0);
        }
    }

    /// Frames that [`Analyser::next_frame`] can give now.
    pub fn ready(&self) -> usize {
        if self.ended {
            (frame_count(self.given) - self.taken) as usize
        } else {
            (self.pending.len() + HOP_SAMPLES).saturating_sub(self.start + WINDOW_SAMPLES) / HOP_SAMPLES
        }
    }

    /// Writes the next frame's 2049 bins to `frame`; `false` where more samples are needed first.
    pub fn next_frame(&mut self, frame: &mut [Complex32]) -> bool {
        if self.ready() == 0 {
            return false;
        }
        let samples = &self.pending[self.start..];
        for ((value, &sample), &weight) in self.windowed.iter_mut().zip(samples).zip(&self.window) {
            *value = sample * weight;
        }
        let done = self
            .fft
            .process_with_scratch(&mut self.windowed, frame, &mut self.scratch);
        debug_assert!(done.is_ok(), "a frame has {BINS} bins");
        self.start += HOP_SAMPLES;
        self.taken += 1;
        true
    }
}

/// Frames of one channel in, samples out.
pub struct Synthesiser {
    window: Vec<f32>,
    fft: Arc<dyn ComplexToReal<f32>>,
    spectrum: Vec<Complex32>,
    windowed: Vec<f32>,
    scratch: Vec<Complex32>,
    /// The sum so far of the samples that later frames still add to.
    sum: Vec<f32>,
    taken: u64,
}

impl fmt::Debug for Synthesiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Synthesiser")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl Default for Synthesiser {
    fn default() -> Self {
        let fft = RealFftPlanner::new().plan_fft_inverse(WINDOW_SAMPLES);
        Self {
            window: window().into_iter().map(|w| w * SYNTHESIS_GAIN).collect(),
            spectrum: fft.make_input_vec(),
            windowed: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            sum: vec![0.0; WINDOW_SAMPLES],
            taken: 0,
        }
    }
}

impl Synthesiser {
    /// Takes the next frame's 2049 bins and appends the samples that became final to `out`: none
    /// for the first four frames, which are the zeros before the sound, then 1024 each. The last
    /// frame carries past the end of the sound; the caller cuts there.
    pub fn push(&mut self, frame: &[Complex32], out: &mut Vec<f32>) {
        self.spectrum.copy_from_slice(frame);
        // A real signal has real ends; the inverse ignores what rounding left there.
        self.spectrum[0].im = 0.0;
        self.spectrum[BINS - 1].im = 0.0;
        let done = self
            .fft
            .process_with_scratch(&mut self.spectrum, &mut self.windowed, &mut self.scratch);
        debug_assert!(done.is_ok(), "a frame has {BINS} bins");
        for ((sum, &value), &weight) in self.sum.iter_mut().zip(&self.windowed).zip(&self.window) {
            *sum += value * weight;
        }
        self.taken += 1;
        if self.taken > (WINDOW_SAMPLES / HOP_SAMPLES) as u64 {
            out.extend_from_slice(&self.sum[..HOP_SAMPLES]);
        }
        self.sum.copy_within(HOP_SAMPLES.., 0);
        self.sum[WINDOW_SAMPLES - HOP_SAMPLES..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(samples: usize) -> Vec<f32> {
        let mut state = 1_u32;
        (0..samples)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn there_and_back(samples: &[f32], block: usize) -> (u64, Vec<f32>) {
        let (mut analyser, mut synthesiser) = (Analyser::default(), Synthesiser::default());
        let mut frame = vec![Complex32::default(); BINS];
        let mut frames = 0;
        let mut out = Vec::new();
        let mut drain = |analyser: &mut Analyser, out: &mut Vec<f32>| {
            while analyser.next_frame(&mut frame) {
                frames += 1;
                synthesiser.push(&frame, out);
            }
        };
        for block in samples.chunks(block) {
            analyser.push(block.iter().copied());
            drain(&mut analyser, &mut out);
        }
        analyser.end();
        drain(&mut analyser, &mut out);
        out.truncate(samples.len());
        (frames, out)
    }

    #[test]
    fn every_sample_comes_back() {
        let check = |samples: usize, block: usize| {
            let given = noise(samples);
            let (frames, got) = there_and_back(&given, block);
            assert_eq!(frames, frame_count(samples as u64), "{samples} samples");
            assert_eq!(got.len(), samples);
            let worst = given
                .iter()
                .zip(&got)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-5, "{samples} samples: {worst}");
        };
        check(0, 1);
        check(1, 1);
        check(1023, 100);
        check(1024, 1024);
        check(1025, 4096);
        check(44_100, 333);
        check(100_000, 100_000);
    }

    #[test]
    fn a_tone_stands_in_its_bin() {
        let mut analyser = Analyser::default();
        analyser.push((0..8192).map(|i| (std::f32::consts::TAU * 64.0 * i as f32 / 4096.0).cos()));
        let mut frame = vec![Complex32::default(); BINS];
        for _ in 0..5 {
            assert!(analyser.next_frame(&mut frame));
        }
        assert!((frame[64].norm() - 1024.0).abs() < 0.5, "{}", frame[64].norm());
        assert!(frame[100].norm() < 0.01);
    }
}
