//! Short messages over the window: what ended well, what failed and what to do.

use std::time::{Duration, Instant};

use super::command::Command;

/// How a note is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteKind {
    /// Something worth knowing; goes by itself.
    Info,
    /// Something ended well; goes by itself.
    Good,
    /// Something failed; stays until it is dismissed.
    Error,
}

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub id: u64,
    pub kind: NoteKind,
    pub text: String,
    /// A button: its words and what it sends.
    pub action: Option<(String, Command)>,
    born: Instant,
}

/// The messages there are, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    next: u64,
    list: Vec<Note>,
}

const LIFE: Duration = Duration::from_secs(8);
const MOST: usize = 5;

impl Notes {
    pub(super) fn list(&self) -> &[Note] {
        &self.list
    }

    /// Adds a message; the same sentence is not shown twice.
    pub(super) fn add(&mut self, kind: NoteKind, text: impl Into<String>, action: Option<(String, Command)>) {
        let text = text.into();
        self.list.retain(|note| note.text != text);
        self.next += 1;
        self.list.push(Note {
            id: self.next,
            kind,
            text,
            action,
            born: Instant::now(),
        });
        if self.list.len() > MOST {
            self.list.remove(0);
        }
    }

    pub(super) fn error(&mut self, text: impl Into<String>) {
        self.add(NoteKind::Error, text, None);
    }

    pub(super) fn info(&mut self, text: impl Into<String>) {
        self.add(NoteKind::Info, text, None);
    }

    pub(super) fn dismiss(&mut self, id: u64) {
        self.list.retain(|note| note.id != id);
    }

    /// Drops what has been read; returns how long until the next one goes.
    pub(super) fn expire(&mut self) -> Option<Duration> {
        self.list
            .retain(|note| note.kind == NoteKind::Error || note.born.elapsed() < LIFE);
        self.list
            .iter()
            .filter(|note| note.kind != NoteKind::Error)
            .map(|note| LIFE.saturating_sub(note.born.elapsed()))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_shown_once_and_errors_stay() {
        let mut notes = Notes::default();
        notes.error("the disk is full");
        notes.error("the disk is full");
        notes.info("done");
        assert_eq!(notes.list().len(), 2);
        assert!(notes.expire().is_some());
        let id = notes.list()[0].id;
        notes.dismiss(id);
        assert_eq!(notes.list().len(), 1);
    }
}
