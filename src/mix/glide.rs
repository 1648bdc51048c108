//! Gains that move without a click.

/// A gain that travels to its target in a straight line, frame by frame.
///
/// Its value depends only on how many frames passed since the target was set, so that blocks of any size give the
/// same samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glide {
    from: f32,
    target: f32,
    done: u32,
    length: u32,
}

impl Glide {
    /// A gain at rest.
    pub(super) fn at(value: f32) -> Self {
        Self {
            from: value,
            target: value,
            done: 0,
            length: 0,
        }
    }

    /// Sends it to `target` over `frames`.
    pub(super) fn send(&mut self, target: f32, frames: u32) {
        if target != self.target {
            *self = Self {
                from: self.value(),
                target,
                done: 0,
                length: frames,
            };
        }
    }

    /// Puts it on its target at once.
    pub(super) fn snap(&mut self) {
        *self = Self::at(self.target);
    }

    /// The value now.
    pub(super) fn value(&self) -> f32 {
        if self.done >= self.length {
            return self.target;
        }
        self.from + (self.target - self.from) * (self.done as f32 / self.length as f32)
    }

    /// Whether it rests at `value`.
    pub(super) fn rests_at(&self, value: f32) -> bool {
        self.done >= self.length && self.target == value
    }

    /// The value of this frame; the next call gives the next frame's.
    pub(super) fn next(&mut self) -> f32 {
        let value = self.value();
        self.done = (self.done + 1).min(self.length);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reaches_its_target_in_even_steps_and_turns_round_without_a_jump() {
        let mut gain = Glide::at(0.0);
        gain.send(1.0, 4);
        let up: Vec<f32> = (0..6).map(|_| gain.next()).collect();
        assert_eq!(up, [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
        gain.send(0.0, 4);
        gain.next();
        gain.next();
        gain.send(1.0, 2);
        assert_eq!(gain.value(), 0.5);
        assert!(!gain.rests_at(1.0));
        gain.snap();
        assert!(gain.rests_at(1.0));
    }
}
