//! Undo and redo.

use super::Edit;

/// Steps kept.
const DEPTH: usize = 200;

/// An edit and the way it came to be.
#[derive(Debug, Clone, Default)]
pub struct History {
    present: Edit,
    past: Vec<Step>,
    future: Vec<Step>,
    /// The label that the next change may join, while one slider is dragged.
    open: Option<String>,
}

#[derive(Debug, Clone)]
struct Step {
    label: String,
    before: Edit,
}

impl History {
    /// A history that starts at `edit`.
    pub fn new(edit: Edit) -> Self {
        Self {
            present: edit,
            ..Self::default()
        }
    }

    /// The edit as it is now.
    pub fn edit(&self) -> &Edit {
        &self.present
    }

    /// Changes the edit as one step named `label` ("Mute voice"). With `join`, changes of the same label that follow
    /// one another are one step, as while a slider is dragged. A change that changes nothing is no step.
    /// Returns whether anything changed.
    pub fn apply(&mut self, label: &str, join: bool, change: impl FnOnce(&mut Edit)) -> bool {
        let before = self.present.clone();
        change(&mut self.present);
        if self.present == before {
            return false;
        }
        self.future.clear();
        let joins = join && self.open.as_deref() == Some(label);
        if !joins {
            self.past.push(Step {
                label: label.to_owned(),
                before,
            });
            if self.past.len() > DEPTH {
                self.past.remove(0);
            }
        }
        self.open = join.then(|| label.to_owned());
        true
    }

    /// Steps back; returns what was undone.
    pub fn undo(&mut self) -> Option<String> {
        let Step { label, before } = self.past.pop()?;
        let after = std::mem::replace(&mut self.present, before);
        self.future.push(Step {
            label: label.clone(),
            before: after,
        });
        self.open = None;
        Some(label)
    }

    /// Steps forward; returns what was redone.
    pub fn redo(&mut self) -> Option<String> {
        let Step { label, before: after } = self.future.pop()?;
        let before = std::mem::replace(&mut self.present, after);
        self.past.push(Step {
            label: label.clone(),
            before,
        });
        self.open = None;
        Some(label)
    }

    /// What undo would undo.
    pub fn undo_label(&self) -> Option<&str> {
        self.past.last().map(|step| step.label.as_str())
    }

    /// What redo would redo.
    pub fn redo_label(&self) -> Option<&str> {
        self.future.last().map(|step| step.label.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_back_and_forth() {
        let mut history = History::default();
        assert!(history.apply("Mute voice", false, |edit| edit.mix.voice_muted = true));
        assert!(history.apply("Loudness", false, |edit| edit.loudness_lufs = None));
        assert!(!history.apply("Loudness", false, |edit| edit.loudness_lufs = None));
        assert_eq!(history.undo().as_deref(), Some("Loudness"));
        assert_eq!(history.edit().loudness_lufs, Some(-14.0));
        assert_eq!(history.undo_label(), Some("Mute voice"));
        assert_eq!(history.redo().as_deref(), Some("Loudness"));
        assert_eq!(history.edit().loudness_lufs, None);
        history.undo();
        history.apply("Solo", false, |edit| edit.window_start_s = 8.0);
        assert_eq!(history.redo_label(), None, "a new change ends the other future");
    }

    #[test]
    fn a_dragged_slider_is_one_step() {
        let mut history = History::default();
        for step in 1..=5_u8 {
            history.apply("Voice level", true, |edit| {
                edit.mix.voice_gain_db = f32::from(step);
            });
        }
        history.apply("Music level", true, |edit| edit.mix.original_gain_db = 1.0);
        history.undo();
        assert_eq!(history.edit().mix.voice_gain_db, 5.0);
        history.undo();
        assert_eq!(history.edit().mix.voice_gain_db, 0.0);
        assert!(history.undo().is_none());
    }
}
