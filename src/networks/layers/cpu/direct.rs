//! Convolution straight from the input, for every geometry.
//!
//! The output is cut into blocks of frames and rows. For each block the input samples that it sees are copied into a
//! panel that fits the second-level cache, zeros included, and split by their phase within the stride. In the panel each
//! tap of the kernel is a constant shift, whatever the padding, stride and dilation: neighbouring outputs lie beside each
//! other, over the ends of rows and frames, and the columns that fall between rows are computed and dropped. So there
//! is no im2col buffer, and every shape ends in the same inner loop.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;
use rten_simd::{Isa, SimdOp};

use super::super::geometry::Geometry;
use super::microkernel::{SLACK, Strip, block_height};

/// Products a tile adds up before it goes back to memory: its weights fill half of the first-level cache.
const DEPTH: usize = 768;

/// Floats of a panel: half of a common second-level cache.
const PANEL: usize = 128 * 1024;

/// What follows the products.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    /// Added to each output channel.
    pub(super) bias: Option<&'a [f32]>,
    /// Added to each output.
    pub(super) sum: Option<&'a [f32]>,
    /// Outputs below it become it: 0 for ReLU, minus infinity for none.
    pub(super) floor: f32,
}

/// How the taps of one axis read the panel.
#[derive(Debug, Clone)]
struct Axis {
    stride: usize,
    /// For each tap its index into `phases` and its shift in the panel.
    taps: Vec<(usize, usize)>,
    /// Phases within the stride that some tap reads.
    phases: Vec<usize>,
    /// Where the panel starts, in strides from the block's first output.
    first: isize,
    /// Samples that a block needs beyond its outputs.
    reach: usize,
}

impl Axis {
    fn new(geometry: &Geometry, axis: usize) -> Self {
        let stride = geometry.stride[axis];
        let positions: Vec<(usize, isize)> = (0..geometry.kernel[axis])
            .map(|tap| {
                let position = (tap * geometry.dilation[axis]) as isize - geometry.padding[axis].0 as isize;
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

    /// The input sample behind place `index` of a panel whose block starts at output `start`.
    fn sample(&self, start: usize, index: usize, phase: usize, size: usize) -> Option<usize> {
        let place = (start + index) as isize + self.first;
        let sample = place * self.stride as isize + phase as isize;
        usize::try_from(sample).ok().filter(|&sample| sample < size)
    }

    /// The places of a panel, `length` long and of a block that starts at output `start`, that hold samples and not
    /// zeros.
    fn inside(&self, start: usize, phase: usize, size: usize, length: usize) -> Range<usize> {
        let first = start as isize + self.first;
        let samples = (size + self.stride - 1 - phase) / self.stride;
        let end = (samples as isize - first).clamp(0, length as isize) as usize;
        ((-first).max(0) as usize).min(end)..end
    }
}

/// A convolution with packed weights.
#[derive(Debug)]
pub(super) struct Direct {
    geometry: Geometry,
    axes: [Axis; 3],
    inputs: usize,
    outputs: usize,
    /// Output channels of a block of weights.
    height: usize,
    /// [block][input][tap][height].
    weights: Vec<f32>,
}

/// How a run is cut into blocks, and the layout of a panel.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Input channels of a panel.
    channels: usize,
    /// Output frames and rows of a block.
    frames: usize,
    rows: usize,
    /// Frames, rows and columns of a panel.
    extent: [usize; 3],
}

impl Direct {
    /// Packs `weights` [O, C, kt, kh, kw].
    pub(super) fn new(weights: &[f32], inputs: usize, outputs: usize, geometry: Geometry) -> Self {
        let height = block_height(outputs);
        let depth = inputs * geometry.kernel.iter().product::<usize>();
        let mut packed = vec![0.0; outputs.next_multiple_of(height) * depth];
        for (output, row) in weights.chunks_exact(depth).enumerate() {
            let block = &mut packed[output / height * depth * height..][..depth * height];
            for (place, &weight) in block.iter_mut().skip(output % height).step_by(height).zip(row) {
                *place = weight;
            }
        }
        Self {
            geometry,
            axes: std::array::from_fn(|axis| Axis::new(&geometry, axis)),
            inputs,
            outputs,
            height,
            weights: packed,
        }
    }

    /// Input channels.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output channels.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Kernel, stride, dilation and padding.
    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The weights as they were before they were packed, and their shape [O, C, kt, kh, kw].
    pub(super) fn unpack(&self) -> ([usize; 5], Vec<f32>) {
        let [time, height, width] = self.geometry.kernel;
        let depth = self.inputs * time * height * width;
        let weights = (0..self.outputs)
            .flat_map(|output| {
                let block = &self.weights[output / self.height * depth * self.height..];
                block[output % self.height..]
                    .iter()
                    .step_by(self.height)
                    .take(depth)
            })
            .copied()
            .collect();
        ([self.outputs, self.inputs, time, height, width], weights)
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
        let [frames, height, width] = output;
        let plan = self.plan(batch, output);
        let mut y = vec![0.0; batch * self.outputs * frames * height * width];
        let blocks = (frames.div_ceil(plan.frames), height.div_ceil(plan.rows));
        let mut jobs: Vec<Job<'_>> = (0..batch * blocks.0 * blocks.1)
            .map(|index| Job {
                layer: self,
                plan,
                x,
                input,
                output,
                item: index / (blocks.0 * blocks.1),
                frame: index / blocks.1 % blocks.0 * plan.frames,
                row: index % blocks.1 * plan.rows,
                epilogue,
                y: Vec::with_capacity(self.outputs * plan.frames),
            })
            .collect();
        // Each job gets the rows it writes: for each output channel and frame one run of whole rows.
        for (index, frame) in y.chunks_mut(height * width).enumerate() {
            let item = index / frames / self.outputs;
            let block = (item * blocks.0 + index % frames / plan.frames) * blocks.1;
            for (rows, job) in frame.chunks_mut(plan.rows * width).zip(&mut jobs[block..]) {
                job.y.push(rows);
            }
        }
        jobs.into_par_iter().for_each(|job| {
            let mut scratch = SCRATCH.take();
            Run {
                job,
                scratch: &mut scratch,
            }
            .dispatch();
            SCRATCH.set(scratch);
        });
        y
    }

    /// The blocks that cost least: few samples copied twice, few columns computed in vain, all threads busy.
    fn plan(&self, batch: usize, [frames, rows, width]: [usize; 3]) -> Plan {
        let taps: usize = self.geometry.kernel.iter().product();
        let parts = self.inputs.div_ceil((DEPTH / taps).max(1));
        let channels = self.inputs.div_ceil(parts);
        let phases: usize = self.axes.iter().map(|axis| axis.phases.len()).product();
        let extent = |block: [usize; 2]| {
            [
                block[0] + self.axes[0].reach,
                block[1] + self.axes[1].reach,
                width + self.axes[2].reach,
            ]
        };
        let threads = rayon::current_num_threads();
        let whole_rows = self.axes[1].stride == 1 && self.axes[2].stride == 1 && self.axes[2].reach == 0;
        let cost = |block: [usize; 2]| {
            let [deep, high, wide] = extent(block);
            let jobs = batch * frames.div_ceil(block[0]) * rows.div_ceil(block[1]);
            let columns = if self.separate_frames(block[1], extent(block), width) {
                block[0] * ((block[1] - 1) * wide + width + SLACK / 4)
            } else {
                ((block[0] - 1) * high + block[1] - 1) * wide + width + SLACK / 4
            };
            // Nanoseconds, roughly: a product, a copied sample, a copied row, a weight fetched from afar, the start
            // of a job.
            let weights = self.weights.len() as f64;
            let planes = (self.inputs * phases * deep) as f64;
            let pieces = if whole_rows { planes } else { planes * high as f64 };
            let job = columns as f64 * weights / 50.0
                + planes * (high * wide) as f64 * 0.2
                + pieces * 20.0
                + weights * 0.1
                + 2000.0;
            jobs.div_ceil(threads) as f64 * job
        };
        let mut best = ([1, 1], f64::INFINITY);
        let mut deep = 1;
        loop {
            let fits =
                |high: usize| extent([deep, high]).iter().product::<usize>() * channels * phases <= PANEL;
            let mut high = rows;
            while high > 1 && !fits(high) {
                high = high.div_ceil(2);
            }
            while high < rows && fits(high + 1) {
                high += 1;
            }
            for candidate in [high, high.div_ceil(2)] {
                // Blocks of even height leave no thin one at the end.
                let even = rows.div_ceil(rows.div_ceil(candidate));
                let cost = cost([deep, even]);
                if cost < best.1 && (fits(even) || best.1.is_infinite()) {
                    best = ([deep, even], cost);
                }
            }
            if deep == frames {
                break;
            }
            deep = (deep * 2).min(frames);
        }
        let [frames, rows] = best.0;
        Plan {
            channels,
            frames,
            rows,
            extent: extent(best.0),
        }
    }

    /// Whether the columns between two frames are too many to be computed in vain. They then are more than a tile
    /// overruns, which keeps a frame's last tile out of the next frame.
    fn separate_frames(&self, rows: usize, [_, high, wide]: [usize; 3], width: usize) -> bool {
        (high - rows) * wide + wide - width >= SLACK
    }
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
    layer: &'a Direct,
    plan: Plan,
    x: &'a [f32],
    input: [usize; 3],
    output: [usize; 3],
    /// Of the batch.
    item: usize,
    /// First output frame and row.
    frame: usize,
    row: usize,
    epilogue: Epilogue<'a>,
    /// [O][frame]: the rows to write.
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
        let layer = job.layer;
        let Plan {
            channels,
            extent: [deep, high, wide],
            ..
        } = job.plan;
        let [_, _, width] = job.output;
        let frames = job.plan.frames.min(job.output[0] - job.frame);
        let rows = job.plan.rows.min(job.output[1] - job.row);
        let phases: usize = layer.axes.iter().map(|axis| axis.phases.len()).product();
        let channel = phases * deep * high * wide;
        job.offsets(&mut scratch.offsets, channel);
        scratch.panel.resize(channels * channel + SLACK, 0.0);

        let columns = ((frames - 1) * high + rows - 1) * wide + width;
        let stride = columns + SLACK;
        let taps: usize = layer.geometry.kernel.iter().product();
        let height = layer.height;
        let block = layer.inputs * taps * height;
        let parts = layer.inputs.div_ceil(channels);
        let blocks = layer.weights.len() / block;
        let strip = height * stride;
        scratch
            .strips
            .resize(if parts == 1 { strip } else { strip * blocks }, 0.0);
        let separate = layer.separate_frames(rows, [deep, high, wide], width);

        for part in 0..parts {
            let first = part * channels;
            let count = channels.min(layer.inputs - first);
            job.pack(first, count, frames, rows, &mut scratch.panel);
            for index in 0..blocks {
                let depth = first * taps..(first + count) * taps;
                let weights = &layer.weights[index * block..][depth.start * height..depth.end * height];
                let strip = if parts == 1 {
                    &mut scratch.strips[..]
                } else {
                    &mut scratch.strips[index * strip..][..strip]
                };
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
                    job.finish(index * height, frames, rows, stride, strip);
                }
            }
        }
    }
}

impl Job<'_> {
    /// Where each product of the inner loop starts in the panel: channel by channel, tap by tap.
    fn offsets(&self, offsets: &mut Vec<u32>, channel: usize) {
        let [times, heights, widths] = &self.layer.axes;
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
        let [times, heights, widths] = &self.layer.axes;
        let [deep, high, wide] = self.plan.extent;
        let [input_frames, input_rows, input_width] = self.input;
        let plane = input_rows * input_width;
        let volume = input_frames * plane;
        let x = &self.x[(self.item * self.layer.inputs + first) * volume..][..count * volume];
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
        let outputs = self.layer.height.min(self.layer.outputs - first);
        let Epilogue { bias, sum, floor } = self.epilogue;
        for (output, strip) in (first..first + outputs).zip(strip.chunks_exact(stride)) {
            let bias = bias.map_or(0.0, |bias| bias[output]);
            for frame in 0..frames {
                let y = &mut self.y[output * frames + frame];
                let start = ((self.item * self.layer.outputs + output) * output_frames + self.frame + frame)
                    * output_rows
                    * width
                    + self.row * width;
                let sum = sum.map(|sum| &sum[start..start + y.len()]);
                for row in 0..rows {
                    let products = &strip[(frame * high + row) * wide..][..width];
                    let y = &mut y[row * width..][..width];
                    match sum {
                        Some(sum) => {
                            let sum = &sum[row * width..][..width];
                            for ((y, &product), &sum) in y.iter_mut().zip(products).zip(sum) {
                                *y = at_least(product + bias + sum, floor);
                            }
                        }
                        None => {
                            for (y, &product) in y.iter_mut().zip(products) {
                                *y = at_least(product + bias, floor);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Axis {
    /// Copies the samples of one row to their places `inside` a panel's row, and zeros beside them.
    #[inline(always)]
    fn copy(&self, x: &[f32], row: &mut [f32], inside: Range<usize>, phase: usize) {
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

/// max(x, floor) that lets NaN through, as PyTorch's ReLU does.
#[inline(always)]
fn at_least(x: f32, floor: f32) -> f32 {
    if x < floor { floor } else { x }
}
