//! The 32 s clip that the networks see, and how shorter media fill it (reading, point 1).

use candle_core::{Device, Tensor};

use crate::error::Result;
use crate::networks::slowfast::fast_times_s;
use crate::networks::vggish::Vggish;
use crate::signal::chroma::{DEGREES, chroma};
use crate::signal::mel;

/// Length of a clip in seconds.
pub const CLIP_S: f64 = 32.0;

/// Samples of a clip at VGGish's 16 kHz.
pub(super) const CLIP_SAMPLES: usize = 512_000;

/// Repeats `samples` until they fill a clip, and cuts what is beyond.
pub(in crate::engine) fn repeat_to_clip(samples: &[f32]) -> Vec<f32> {
    samples.iter().copied().cycle().take(CLIP_SAMPLES).collect()
}

/// What a VGGish is given of at most a clip of 16 kHz mono sound.
#[derive(Debug)]
pub(in crate::engine) struct Audible {
    /// [72, 96, 64].
    pub(in crate::engine) log_mel: Vec<f32>,
    /// [72, 12]; empty where nobody takes it.
    pub(in crate::engine) chroma: Vec<f32>,
}

impl Audible {
    pub(in crate::engine) fn of(samples: &[f32], with_chroma: bool) -> Self {
        let clip = repeat_to_clip(samples);
        Self {
            log_mel: mel::patches(&mel::log_mel(&clip)),
            chroma: if with_chroma { chroma(&clip) } else { Vec::new() },
        }
    }

    /// [72, 1, 96, 64].
    pub(in crate::engine) fn patches(&self, device: &Device) -> Result<Tensor> {
        let shape = (mel::PATCHES, 1, mel::PATCH_FRAMES, mel::BANDS);
        Ok(Tensor::from_slice(&self.log_mel, shape, device)?)
    }

    /// [72, 12].
    pub(in crate::engine) fn chroma(&self, device: &Device) -> Result<Option<Tensor>> {
        let shape = (mel::PATCHES, DEGREES);
        Ok((!self.chroma.is_empty())
            .then(|| Tensor::from_slice(&self.chroma, shape, device))
            .transpose()?)
    }

    /// The rows [72, 128] that `vggish` gives of it.
    pub(in crate::engine) fn rows(&self, vggish: &Vggish, device: &Device) -> Result<Tensor> {
        vggish.rows(&self.patches(device)?, self.chroma(device)?.as_ref())
    }
}

/// When to take the 64 fast frames from a media whose clip covers `start_s..start_s + length_s`: the distinct times,
/// ascending, and for each fast frame the place of its time among them.
pub(super) fn frame_times(start_s: f64, length_s: f64) -> (Vec<f64>, Vec<usize>) {
    let wanted = fast_times_s().map(|time| start_s + if length_s > 0.0 { time % length_s } else { 0.0 });
    let mut distinct = wanted.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let places = wanted
        .iter()
        .map(|time| distinct.partition_point(|other| other < time))
        .collect();
    (distinct, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_clip_takes_its_frames_in_order() {
        let (times, places) = frame_times(4.0, CLIP_S);
        assert_eq!(times.len(), 64);
        assert_eq!((times[0], times[63]), (4.25, 35.75));
        assert_eq!(places, (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn a_short_clip_repeats() {
        let (times, places) = frame_times(0.0, 1.0);
        assert_eq!(times, [0.25, 0.75]);
        assert_eq!(&places[..4], [0, 1, 0, 1]);
        let samples = repeat_to_clip(&[1.0, 2.0, 3.0]);
        assert_eq!(
            (samples.len(), samples[3], samples[CLIP_SAMPLES - 1]),
            (CLIP_SAMPLES, 1.0, 2.0)
        );
    }
}
