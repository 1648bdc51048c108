//! stdout for results, stderr for everything else.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::jobs::Report;

/// How often a bar is drawn, and how often a plain line is written at most.
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(2);
const BAR_WIDTH: usize = 24;

/// Writes `text` to stdout.
///
/// # Errors
/// When stdout cannot be written. A reader that has gone away (`| head`) is none.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io(Path::new("standard output"), "write", source))
        }
        _ => Ok(()),
    }
}

/// Writes `value` to stdout as one JSON document.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| Error::internal("the result cannot be written as JSON").with_source(source))?;
    print(&(text + "\n"))
}

/// Writes one line to stderr, whatever the text holds.
pub(super) fn complain(text: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr().lock(), "undertone: {}", one_line(text));
}

/// `text` without the control characters that a file name or a tag may smuggle into a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Shows the progress of one job on stderr: a bar on a terminal, plain lines otherwise.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    last: Option<Instant>,
    /// Every stage that a plain line has told of.
    stages: HashSet<String>,
    /// Two sides of a job may run at once and each tell of its own part; the bar only grows.
    fraction: f32,
    bar_is_there: bool,
}

impl Progress {
    pub(super) fn on_stderr() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            shown: Mutex::default(),
        }
    }

    pub(super) fn take(&self, report: Report) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match report {
            Report::Warning(message) => {
                shown.wipe();
                complain(&message);
            }
            Report::Progress { stage, fraction } => self.advance(&mut shown, &one_line(&stage), fraction),
        }
    }

    /// Takes the bar away before a result or an error is written.
    pub(super) fn finish(&self) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).wipe();
    }

    fn advance(&self, shown: &mut Shown, stage: &str, fraction: Option<f32>) {
        let pause = if self.is_terminal { BAR_EVERY } else { LINE_EVERY };
        let recent = shown.last.is_some_and(|last| last.elapsed() < pause);
        // A log wants every stage once and then now and then how far it is.
        if recent && (self.is_terminal || shown.stages.contains(stage)) {
            return;
        }
        shown.last = Some(Instant::now());
        if !self.is_terminal && !shown.stages.contains(stage) {
            shown.stages.insert(stage.to_owned());
        }
        let fraction = fraction.map(|fraction| {
            shown.fraction = shown.fraction.max(fraction);
            shown.fraction
        });
        let mut stderr = io::stderr().lock();
        let _ = if self.is_terminal {
            shown.bar_is_there = true;
            write!(stderr, "\r\x1b[K{}", bar_line(stage, fraction)).and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{}", plain_line(stage, fraction))
        };
    }
}

impl Shown {
    fn wipe(&mut self) {
        if std::mem::take(&mut self.bar_is_there) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn bar_line(stage: &str, fraction: Option<f32>) -> String {
    let Some(fraction) = fraction else {
        return stage.to_owned();
    };
    let done = (fraction * BAR_WIDTH as f32).round() as usize;
    format!(
        "{:3.0} % {}{} {stage}",
        fraction * 100.0,
        "━".repeat(done),
        "─".repeat(BAR_WIDTH - done)
    )
}

fn plain_line(stage: &str, fraction: Option<f32>) -> String {
    fraction.map_or_else(
        || stage.to_owned(),
        |fraction| format!("{:3.0} % {stage}", fraction * 100.0),
    )
}

/// Rows of text with the columns in line.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl Table {
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| one_line(&cell)).to_vec());
    }

    /// The rows as lines, columns two blanks apart.
    pub(super) fn lines(&self, align: &[Align]) -> String {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width_of(cell))
                .max()
        };
        let widths: Vec<usize> = (0..align.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), align) in row.iter().zip(&widths).zip(align) {
                let blanks = " ".repeat(width - width_of(cell));
                match align {
                    Align::Left => line += &format!("{cell}{blanks}  "),
                    Align::Right => line += &format!("{blanks}{cell}  "),
                }
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

fn width_of(cell: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line() {
        let mut table = Table::default();
        table.row(["1".to_owned(), "雨の歌".to_owned(), "x".to_owned()]);
        table.row(["10".to_owned(), "a\u{1b}[2J\nb".to_owned(), "y".to_owned()]);
        let lines = table.lines(&[Align::Right, Align::Left, Align::Left]);
        assert_eq!(lines, " 1  雨の歌   x\n10  a\u{fffd}[2J\u{fffd}b  y\n");
    }

    #[test]
    fn bars_fill() {
        assert_eq!(
            bar_line("a", Some(0.5)),
            format!(" 50 % {}{} a", "━".repeat(12), "─".repeat(12))
        );
        assert_eq!(plain_line("a", Some(0.25)), " 25 % a");
        assert_eq!(plain_line("a", None), "a");
    }
}
