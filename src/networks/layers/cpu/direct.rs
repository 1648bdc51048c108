//! Convolution straight from the input, for every geometry.
//!
//! The output is cut into blocks of frames and rows. For each block the input samples that it sees are copied into a
//! panel that fits the second-level cache, zeros included, and split by their phase within the stride. In the panel each
//! tap of the kernel is a constant shift, whatever the padding, stride and dilation: neighbouring outputs lie beside each
//! other, over the ends of rows and frames, and the columns that fall between rows are computed and dropped. So there
//! is no im2col buffer, and every shape ends in the same inner loop.

use std::cell::Cell;

use rayon::prelude::*;
use rten_simd::{Isa, SimdOp};

use super::epilogue::Epilogue;
use super::kernel::Kernel;
use super::microkernel::{SLACK, Strip};
use super::plan::{Plan, Task};
use super::scratch::with_scratch;

/// Runs on `x` [N, C, T, H, W] of these sizes into [N, O, T', H', W'] of `output`'s.
pub(super) fn run(
    kernel: &Kernel,
    x: &[f32],
    batch: usize,
    input: [usize; 3],
    output: [usize; 3],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let [frames, height, width] = output;
    let task = Task {
        axes: &kernel.axes,
        inputs: kernel.inputs,
        taps: kernel.taps(),
        weights: kernel.weights.len(),
        blocks: kernel.blocks(),
        batch,
        output,
    };
    let plan = Plan::new(&task, rayon::current_num_threads());
    let [channel_jobs, frame_jobs, row_jobs] = plan.jobs(&task);
    let mut jobs: Vec<Job<'_>> = (0..batch * channel_jobs * frame_jobs * row_jobs)
        .map(|index| Job {
            kernel,
            plan,
            x,
            input,
            output,
            item: index / (channel_jobs * frame_jobs * row_jobs),
            block: index / (frame_jobs * row_jobs) % channel_jobs * plan.blocks,
            frame: index / row_jobs % frame_jobs * plan.frames,
            row: index % row_jobs * plan.rows,
            epilogue,
            y: Vec::with_capacity(plan.blocks * kernel.height * plan.frames),
        })
        .collect();
    // Each job gets the rows it writes: for each of its output channels and frames one run of whole rows.
    for (index, plane) in y.chunks_mut(height * width).enumerate() {
        let (item, output, frame) = (
            index / frames / kernel.outputs,
            index / frames % kernel.outputs,
            index % frames,
        );
        let channels = item * channel_jobs + output / (plan.blocks * kernel.height);
        let first = (channels * frame_jobs + frame / plan.frames) * row_jobs;
        for (rows, job) in plane.chunks_mut(plan.rows * width).zip(&mut jobs[first..]) {
            job.y.push(rows);
        }
    }
    jobs.into_par_iter()
        .for_each(|job| with_scratch(&SCRATCH, |scratch| Run { job, scratch }.dispatch()));
}

/// Buffers that a thread uses for job after job.
#[derive(Default)]
struct Scratch {
    panel: Vec<f32>,
    strips: Vec<f32>,
    offsets: Vec<u32>,
}

impl Scratch {
    const EMPTY: Self = Self {
        panel: Vec::new(),
        strips: Vec::new(),
        offsets: Vec::new(),
    };
}

thread_local! {
    /// Kept from run to run: fresh memory is slow to touch.
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch::EMPTY) };
}

/// One block of outputs.
struct Job<'a> {
    kernel: &'a Kernel,
    plan: Plan,
    x: &'a [f32],
    input: [usize; 3],
    output: [usize; 3],
    /// Of the batch.
    item: usize,
    /// First block of weights, output frame and output row.
    block: usize,
    frame: usize,
    row: usize,
    epilogue: Epilogue<'a>,
    /// [output channel][frame]: the rows to write.
    y: Vec<&'a mut [f32]>,
}

/// A job as an operation that is compiled for each instruction set.
struct Run<'a, 'b> {
    job: Job<'a>,
    scratch: &'b mut Scratch,
}

impl SimdOp for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { mut job, scratch } = self;
        let kernel = job.kernel;
        let Plan {
            channels,
            extent: [deep, high, wide],
            ..
        } = job.plan;
        let [_, _, width] = job.output;
        let frames = job.plan.frames.min(job.output[0] - job.frame);
        let rows = job.plan.rows.min(job.output[1] - job.row);
        let phases: usize = kernel.axes.iter().map(|axis| axis.phases.len()).product();
        let channel = phases * deep * high * wide;
        job.offsets(&mut scratch.offsets, channel);
        scratch.panel.resize(channels * channel + SLACK, 0.0);

        let columns = ((frames - 1) * high + rows - 1) * wide + width;
        let stride = columns + SLACK;
        let (taps, height) = (kernel.taps(), kernel.height);
        let block = kernel.inputs * taps * height;
        let parts = kernel.inputs.div_ceil(channels);
        let blocks = job.block..kernel.blocks().min(job.block + job.plan.blocks);
        // Strips that wait for their next part are kept; otherwise one serves block after block.
        let strip = height * stride;
        let kept = if parts == 1 { 1 } else { blocks.len() };
        scratch.strips.resize(strip * kept, 0.0);
        let separate = job.plan.separates_frames(rows, width);

        for part in 0..parts {
            let first = part * channels;
            let count = channels.min(kernel.inputs - first);
            job.pack(first, count, frames, rows, &mut scratch.panel);
            for (index, number) in blocks.clone().enumerate() {
                let depth = first * taps..(first + count) * taps;
                let weights = &kernel.weights[number * block..][depth.start * height..depth.end * height];
                let strip = &mut scratch.strips[index % kept * strip..][..strip];
                let products = Strip {
                    weights,
                    height,
                    offsets: &scratch.offsets[..depth.len()],
                    input: &scratch.panel,
                    stride,
                    add: part > 0,
                };
                if separate {
                    for frame in 0..frames {
                        let start = frame * high * wide;
                        products.run(isa, start..start + (rows - 1) * wide + width, strip);
                    }
                } else {
                    products.run(isa, 0..columns, strip);
                }
                if part + 1 == parts {
                    job.finish(number * height, frames, rows, stride, strip);
                }
            }
        }
    }
}

impl Job<'_> {
    /// Where each product of the inner loop starts in the panel: channel by channel, tap by tap.
    fn offsets(&self, offsets: &mut Vec<u32>, channel: usize) {
        let [times, heights, widths] = &self.kernel.axes;
        let [deep, high, wide] = self.plan.extent;
        offsets.clear();
        for start in (0..self.plan.channels).map(|index| index * channel) {
            for &(time_phase, time) in &times.taps {
                for &(height_phase, height) in &heights.taps {
                    for &(width_phase, width) in &widths.taps {
                        let phase = (time_phase * heights.phases.len() + height_phase) * widths.phases.len()
                            + width_phase;
                        let place = ((phase * deep + time) * high + height) * wide + width;
                        offsets.push((start + place) as u32);
                    }
                }
            }
        }
    }

    /// Copies the samples that the block sees of `count` channels from `first` on into the panel.
    #[inline(always)]
    fn pack(&self, first: usize, count: usize, frames: usize, rows: usize, panel: &mut [f32]) {
        let [times, heights, widths] = &self.kernel.axes;
        let [deep, high, wide] = self.plan.extent;
        let [input_frames, input_rows, input_width] = self.input;
        let plane = input_rows * input_width;
        let volume = input_frames * plane;
        let x = &self.x[(self.item * self.kernel.inputs + first) * volume..][..count * volume];
        let part = deep * high * wide;
        let phases = times.phases.len() * heights.phases.len() * widths.phases.len();
        for (x, panel) in x.chunks_exact(volume).zip(panel.chunks_exact_mut(phases * part)) {
            let mut parts = panel.chunks_exact_mut(part);
            for (&time_phase, &height_phase) in times
                .phases
                .iter()
                .flat_map(|time| heights.phases.iter().map(move |height| (time, height)))
            {
                let inside_rows = heights.inside(self.row, height_phase, input_rows, rows + heights.reach);
                for &width_phase in &widths.phases {
                    let Some(part) = parts.next() else { return };
                    let inside = widths.inside(0, width_phase, input_width, wide);
                    let frames = part.chunks_exact_mut(high * wide).take(frames + times.reach);
                    for (index, frame) in frames.enumerate() {
                        let Some(sample) = times.sample(self.frame, index, time_phase, input_frames) else {
                            frame.fill(0.0);
                            continue;
                        };
                        let x = &x[sample * plane..][..plane];
                        frame[..inside_rows.start * wide].fill(0.0);
                        frame[inside_rows.end * wide..].fill(0.0);
                        let Some(first) =
                            heights.sample(self.row, inside_rows.start, height_phase, input_rows)
                        else {
                            continue;
                        };
                        let frame = &mut frame[inside_rows.start * wide..inside_rows.end * wide];
                        if heights.stride == 1 && inside.len() == input_width && wide == input_width {
                            frame.copy_from_slice(&x[first * input_width..][..frame.len()]);
                            continue;
                        }
                        let rows = x[first * input_width..]
                            .chunks_exact(input_width)
                            .step_by(heights.stride);
                        for (row, x) in frame.chunks_exact_mut(wide).zip(rows) {
                            widths.copy(x, row, inside.clone(), width_phase);
                        }
                    }
                }
            }
        }
    }

    /// Writes the outputs of a strip whose first row is output channel `first`.
    #[inline(always)]
    fn finish(&mut self, first: usize, frames: usize, rows: usize, stride: usize, strip: &[f32]) {
        let [_, high, wide] = self.plan.extent;
        let [output_frames, output_rows, width] = self.output;
        let outputs = self.kernel.height.min(self.kernel.outputs - first);
        for (output, strip) in (first..first + outputs).zip(strip.chunks_exact(stride)) {
            for frame in 0..frames {
                let y = &mut self.y[(output - self.block * self.kernel.height) * frames + frame];
                let start = ((self.item * self.kernel.outputs + output) * output_frames + self.frame + frame)
                    * output_rows
                    * width
                    + self.row * width;
                for row in 0..rows {
                    let products = &strip[(frame * high + row) * wide..][..width];
                    let y = &mut y[row * width..][..width];
                    self.epilogue.write(products, output, start + row * width, y);
                }
            }
        }
    }
}
