//! How a convolution is cut into blocks.

use super::axis::Axis;
use super::microkernel::SLACK;

/// Products a tile adds up before it goes back to memory: its weights fill most of the first-level cache.
const DEPTH: usize = 768;

/// Floats of a panel: half of a common second-level cache.
const PANEL: usize = 128 * 1024;

/// What a convolution is cut by.
pub(super) struct Task<'a> {
    pub(super) axes: &'a [Axis; 3],
    /// Input channels.
    pub(super) inputs: usize,
    /// Taps of the kernel.
    pub(super) taps: usize,
    /// Packed weights, and the blocks of output channels they are in.
    pub(super) weights: usize,
    pub(super) blocks: usize,
    /// Items of the batch.
    pub(super) batch: usize,
    /// Output frames, rows and columns.
    pub(super) output: [usize; 3],
}

/// How a run is cut into blocks, and the layout of a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Input channels of a panel.
    pub(super) channels: usize,
    /// Blocks of weights, output frames and output rows of a job.
    pub(super) blocks: usize,
    pub(super) frames: usize,
    pub(super) rows: usize,
    /// Frames, rows and columns of a panel.
    pub(super) extent: [usize; 3],
}

impl Plan {
    /// The plan that costs least: few samples copied twice, few columns computed in vain, all threads busy.
    pub(super) fn new(task: &Task<'_>, threads: usize) -> Self {
        let [frames, rows, _] = task.output;
        let parts = task.inputs.div_ceil((DEPTH / task.taps).max(1));
        let plan = |frames: usize, rows: usize| Self {
            channels: task.inputs.div_ceil(parts),
            blocks: task.blocks,
            frames,
            rows,
            extent: [
                frames + task.axes[0].reach,
                rows + task.axes[1].reach,
                task.output[2] + task.axes[2].reach,
            ],
        };
        let mut best = plan(1, 1);
        let mut least = best.cost(task, threads);
        for deep in doublings(frames) {
            let fits = |high: usize| plan(deep, high).panel(task) <= PANEL;
            let mut high = rows;
            while high > 1 && !fits(high) {
                high = high.div_ceil(2);
            }
            while high < rows && fits(high + 1) {
                high += 1;
            }
            for high in [high, high.div_ceil(2)] {
                // Blocks of even height leave no thin one at the end.
                let even = rows.div_ceil(rows.div_ceil(high));
                if !fits(even) {
                    continue;
                }
                for splits in doublings(task.blocks.min(threads)) {
                    let candidate = Self {
                        blocks: task.blocks.div_ceil(splits),
                        ..plan(deep, even)
                    };
                    let cost = candidate.cost(task, threads);
                    if cost < least {
                        (best, least) = (candidate, cost);
                    }
                }
            }
        }
        best
    }

    /// Jobs along output channels, frames and rows.
    pub(super) fn jobs(&self, task: &Task<'_>) -> [usize; 3] {
        let [frames, rows, _] = task.output;
        [
            task.blocks.div_ceil(self.blocks),
            frames.div_ceil(self.frames),
            rows.div_ceil(self.rows),
        ]
    }

    /// Whether the columns between two frames of a block of `rows` rows are too many to be computed in vain. They then
    /// are more than a tile overruns, which keeps a frame's last tile out of the next frame.
    pub(super) fn separates_frames(&self, rows: usize, width: usize) -> bool {
        let [_, high, wide] = self.extent;
        (high - rows) * wide + wide - width >= SLACK
    }

    /// Floats of a panel.
    fn panel(&self, task: &Task<'_>) -> usize {
        self.channels * phases(task) * self.extent.iter().product::<usize>()
    }

    /// Nanoseconds of a run, roughly.
    fn cost(&self, task: &Task<'_>, threads: usize) -> f64 {
        let [deep, high, wide] = self.extent;
        let width = task.output[2];
        let run = (self.rows - 1) * wide + width + SLACK / 4;
        let columns = if self.separates_frames(self.rows, width) {
            self.frames * run
        } else {
            (self.frames - 1) * high * wide + run
        };
        let weights = (task.weights * self.blocks / task.blocks) as f64;
        let planes = (task.inputs * phases(task) * deep) as f64;
        let [_, heights, widths] = task.axes;
        let whole_rows = heights.stride == 1 && widths.stride == 1 && widths.reach == 0;
        let copies = if whole_rows { planes } else { planes * high as f64 };
        let job = columns as f64 * weights / PRODUCTS_PER_NS
            + planes * (high * wide) as f64 * NS_PER_SAMPLE
            + copies * NS_PER_COPY
            + weights * NS_PER_WEIGHT
            + NS_PER_JOB;
        let jobs = task.batch * self.jobs(task).iter().product::<usize>();
        jobs.div_ceil(threads) as f64 * job
    }
}

// Measured on one core with AVX-512; only their proportions matter.
const PRODUCTS_PER_NS: f64 = 50.0;
const NS_PER_SAMPLE: f64 = 0.2;
const NS_PER_COPY: f64 = 20.0;
/// A weight comes from a distant cache.
const NS_PER_WEIGHT: f64 = 0.1;
const NS_PER_JOB: f64 = 2000.0;

fn phases(task: &Task<'_>) -> usize {
    task.axes.iter().map(|axis| axis.phases.len()).product()
}

/// 1, 2, 4 and so on up to `last`, and `last`.
fn doublings(last: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), |&n| Some(n * 2))
        .take_while(move |&n| n < last)
        .chain([last])
}
