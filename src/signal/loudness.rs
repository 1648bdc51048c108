//! Loudness after EBU R128.

use std::fmt;

use ebur128::{EbuR128, Mode};

use crate::error::{Error, ErrorKind, Result};

/// Measures interleaved sound, block by block; memory grows by one number per 100 ms.
pub struct Meter {
    meter: EbuR128,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("sample_rate", &self.meter.rate())
            .field("channels", &self.meter.channels())
            .finish_non_exhaustive()
    }
}

impl Meter {
    /// A meter for `channels` at `sample_rate`.
    ///
    /// # Errors
    /// When the meter refuses the format.
    pub fn new(sample_rate: u32, channels: u32) -> Result<Self> {
        let meter = EbuR128::new(channels, sample_rate, Mode::I | Mode::TRUE_PEAK).map_err(|source| {
            Error::new(
                ErrorKind::Input,
                format!(
                    "the loudness of {channels} channels at {sample_rate} Hz cannot be measured; convert \
                     the sound to stereo at 44100 or 48000 Hz"
                ),
            )
            .with_source(source)
        })?;
        Ok(Self { meter })
    }

    /// Takes interleaved samples, whole frames at a time.
    ///
    /// # Errors
    /// When the last frame is incomplete.
    pub fn add(&mut self, samples: &[f32]) -> Result<()> {
        self.meter.add_frames_f32(samples).map_err(|source| {
            Error::internal(format!(
                "the loudness meter was given {} samples of {} channels",
                samples.len(),
                self.meter.channels()
            ))
            .with_source(source)
        })
    }

    /// Integrated loudness in LUFS, gated; `None` for silence and for less than 400 ms.
    pub fn integrated_lufs(&self) -> Option<f64> {
        self.meter.loudness_global().ok().filter(|lufs| lufs.is_finite())
    }

    /// Highest true peak of all channels so far in dBTP; minus infinity for silence.
    pub fn true_peak_db(&self) -> f64 {
        let peak = (0..self.meter.channels())
            .filter_map(|channel| self.meter.true_peak(channel).ok())
            .fold(0.0, f64::max);
        20.0 * peak.log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stereo_sine(hz: f64, amplitude: f64, sample_rate: u32, seconds: f64) -> Vec<f32> {
        (0..(seconds * f64::from(sample_rate)) as usize)
            .flat_map(|i| {
                let phase = std::f64::consts::TAU * hz * i as f64 / f64::from(sample_rate);
                [(amplitude * phase.sin()) as f32; 2]
            })
            .collect()
    }

    /// EBU Tech 3341, cases 1 and 2: a stereo sine of 1 kHz at -23 dBFS measures -23 LUFS.
    #[test]
    fn the_reference_tone_measures_as_the_norm_says() {
        let check = |level_db: f64, sample_rate: u32| {
            let mut meter = Meter::new(sample_rate, 2).expect("meter");
            let amplitude = 10_f64.powf(level_db / 20.0);
            for block in stereo_sine(1000.0, amplitude, sample_rate, 10.0).chunks(4096) {
                meter.add(block).expect("block");
            }
            let lufs = meter.integrated_lufs().expect("sound");
            assert!((lufs - level_db).abs() < 0.1, "{lufs} for {level_db}");
            assert!(
                (meter.true_peak_db() - level_db).abs() < 0.2,
                "{}",
                meter.true_peak_db()
            );
        };
        check(-23.0, 48_000);
        check(-33.0, 44_100);
    }

    #[test]
    fn the_gate_leaves_pauses_out() {
        let mut meter = Meter::new(48_000, 2).expect("meter");
        meter.add(&stereo_sine(1000.0, 0.1, 48_000, 5.0)).expect("tone");
        meter.add(&vec![0.0; 48_000 * 2 * 20]).expect("pause");
        let lufs = meter.integrated_lufs().expect("sound");
        assert!((lufs + 20.0).abs() < 0.2, "{lufs}");
    }

    #[test]
    fn silence_has_no_loudness() {
        let mut meter = Meter::new(44_100, 2).expect("meter");
        assert_eq!(meter.integrated_lufs(), None);
        meter.add(&vec![0.0; 88_200]).expect("silence");
        assert_eq!(meter.integrated_lufs(), None);
        assert_eq!(meter.true_peak_db(), f64::NEG_INFINITY);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(Meter::new(0, 2).is_err());
        let mut meter = Meter::new(44_100, 2).expect("meter");
        assert!(meter.add(&[0.0; 3]).is_err());
    }
}
