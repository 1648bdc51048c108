//! From keys and dropped files to commands.

use std::path::PathBuf;

use eframe::egui::{Context, Id, Key, KeyboardShortcut, Modifiers, Popup};

use super::command::{Command, LISTED};
use super::session::State;

/// What the keyboard and the desktop ask for in this frame. Runs before any panel, so that a key is used once.
pub(super) fn commands(ctx: &Context, state: &State) -> Vec<Command> {
    let mut commands = dropped(ctx);
    if is_modal(state) {
        return commands;
    }
    let typing = ctx.text_edit_focused();
    let focused = ctx.memory(|memory| memory.focused().is_some()) && !list_has_focus(ctx);
    let popup = Popup::is_any_open(ctx);
    let escape = state.show_jobs && !typing && !popup;
    if escape && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
        commands.push(Command::ShowJobs(false));
    }
    let mut wanted: Vec<(&KeyboardShortcut, &Command)> = LISTED
        .iter()
        .flat_map(|listed| {
            listed
                .shortcuts
                .iter()
                .map(|shortcut| (shortcut, &listed.command))
        })
        .collect();
    // egui ignores extra modifiers, so the fuller shortcut is asked for first.
    wanted.sort_by_key(|(shortcut, _)| {
        std::cmp::Reverse(u8::from(shortcut.modifiers.command) + u8::from(shortcut.modifiers.shift))
    });
    for (shortcut, command) in wanted {
        let global = shortcut.modifiers.command;
        let blocked = if global {
            typing && matches!(command, Command::Undo | Command::Redo)
        } else {
            typing || popup || (focused && moves_focus(shortcut.logical_key))
        };
        if !blocked && command.enabled(state) && ctx.input_mut(|input| input.consume_shortcut(shortcut)) {
            commands.push(match command {
                // The key that opened the list closes it.
                Command::ShowJobs(true) => Command::ShowJobs(!state.show_jobs),
                other => other.clone(),
            });
        }
    }
    commands
}

/// Keys with a meaning of their own on a focused control.
fn moves_focus(key: Key) -> bool {
    matches!(
        key,
        Key::Space
            | Key::Enter
            | Key::Escape
            | Key::ArrowUp
            | Key::ArrowDown
            | Key::ArrowLeft
            | Key::ArrowRight
    )
}

fn is_modal(state: &State) -> bool {
    state.export.is_some()
        || state.prompt.is_some()
        || state.palette.is_some()
        || state.show_settings
        || state.show_shortcuts
        || state.models.shown
}

/// Where the suggestions say that one of their rows has the keyboard's focus.
pub(super) fn list_focus_id() -> Id {
    Id::unique("a suggestion has the focus")
}

/// Up, down, Enter and Escape act on the list of suggestions even while one of its rows has the focus.
fn list_has_focus(ctx: &Context) -> bool {
    ctx.data(|data| data.get_temp(list_focus_id())).unwrap_or(false)
}

/// One video is opened, everything else is music to add; a folder is always music.
fn dropped(ctx: &Context) -> Vec<Command> {
    let paths: Vec<PathBuf> = ctx.input(|input| {
        input
            .raw
            .dropped_files
            .iter()
            .map(|file| file.path().to_owned())
            .collect()
    });
    match paths.as_slice() {
        [] => Vec::new(),
        [one] if !one.is_dir() && !looks_like_music(one) => vec![Command::OpenMedia(one.clone())],
        _ => vec![Command::AddMusic(paths)],
    }
}

fn looks_like_music(path: &std::path::Path) -> bool {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    matches!(
        extension.as_str(),
        "opus" | "ogg" | "oga" | "mp3" | "flac" | "wav" | "m4a" | "aac" | "wma" | "aiff" | "aif" | "mka"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_files_are_music_and_others_are_videos() {
        for (name, expected) in [
            ("a.OPUS", true),
            ("a.mp3", true),
            ("a.mp4", false),
            ("noextension", false),
        ] {
            assert_eq!(looks_like_music(std::path::Path::new(name)), expected, "{name}");
        }
    }
}
