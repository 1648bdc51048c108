//! The candidate's place under the clip, and the change from one candidate to another.
//!
//! A track is heard at most once through. It starts at the in point; where it ends before the clip does, it goes on
//! from its own start with a cross-fade, until all of it was heard; then it fades out and the bed is silent. A track
//! longer than what the clip needs fades out with the clip.

use std::f32::consts::{FRAC_PI_2, PI};

use super::glide::Glide;
use super::graph::CandidateSettings;
use super::source::SampleSource;
use super::{CHUNK, RATE, SWAP_FRAMES};

/// Length of the cross-fade from a track's end to its start.
const WRAP_FRAMES: u64 = 2 * RATE as u64;

/// Where each frame of a clip finds its music: all a pure function of the position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placement {
    in_point: u64,
    /// Clip frame at which the track's end is reached.
    first_end: u64,
    /// Clip frame at which the track starts over; past `end` where it does not.
    second_start: u64,
    /// Clip frame at which the bed ends.
    end: u64,
    fade_in: u64,
    fade_out: u64,
}

impl Placement {
    pub(super) fn new(settings: &CandidateSettings, track: u64, clip: u64) -> Self {
        let frames = |seconds: f64| (seconds.max(0.0) * f64::from(RATE)).round() as u64;
        let in_point = match frames(settings.in_point_s) {
            inside if inside < track => inside,
            _ => 0,
        };
        let first_end = track - in_point;
        let cross = WRAP_FRAMES.min(first_end).min(in_point);
        let whole = track - cross;
        Self {
            in_point,
            first_end,
            second_start: if in_point > 0 { first_end - cross } else { u64::MAX },
            end: whole.min(clip),
            fade_in: frames(settings.fade_in_s),
            fade_out: frames(settings.fade_out_s),
        }
    }

    /// Fills `out` with the music under the clip's frames from `at` on, faded. `scratch` is as long as `out`.
    fn read(&self, source: &mut dyn SampleSource, at: u64, out: &mut [f32], scratch: &mut [f32]) {
        let frames = (out.len() / 2) as u64;
        if at >= self.end {
            out.fill(0.0);
            return;
        }
        if at < self.first_end {
            source.read_at(self.in_point + at, out);
        } else {
            out.fill(0.0);
        }
        if at + frames > self.second_start {
            let skipped = self.second_start.saturating_sub(at);
            let scratch = &mut scratch[..2 * (frames - skipped) as usize];
            source.read_at(at + skipped - self.second_start, scratch);
            let out = &mut out[2 * skipped as usize..];
            for (index, (out, second)) in pairs(out).zip(scratch.as_chunks::<2>().0).enumerate() {
                let [falling, rising] = self.cross(at + skipped + index as u64);
                *out = std::array::from_fn(|channel| out[channel] * falling + second[channel] * rising);
            }
        }
        self.fade(at, out);
    }

    /// Gains of the first and second run at a clip frame: equal power, since a track's end and start are not alike.
    fn cross(&self, at: u64) -> [f32; 2] {
        if at >= self.first_end {
            return [0.0, 1.0];
        }
        let part = ((at - self.second_start) as f32 + 0.5) / (self.first_end - self.second_start) as f32;
        [(part * FRAC_PI_2).cos(), (part * FRAC_PI_2).sin()]
    }

    /// Fade in at the clip's start, fade out before the bed's end.
    fn fade(&self, at: u64, out: &mut [f32]) {
        let frames = (out.len() / 2) as u64;
        if at >= self.fade_in && at + frames + self.fade_out <= self.end {
            return;
        }
        for (frame, at) in pairs(out).zip(at..) {
            let left = self.end.saturating_sub(at);
            let gain = if left == 0 {
                0.0
            } else {
                rounded(at, self.fade_in) * rounded(left, self.fade_out)
            };
            *frame = frame.map(|sample| sample * gain);
        }
    }
}

/// Where in a track of `track_s` seconds the music is that sounds `at_s` seconds into a clip; `None` once all of it was
/// heard.
pub fn heard_at_s(in_point_s: f64, track_s: f64, at_s: f64) -> Option<f64> {
    let frame = |seconds: f64| (seconds.max(0.0) * f64::from(RATE)).round() as u64;
    let settings = CandidateSettings {
        in_point_s,
        ..CandidateSettings::default()
    };
    let placement = Placement::new(&settings, frame(track_s), u64::MAX);
    let at = frame(at_s);
    let place = if at < placement.first_end {
        placement.in_point + at
    } else {
        at.checked_sub(placement.second_start)?
    };
    (at < placement.end).then(|| place as f64 / f64::from(RATE))
}

/// 0..=1 along `length` frames, with rounded ends.
fn rounded(at: u64, length: u64) -> f32 {
    if at >= length {
        return 1.0;
    }
    0.5 - 0.5 * (PI * (at as f32 / length as f32)).cos()
}

fn pairs(samples: &mut [f32]) -> impl Iterator<Item = &mut [f32; 2]> {
    samples.as_chunks_mut::<2>().0.iter_mut()
}

/// One reading of a track at one placement; several while one gives way to the next.
#[derive(Debug, Clone, Copy)]
struct Head {
    placement: Placement,
    /// 0..=1, for coming and going.
    fader: Glide,
    gain: Glide,
}

/// A track and its readings.
struct Slot {
    source: Box<dyn SampleSource>,
    heads: Vec<Head>,
}

/// More readings than this at once are cut short; each lasts 15 ms.
const HEADS: usize = 4;
const SLOTS: usize = 6;

/// The bed: the current candidate and those that are just going. The last slot is the current one.
pub(super) struct Bed {
    slots: Vec<Slot>,
    /// Whether the last slot is wanted, rather than going.
    present: bool,
    /// Sources that are no longer heard, to be dropped elsewhere.
    retired: Vec<Box<dyn SampleSource>>,
    piece: Vec<f32>,
    scratch: Vec<f32>,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::with_capacity(SLOTS + 1),
            present: false,
            retired: Vec::with_capacity(2 * SLOTS),
            piece: vec![0.0; 2 * CHUNK],
            scratch: vec![0.0; 2 * CHUNK],
        }
    }

    /// Lets the old candidate go and the new one come.
    pub(super) fn swap(
        &mut self,
        candidate: Option<Box<dyn SampleSource>>,
        settings: &CandidateSettings,
        gain: f32,
        clip: u64,
    ) {
        for slot in &mut self.slots {
            slot.leave();
        }
        self.present = candidate.is_some();
        if let Some(source) = candidate {
            if self.slots.len() >= SLOTS {
                let oldest = self.slots.remove(0);
                self.retired.push(oldest.source);
            }
            let mut slot = Slot {
                source,
                heads: Vec::with_capacity(HEADS + 1),
            };
            slot.come(settings, gain, clip);
            self.slots.push(slot);
        }
    }

    /// Brings the current candidate to new settings: a new place by a cross-fade, a new gain by a glide.
    pub(super) fn place(&mut self, settings: &CandidateSettings, gain: f32, clip: u64) {
        if !self.present {
            return;
        }
        if let Some(slot) = self.slots.last_mut() {
            slot.place(settings, gain, clip);
        }
    }

    /// Ends all changes at once.
    pub(super) fn snap(&mut self) {
        for slot in &mut self.slots {
            for head in &mut slot.heads {
                head.fader.snap();
                head.gain.snap();
            }
        }
        self.clear_gone();
    }

    /// Fills `out` (at most [`CHUNK`] frames) with the bed under the clip's frames from `at` on.
    pub(super) fn render(&mut self, at: u64, out: &mut [f32]) {
        out.fill(0.0);
        let piece = &mut self.piece[..out.len()];
        for slot in &mut self.slots {
            for head in &mut slot.heads {
                head.placement
                    .read(slot.source.as_mut(), at, piece, &mut self.scratch);
                for (out, piece) in pairs(out).zip(pairs(piece)) {
                    let gain = head.fader.next() * head.gain.next();
                    *out = std::array::from_fn(|channel| out[channel] + piece[channel] * gain);
                }
            }
        }
        self.clear_gone();
    }

    fn clear_gone(&mut self) {
        for slot in &mut self.slots {
            slot.heads.retain(|head| !head.fader.rests_at(0.0));
        }
        while let Some(gone) = self.slots.iter().position(|slot| slot.heads.is_empty()) {
            let slot = self.slots.remove(gone);
            self.retired.push(slot.source);
        }
    }

    /// A source that is no longer heard.
    pub(super) fn take_retired(&mut self) -> Option<Box<dyn SampleSource>> {
        self.retired.pop()
    }

    pub(super) fn take_error(&mut self) -> Option<crate::error::Error> {
        self.slots.iter_mut().find_map(|slot| slot.source.take_error())
    }
}

impl Slot {
    fn leave(&mut self) {
        for head in &mut self.heads {
            head.fader.send(0.0, SWAP_FRAMES);
            // What was never heard need not fade.
            if head.fader.value() == 0.0 {
                head.fader.snap();
            }
        }
    }

    fn come(&mut self, settings: &CandidateSettings, gain: f32, clip: u64) {
        if self.heads.len() >= HEADS {
            self.heads.remove(0);
        }
        let mut fader = Glide::at(0.0);
        fader.send(1.0, SWAP_FRAMES);
        self.heads.push(Head {
            placement: Placement::new(settings, self.source.frames(), clip),
            fader,
            gain: Glide::at(gain),
        });
    }

    fn place(&mut self, settings: &CandidateSettings, gain: f32, clip: u64) {
        let placement = Placement::new(settings, self.source.frames(), clip);
        match self.heads.last_mut() {
            Some(head) if head.placement == placement => {
                head.gain.send(gain, super::GLIDE_FRAMES);
                if head.fader.value() == 0.0 {
                    head.gain.snap();
                }
            }
            _ => {
                self.leave();
                self.come(settings, gain, clip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_heard_once_through() {
        let check = |in_point_s: f64, at_s: f64, expected: Option<f64>| {
            assert_eq!(
                heard_at_s(in_point_s, 30.0, at_s),
                expected,
                "{in_point_s} {at_s}"
            );
        };
        check(0.0, 0.0, Some(0.0));
        check(0.0, 29.0, Some(29.0));
        check(0.0, 30.0, None);
        check(10.0, 5.0, Some(15.0));
        check(10.0, 19.0, Some(29.0));
        // From the end on it is the start, which came in two seconds before.
        check(10.0, 20.0, Some(2.0));
        check(10.0, 27.5, Some(9.5));
        check(10.0, 28.0, None);
        assert_eq!(heard_at_s(0.0, 0.0, 0.0), None);
    }
}
