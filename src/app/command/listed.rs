//! Commands as menu, palette and cheat sheet list them, with their shortcuts.

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::{Command, Look};
use crate::app::session::Lane;
use crate::app::state::Tab;
use crate::mix::{DuckingPreset, Solo};
use crate::settings::ThemeChoice;

/// Where a command stands in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Category {
    File,
    Edit,
    Play,
    Music,
    Mix,
    View,
    Help,
}

impl Category {
    /// In the menu's order.
    pub(in crate::app) const ALL: [Self; 7] = [
        Self::File,
        Self::Edit,
        Self::Play,
        Self::Music,
        Self::Mix,
        Self::View,
        Self::Help,
    ];

    pub(in crate::app) fn label(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::Play => "Play",
            Self::Music => "Music",
            Self::Mix => "Mix",
            Self::View => "View",
            Self::Help => "Help",
        }
    }
}

/// A command as menu, palette and cheat sheet list it.
#[derive(Debug)]
pub(in crate::app) struct Listed {
    pub command: Command,
    pub label: &'static str,
    pub category: Category,
    /// The first is the one shown.
    pub shortcuts: &'static [KeyboardShortcut],
}

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

const fn command_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn listed(
    category: Category,
    command: Command,
    label: &'static str,
    shortcuts: &'static [KeyboardShortcut],
) -> Listed {
    Listed {
        command,
        label,
        category,
        shortcuts,
    }
}

/// Every command that needs no further words, in the menu's order.
pub(in crate::app) static LISTED: [Listed; 78] = {
    use Category::{Edit, File, Help, Mix, Music, Play, View};
    use Command as C;
    [
        listed(File, C::OpenVideo, "Open video…", &[command(Key::O)]),
        listed(File, C::OpenDemo, "Open demo", &[command_shift(Key::O)]),
        listed(File, C::AddMusicFolder, "Add music folder…", &[command(Key::M)]),
        listed(
            File,
            C::AddMusicFiles,
            "Add music files…",
            &[command_shift(Key::M)],
        ),
        listed(File, C::RefreshLibrary, "Look for moved and missing music", &[]),
        listed(File, C::Export, "Export…", &[command(Key::E)]),
        listed(File, C::Quit, "Quit", &[command(Key::Q)]),
        listed(Edit, C::Undo, "Undo", &[command(Key::Z)]),
        listed(Edit, C::Redo, "Redo", &[command_shift(Key::Z), command(Key::Y)]),
        listed(Edit, C::ShowModels(true), "Models…", &[command(Key::Num3)]),
        listed(Edit, C::ImportModel, "Import a network…", &[command(Key::I)]),
        listed(Edit, C::VerifyModels, "Verify all models", &[]),
        listed(Edit, C::ShowSettings(true), "Settings…", &[command(Key::Comma)]),
        listed(Play, C::PlayPause, "Play or pause", &[key(Key::Space)]),
        listed(
            Play,
            C::PlayBackward,
            "Play backward, again for faster",
            &[key(Key::J)],
        ),
        listed(Play, C::Pause, "Pause", &[key(Key::K)]),
        listed(
            Play,
            C::PlayForward,
            "Play forward, again for faster",
            &[key(Key::L)],
        ),
        listed(Play, C::PreviousFrame, "Previous frame", &[key(Key::ArrowLeft)]),
        listed(Play, C::NextFrame, "Next frame", &[key(Key::ArrowRight)]),
        listed(Play, C::BackSecond, "Back one second", &[shift(Key::ArrowLeft)]),
        listed(
            Play,
            C::ForwardSecond,
            "Forward one second",
            &[shift(Key::ArrowRight)],
        ),
        listed(Play, C::GoToStart, "Go to the start", &[key(Key::Home)]),
        listed(Play, C::GoToEnd, "Go to the end", &[key(Key::End)]),
        listed(Play, C::MarkIn, "Mark in", &[key(Key::I)]),
        listed(Play, C::MarkOut, "Mark out", &[key(Key::O)]),
        listed(Play, C::ClearMarks, "Clear marks", &[shift(Key::X)]),
        listed(
            Music,
            C::NextSuggestion,
            "Listen to the next suggestion",
            &[key(Key::ArrowDown)],
        ),
        listed(
            Music,
            C::PreviousSuggestion,
            "Listen to the previous suggestion",
            &[key(Key::ArrowUp)],
        ),
        listed(Music, C::UseSelected, "Use this music", &[key(Key::Enter)]),
        listed(Music, C::StopListening, "Stop listening", &[key(Key::Escape)]),
        listed(Music, C::DropPick, "Take the music out", &[shift(Key::Delete)]),
        listed(Music, C::FavouriteSelected, "Favourite", &[key(Key::F)]),
        listed(Music, C::HideSelected, "Hide from suggestions", &[key(Key::H)]),
        listed(Music, C::AskAgain, "Suggest again", &[command(Key::R)]),
        listed(
            Music,
            C::WindowFromPlayhead,
            "Suggest for the 32 s from here",
            &[key(Key::W)],
        ),
        listed(
            Music,
            C::WindowFromMark,
            "Suggest for the 32 s from the in mark",
            &[shift(Key::W)],
        ),
        listed(Music, C::ClearFilter, "Clear the filter", &[]),
        listed(Music, C::StartTraining, "Start training", &[]),
        listed(Music, C::PauseTraining, "Pause training", &[]),
        listed(Music, C::StopTraining, "Cancel training", &[]),
        listed(Music, C::PickVideos, "Pick finished videos…", &[]),
        listed(Music, C::RollBack, "Roll back to the model before", &[]),
        listed(Mix, C::SetSolo(Solo::Voice), "Solo voice", &[key(Key::Num1)]),
        listed(
            Mix,
            C::SetSolo(Solo::Original),
            "Solo original music",
            &[key(Key::Num2)],
        ),
        listed(
            Mix,
            C::SetSolo(Solo::Candidate),
            "Solo candidate",
            &[key(Key::Num3)],
        ),
        listed(Mix, C::SetSolo(Solo::None), "Solo nothing", &[key(Key::Num0)]),
        listed(Mix, C::ToggleMute(Lane::Voice), "Mute voice", &[key(Key::V)]),
        listed(
            Mix,
            C::ToggleMute(Lane::Original),
            "Mute original music",
            &[key(Key::N)],
        ),
        listed(
            Mix,
            C::ToggleMute(Lane::Candidate),
            "Mute candidate",
            &[key(Key::M)],
        ),
        listed(Mix, C::SetDucking(DuckingPreset::Off), "Ducking off", &[]),
        listed(Mix, C::SetDucking(DuckingPreset::Gentle), "Ducking gentle", &[]),
        listed(Mix, C::SetDucking(DuckingPreset::Normal), "Ducking normal", &[]),
        listed(Mix, C::SetDucking(DuckingPreset::Strong), "Ducking strong", &[]),
        listed(Mix, C::SetLoudness(Some(-14)), "Loudness target −14 LUFS", &[]),
        listed(Mix, C::SetLoudness(Some(-16)), "Loudness target −16 LUFS", &[]),
        listed(Mix, C::SetLoudness(Some(-23)), "Loudness target −23 LUFS", &[]),
        listed(Mix, C::SetLoudness(None), "Loudness as mixed", &[]),
        listed(Mix, C::SeparateAgain, "Separate voice and music again", &[]),
        listed(
            View,
            C::ShowPalette(true),
            "Run a command…",
            &[command(Key::K), command_shift(Key::P)],
        ),
        listed(View, C::ShowTab(Tab::Library), "Library", &[command(Key::Num1)]),
        listed(View, C::ShowTab(Tab::Training), "Training", &[command(Key::Num2)]),
        listed(
            View,
            C::ToggleLeft,
            "Show or hide the left panel",
            &[command(Key::B)],
        ),
        listed(
            View,
            C::ToggleRight,
            "Show or hide the suggestions",
            &[command_shift(Key::B)],
        ),
        listed(
            View,
            C::ToggleTimeline,
            "Show or hide the timeline",
            &[command(Key::T)],
        ),
        listed(
            View,
            C::Look(Look::Closer),
            "Magnify the timeline",
            &[key(Key::Equals), key(Key::Plus)],
        ),
        listed(
            View,
            C::Look(Look::Wider),
            "Show more of the timeline",
            &[key(Key::Minus)],
        ),
        listed(
            View,
            C::Look(Look::Whole),
            "Show the whole timeline",
            &[shift(Key::Z)],
        ),
        listed(View, C::ResetLayout, "Reset the layout", &[]),
        listed(View, C::SetTheme(ThemeChoice::System), "Theme of the system", &[]),
        listed(View, C::SetTheme(ThemeChoice::Dark), "Dark theme", &[]),
        listed(View, C::SetTheme(ThemeChoice::Light), "Light theme", &[]),
        listed(View, C::NextTheme, "Next theme", &[command_shift(Key::L)]),
        listed(View, C::ShowJobs(true), "Jobs", &[command(Key::J)]),
        listed(View, C::CancelJobs, "Cancel all jobs", &[command(Key::Period)]),
        listed(View, C::ClearJobs, "Clear finished jobs", &[]),
        listed(Edit, C::ClearCache, "Clear the cache", &[]),
        listed(
            Help,
            C::ShowShortcuts(true),
            "Keyboard shortcuts",
            &[key(Key::F1), key(Key::Questionmark)],
        ),
        listed(Help, C::ShowSettings(true), "Where everything is kept…", &[]),
    ]
};

/// A shortcut in signs: "Ctrl+,", "Shift+←", "?".
pub(in crate::app) fn keys_text(ctx: &Context, shortcut: KeyboardShortcut) -> String {
    let named = ctx.format_shortcut(&shortcut);
    let (modifiers, key) = named
        .rfind('+')
        .map_or(("", named.as_str()), |at| named.split_at(at + 1));
    let sign = match shortcut.logical_key {
        Key::ArrowUp => "↑",
        Key::ArrowDown => "↓",
        Key::ArrowLeft => "←",
        Key::ArrowRight => "→",
        Key::Questionmark => "?",
        Key::Comma => ",",
        Key::Period => ".",
        Key::Equals => "=",
        Key::Plus => "+",
        Key::Minus => "−",
        _ => key,
    };
    format!("{modifiers}{sign}")
}

impl Command {
    /// The first shortcut as [`keys_text`], for a tooltip.
    pub(in crate::app) fn keys(&self, ctx: &Context) -> Option<String> {
        let listed = LISTED.iter().find(|listed| listed.command == *self)?;
        Some(keys_text(ctx, *listed.shortcuts.first()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_shortcut() {
        let mut seen: Vec<(KeyboardShortcut, &str)> = Vec::new();
        for listed in &LISTED {
            for shortcut in listed.shortcuts {
                if let Some((_, other)) = seen.iter().find(|(known, _)| known == shortcut) {
                    panic!("{} and {other} share {shortcut:?}", listed.label);
                }
                seen.push((*shortcut, listed.label));
            }
        }
    }

    #[test]
    fn labels_are_sentence_case_without_colons() {
        for listed in &LISTED {
            assert!(
                !listed.label.ends_with(':') && !listed.label.ends_with('.'),
                "{}",
                listed.label
            );
            assert!(listed.label.starts_with(char::is_uppercase), "{}", listed.label);
        }
    }
}
