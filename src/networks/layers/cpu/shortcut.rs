//! The algorithms that multiply less than the definition does.

use super::super::geometry::Geometry;
use super::epilogue::Epilogue;
use super::temporal::Temporal;
use super::winograd::Winograd;

/// A convolution with transformed weights.
#[derive(Debug)]
pub(super) enum Shortcut {
    /// 3 x 3.
    Plane(Winograd),
    /// Three frames.
    Time(Temporal),
}

impl Shortcut {
    /// The one that fits `weights` [O, C, kt, kh, kw], if any.
    pub(super) fn new(weights: &[f32], inputs: usize, outputs: usize, geometry: &Geometry) -> Option<Self> {
        if Winograd::wins(inputs, outputs, geometry) {
            Some(Self::Plane(Winograd::new(weights, inputs, outputs, geometry)))
        } else if Temporal::wins(inputs, outputs, geometry) {
            Some(Self::Time(Temporal::new(weights, inputs, outputs, geometry)))
        } else {
            None
        }
    }

    /// Whether there is so much to do with the transformed weights, which are up to four times as many, that fetching
    /// them is worth while.
    pub(super) fn pays(&self, batch: usize, output: [usize; 3]) -> bool {
        tiles(self.along_time(), batch, output) >= 16
    }

    /// As [`Shortcut::pays`], where the weights are used once and have to be transformed first.
    pub(super) fn pays_once(geometry: &Geometry, batch: usize, output: [usize; 3]) -> bool {
        let along_time = geometry.kernel == [3, 1, 1];
        tiles(along_time, batch, output) >= if along_time { 256 } else { 64 }
    }

    fn along_time(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// Runs on `x` [N, C, T, H, W] of these sizes into [N, O, T', H', W'] of `output`'s.
    pub(super) fn run(
        &self,
        x: &[f32],
        batch: usize,
        input: [usize; 3],
        output: [usize; 3],
        epilogue: Epilogue<'_>,
    ) -> Vec<f32> {
        match self {
            Self::Plane(winograd) => winograd.run(x, batch, input, output, epilogue),
            Self::Time(temporal) => temporal.run(x, batch, input, output, epilogue),
        }
    }
}

/// Tiles of all items, of frames or of planes.
fn tiles(along_time: bool, batch: usize, [frames, height, width]: [usize; 3]) -> usize {
    if along_time {
        batch * Temporal::tiles(frames) * height * width
    } else {
        batch * frames * Winograd::tiles(height, width)
    }
}
