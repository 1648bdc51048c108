//! One axis of a convolution, as a panel of input samples sees it.

use std::ops::Range;

use super::super::geometry::Geometry;

/// How the taps of one axis read the panel.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) stride: usize,
    /// For each tap its index into `phases` and its shift in the panel.
    pub(super) taps: Vec<(usize, usize)>,
    /// Phases within the stride that some tap reads.
    pub(super) phases: Vec<usize>,
    /// Where the panel starts, in strides from the block's first output.
    first: isize,
    /// Samples that a block needs beyond its outputs.
    pub(super) reach: usize,
}

impl Axis {
    /// Of a convolution with `geometry`, along axis 0, 1 or 2.
    pub(super) fn of(geometry: &Geometry, axis: usize) -> Self {
        let positions: Vec<isize> = (0..geometry.kernel[axis])
            .map(|tap| (tap * geometry.dilation[axis]) as isize - geometry.padding[axis].0 as isize)
            .collect();
        Self::new(geometry.stride[axis], &positions)
    }

    /// `positions` are those of the samples that the first output sees, tap by tap; output o sees those `stride` o
    /// further on.
    pub(super) fn new(stride: usize, positions: &[isize]) -> Self {
        let positions: Vec<(usize, isize)> = positions
            .iter()
            .map(|position| {
                let phase = position.rem_euclid(stride as isize) as usize;
                (phase, position.div_euclid(stride as isize))
            })
            .collect();
        let mut phases: Vec<usize> = positions.iter().map(|&(phase, _)| phase).collect();
        phases.sort_unstable();
        phases.dedup();
        let shifts = || positions.iter().map(|&(_, shift)| shift);
        let first = shifts().min().unwrap_or(0);
        let last = shifts().max().unwrap_or(0);
        let taps = positions
            .iter()
            .map(|&(phase, shift)| {
                let index = phases.iter().position(|&known| known == phase).unwrap_or(0);
                (index, (shift - first) as usize)
            })
            .collect();
        Self {
            stride,
            taps,
            phases,
            first,
            reach: (last - first) as usize,
        }
    }

    /// The sample that the first output sees through `tap`, counted from the first sample; less than zero in the padding.
    pub(super) fn position(&self, tap: usize) -> isize {
        let (phase, shift) = self.taps[tap];
        (shift as isize + self.first) * self.stride as isize + self.phases[phase] as isize
    }

    /// The input sample behind place `index` of a panel whose block starts at output `start`.
    pub(super) fn sample(&self, start: usize, index: usize, phase: usize, size: usize) -> Option<usize> {
        let place = (start + index) as isize + self.first;
        let sample = place * self.stride as isize + phase as isize;
        usize::try_from(sample).ok().filter(|&sample| sample < size)
    }

    /// The places of a panel, `length` long and of a block that starts at output `start`, that hold samples and not
    /// zeros.
    pub(super) fn inside(&self, start: usize, phase: usize, size: usize, length: usize) -> Range<usize> {
        let first = start as isize + self.first;
        let samples = (size + self.stride - 1 - phase) / self.stride;
        let end = (samples as isize - first).clamp(0, length as isize) as usize;
        ((-first).max(0) as usize).min(end)..end
    }

    /// Copies the samples of one row to their places `inside` a panel's row, and zeros beside them.
    #[inline(always)]
    pub(super) fn copy(&self, x: &[f32], row: &mut [f32], inside: Range<usize>, phase: usize) {
        row[..inside.start].fill(0.0);
        row[inside.end..].fill(0.0);
        if inside.is_empty() {
            return;
        }
        let first = (inside.start as isize + self.first) as usize * self.stride + phase;
        let last = first + (inside.len() - 1) * self.stride;
        let places = &mut row[inside];
        match self.stride {
            1 => places.copy_from_slice(&x[first..first + places.len()]),
            // In pairs, which compilers know how to do many at a time.
            2 => {
                for (place, pair) in places.iter_mut().zip(x[first..].chunks_exact(2)) {
                    *place = pair[0];
                }
                if let (Some(place), Some(&sample)) = (places.last_mut(), x.get(last)) {
                    *place = sample;
                }
            }
            stride => {
                for (place, &sample) in places.iter_mut().zip(x[first..].iter().step_by(stride)) {
                    *place = sample;
                }
            }
        }
    }
}
