//! A true-peak limiter with look-ahead.
//!
//! The gain of each frame depends on a bounded stretch of sound about it and is computed in whole numbers, so that
//! rendering from any position and in blocks of any size gives the same samples.

/// Highest true peak that leaves the limiter, dBTP.
pub(super) const CEILING_DB: f64 = -1.0;
/// Kept below the ceiling, because a meter interpolates by another filter than ours.
const MARGIN_DB: f64 = 0.15;
/// The gain is smoothed by two running means of this length, which together are the look-ahead of 5 ms.
const MEAN_FRAMES: usize = 111;
/// How far ahead the gain sees a peak coming.
const LOOK_AHEAD: usize = 2 * (MEAN_FRAMES - 1);
/// Sound is interpolated fourfold for the true peak (ITU-R BS.1770-4, annex 2), by this many samples to each side.
const SIDE: usize = 6;
const PHASES: usize = 3;
/// Gains are counted in millionths of a dB.
const UNIT_DB: f64 = 1e-6;
/// The gain recovers by 40 dB a second.
const RELEASE_PER_FRAME: i64 = 907;
/// The most that is taken away; louder sound than this is clipped.
const DEEPEST: i64 = -40_000_000;

/// Frames between what goes in and what comes out.
pub(super) const DELAY: usize = LOOK_AHEAD + SIDE;
/// After this many frames nothing of what the limiter heard before is left.
pub(super) const MEMORY: usize = (-DEEPEST / RELEASE_PER_FRAME) as usize + 2 * LOOK_AHEAD + 4 * SIDE + 2;

/// Frames kept for interpolation and delay.
const RING: usize = 256;
const _: () = assert!(RING > DELAY + SIDE && RING.is_power_of_two());

/// A running mean of whole numbers, exact at any length of run.
struct Mean {
    values: [i64; MEAN_FRAMES],
    at: usize,
    sum: i64,
}

impl Mean {
    fn new() -> Self {
        Self {
            values: [0; MEAN_FRAMES],
            at: 0,
            sum: 0,
        }
    }

    fn next(&mut self, value: i64) -> i64 {
        self.sum += value - self.values[self.at];
        self.values[self.at] = value;
        self.at = (self.at + 1) % MEAN_FRAMES;
        // Towards minus infinity: rounding may never lift the gain over what a peak allows.
        self.sum.div_euclid(MEAN_FRAMES as i64)
    }
}

/// The lowest of the last `LOOK_AHEAD + 1` values, by a queue of those that may still become the lowest.
struct Lowest {
    queue: [(u64, i64); RING],
    head: usize,
    length: usize,
}

impl Lowest {
    fn new() -> Self {
        Self {
            queue: [(0, 0); RING],
            head: 0,
            length: 0,
        }
    }

    fn next(&mut self, at: u64, value: i64) -> i64 {
        while self.length > 0 && self.queue[(self.head + self.length - 1) % RING].1 >= value {
            self.length -= 1;
        }
        self.queue[(self.head + self.length) % RING] = (at, value);
        self.length += 1;
        if self.queue[self.head].0 + (LOOK_AHEAD as u64) < at {
            self.head = (self.head + 1) % RING;
            self.length -= 1;
        }
        self.queue[self.head].1
    }
}

/// Limits interleaved stereo, [`DELAY`] frames late.
pub(super) struct Limiter {
    interpolation: [[f32; 2 * SIDE]; PHASES],
    /// Sound below this cannot have a true peak over the ceiling.
    harmless: f32,
    ceiling: f32,
    ring: [[f32; 2]; RING],
    /// Frames taken in.
    taken: u64,
    /// Highest interpolated value between the previous two frames that were looked at.
    gap_before: f32,
    /// Frames since the last that was over `harmless`.
    quiet_for: usize,
    lowest: Lowest,
    envelope: i64,
    means: [Mean; 2],
}

impl Limiter {
    pub(super) fn new() -> Self {
        let interpolation =
            std::array::from_fn(|phase| interpolator((phase + 1) as f64 / (PHASES + 1) as f64));
        let ceiling = 10f64.powf((CEILING_DB - MARGIN_DB) / 20.0) as f32;
        let worst = interpolation
            .iter()
            .map(|taps: &[f32; 2 * SIDE]| taps.iter().map(|tap| tap.abs()).sum::<f32>())
            .fold(1.0, f32::max);
        Self {
            interpolation,
            harmless: ceiling / worst,
            ceiling,
            ring: [[0.0; 2]; RING],
            taken: 0,
            gap_before: 0.0,
            quiet_for: RING,
            lowest: Lowest::new(),
            envelope: 0,
            means: [Mean::new(), Mean::new()],
        }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.ring = [[0.0; 2]; RING];
        self.taken = 0;
        self.gap_before = 0.0;
        self.quiet_for = RING;
        self.lowest = Lowest::new();
        self.envelope = 0;
        self.means = [Mean::new(), Mean::new()];
    }

    /// Takes `block` (interleaved stereo) in and replaces it by what comes out.
    pub(super) fn process(&mut self, block: &mut [f32]) {
        for frame in block.as_chunks_mut::<2>().0 {
            *frame = self.next(*frame);
        }
    }

    fn next(&mut self, frame: [f32; 2]) -> [f32; 2] {
        // What is not a number would stay in the gain for good.
        let frame = frame.map(|sample| if sample.is_finite() { sample } else { 0.0 });
        self.ring[self.taken as usize % RING] = frame;
        self.taken += 1;
        let loud = frame[0].abs().max(frame[1].abs()) > self.harmless;
        self.quiet_for = if loud { 0 } else { self.quiet_for.saturating_add(1) };

        let allowed = self.allowed_gain();
        let lowest = self.lowest.next(self.taken, allowed);
        self.envelope = (self.envelope + RELEASE_PER_FRAME).min(lowest).min(0);
        let smooth = self.means[0].next(self.envelope);
        let smooth = self.means[1].next(smooth);

        let out = self.frame_ago(DELAY);
        if smooth == 0 {
            return out;
        }
        let gain = 10f64.powf(smooth as f64 * UNIT_DB / 20.0) as f32;
        out.map(|sample| (sample * gain).clamp(-self.ceiling, self.ceiling))
    }

    /// The frame that came in `ago` frames before the last one.
    fn frame_ago(&self, ago: usize) -> [f32; 2] {
        // Wraps below zero into slots that are still silent.
        self.ring[(self.taken as usize).wrapping_sub(1 + ago) % RING]
    }

    /// Gain, in units, that keeps the frame of [`SIDE`] ago under the ceiling, true peaks to both sides included.
    fn allowed_gain(&mut self) -> i64 {
        if self.quiet_for > 2 * SIDE {
            self.gap_before = 0.0;
            return 0;
        }
        let gap_after = self.peak_after(SIDE);
        let [left, right] = self.frame_ago(SIDE);
        let peak = gap_after.max(self.gap_before).max(left.abs()).max(right.abs());
        self.gap_before = gap_after;
        if peak <= self.ceiling {
            return 0;
        }
        let db = 20.0 * f64::from(self.ceiling / peak).log10();
        ((db / UNIT_DB).floor() as i64).max(DEEPEST)
    }

    /// Highest interpolated value between the frame of `ago` and the next.
    fn peak_after(&self, ago: usize) -> f32 {
        let mut peaks = [0.0f32; 2 * PHASES];
        let mut sums = [0.0f32; 2 * PHASES];
        for tap in 0..2 * SIDE {
            let [left, right] = self.frame_ago(ago + SIDE - 1 - tap);
            for (phase, taps) in self.interpolation.iter().enumerate() {
                sums[2 * phase] += taps[tap] * left;
                sums[2 * phase + 1] += taps[tap] * right;
            }
        }
        for (peak, sum) in peaks.iter_mut().zip(sums) {
            *peak = sum.abs();
        }
        peaks.into_iter().fold(0.0, f32::max)
    }
}

/// Weights of the samples -5..=6 about a point `offset` after sample 0: a sinc under a raised cosine.
fn interpolator(offset: f64) -> [f32; 2 * SIDE] {
    let mut taps: [f64; 2 * SIDE] = std::array::from_fn(|tap| {
        let distance = tap as f64 - (SIDE as f64 - 1.0) - offset;
        let angle = std::f64::consts::PI * distance;
        let window = 0.5 + 0.5 * (angle / SIDE as f64).cos();
        window * angle.sin() / angle
    });
    let sum: f64 = taps.iter().sum();
    for tap in &mut taps {
        *tap /= sum;
    }
    taps.map(|tap| tap as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(samples: &[f32]) -> Vec<f32> {
        let mut block = samples.to_vec();
        block.resize(samples.len() + 2 * DELAY, 0.0);
        Limiter::new().process(&mut block);
        block.split_off(2 * DELAY)
    }

    fn true_peak_db(samples: &[f32]) -> f64 {
        let mut meter = ebur128::EbuR128::new(2, 44_100, ebur128::Mode::TRUE_PEAK).expect("meter");
        meter.add_frames_f32(samples).expect("samples");
        let peak = meter
            .true_peak(0)
            .expect("left")
            .max(meter.true_peak(1).expect("right"));
        20.0 * peak.log10()
    }

    fn stereo(frames: usize, sample: impl Fn(f64) -> f64) -> Vec<f32> {
        (0..frames)
            .flat_map(|frame| {
                let value = sample(frame as f64 / 44_100.0) as f32;
                [value, -0.5 * value]
            })
            .collect()
    }

    #[test]
    fn what_is_under_the_ceiling_passes_untouched_and_in_its_place() {
        let sound = stereo(3000, |t| 0.5 * (t * 997.0 * std::f64::consts::TAU).sin());
        assert_eq!(limited(&sound), sound);
    }

    #[test]
    fn no_true_peak_passes_the_ceiling() {
        let tau = std::f64::consts::TAU;
        // A quarter of the sample rate at 45 degrees: samples stay 3 dB below the true peak.
        let between = stereo(20_000, |t| 1.3 * (t * 11_025.0 * tau + tau / 8.0).sin());
        let bursts = stereo(60_000, |t| {
            let beat = (-30.0 * (t % 0.25)).exp();
            4.0 * beat
                * ((t * 55.0 * tau).sin() + 0.4 * (t * 3511.0 * tau).sin() + 0.2 * (t * 14_001.0 * tau).sin())
        });
        let steps = stereo(20_000, |t| if (t * 100.0) as u32 % 7 == 3 { 2.0 } else { 0.1 });
        for sound in [between, bursts, steps] {
            let peak = true_peak_db(&limited(&sound));
            assert!(peak <= CEILING_DB, "{peak} dBTP");
            assert!(peak > CEILING_DB - 1.0, "{peak} dBTP: more was taken than needed");
        }
    }

    #[test]
    fn it_recovers_and_survives_what_is_no_number() {
        let mut sound = stereo(100_000, |t| 0.25 * (t * 300.0 * std::f64::consts::TAU).sin());
        sound[2000] = f32::NAN;
        sound[2001] = f32::INFINITY;
        sound[3000] = 30.0;
        let out = limited(&sound);
        assert!(out.iter().all(|sample| sample.is_finite() && sample.abs() < 0.9));
        assert_eq!(out[2 * 60_000..], sound[2 * 60_000..]);
    }
}
