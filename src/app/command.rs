//! Everything a user can ask of the window, as one enum.
//!
//! Menu, shortcut, palette, panels and tests all send these; `update` alone acts on them.

use std::path::PathBuf;

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::filter::Filter;
use super::session::{Lane, PathPurpose, State};
use super::state::Tab;
use crate::device::DeviceChoice;
use crate::engine::fine_tune::Scope;
use crate::jobs::JobId;
use crate::library::TrackId;
use crate::mix::{DuckingPreset, Solo};
use crate::settings::ThemeChoice;

/// One wish of the user.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    OpenVideo,
    OpenMedia(PathBuf),
    OpenDemo,
    AddMusicFolder,
    AddMusicFiles,
    AddMusic(Vec<PathBuf>),
    Export,
    Quit,

    Undo,
    Redo,

    PlayPause,
    PlayBackward,
    Pause,
    PlayForward,
    PreviousFrame,
    NextFrame,
    BackSecond,
    ForwardSecond,
    GoToStart,
    GoToEnd,
    Seek(f64),
    MarkIn,
    MarkOut,
    ClearMarks,
    SetVolume(f32),

    PreviousSuggestion,
    NextSuggestion,
    Audition(usize),
    AuditionTrack(TrackId),
    UseSelected,
    Use(usize),
    DropPick,
    StopListening,
    FavouriteSelected,
    HideSelected,
    SetFavourite(TrackId, bool),
    SetHidden(TrackId, bool),
    AskAgain,
    WindowFromPlayhead,
    WindowFromMark,
    SetWindow(f64),
    SetBalance(f32),
    SetFilter(Filter),
    ClearFilter,

    SetSolo(Solo),
    SetMuted(Lane, bool),
    ToggleMute(Lane),
    SetGain(Lane, f32),
    SetDucking(DuckingPreset),
    SetLoudness(Option<i32>),
    SeparateAgain,

    RefreshLibrary,
    ForgetTrack(TrackId),

    ChooseCorpus,
    PickVideos,
    SetCorpus(String),
    SetEpochs(usize),
    SetScope(Scope),
    SetSeed(u64),
    SetPackName(String),
    StartTraining,
    PauseTraining,
    StopTraining,
    ResumeTraining(String),
    DiscardModel(String),
    UsePack(String),
    RollBack,

    ShowTab(Tab),
    ToggleLeft,
    ToggleRight,
    ToggleTimeline,
    Look(Look),
    ResetLayout,
    SetTheme(ThemeChoice),
    NextTheme,
    ShowPalette(bool),
    SetPaletteQuery(String),
    MovePalette(i32),
    ShowJobs(bool),
    ShowSettings(bool),
    ShowShortcuts(bool),

    CancelJob(JobId),
    CancelJobs,
    RetryJob(JobId),
    ClearJobs,

    SetDevice(DeviceChoice),
    SetTop(usize),
    SetCacheSize(u32),
    ClearCache,
    SetPathText(String),
    AcceptPath,
    ClosePath,

    SetExportPath(String),
    BrowseExport,
    StartExport { overwrite: bool },
    RenameExport,
    CloseExport,
    DismissNote(u64),
    Chosen(PathPurpose, Vec<PathBuf>),
}

/// Another part of the clip on the timeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Look {
    /// Less, around the playhead.
    Closer,
    /// More, around the playhead.
    Wider,
    /// `factor` times as much detail; what is at `at_s` stays where it is.
    Zoom { at_s: f64, factor: f64 },
    /// As much, so many seconds later.
    Along(f64),
    /// All of it.
    Whole,
}

/// Where a command stands in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
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
    pub(super) const ALL: [Self; 7] = [
        Self::File,
        Self::Edit,
        Self::Play,
        Self::Music,
        Self::Mix,
        Self::View,
        Self::Help,
    ];

    pub(super) fn label(self) -> &'static str {
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
pub(super) struct Listed {
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
pub(super) static LISTED: [Listed; 75] = {
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
pub(super) fn keys_text(ctx: &Context, shortcut: KeyboardShortcut) -> String {
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
    pub(super) fn keys(&self, ctx: &Context) -> Option<String> {
        let listed = LISTED.iter().find(|listed| listed.command == *self)?;
        Some(keys_text(ctx, *listed.shortcuts.first()?))
    }

    /// Whether it would do something now.
    pub(super) fn enabled(&self, state: &State) -> bool {
        let edit = state.history.edit();
        match self {
            Self::Undo => state.history.undo_label().is_some(),
            Self::Redo => state.history.redo_label().is_some(),
            Self::PlayPause
            | Self::PlayBackward
            | Self::PlayForward
            | Self::PreviousFrame
            | Self::NextFrame
            | Self::BackSecond
            | Self::ForwardSecond
            | Self::GoToStart
            | Self::GoToEnd
            | Self::MarkIn
            | Self::MarkOut
            | Self::Seek(_)
            | Self::WindowFromPlayhead
            | Self::Look(Look::Closer | Look::Wider)
            | Self::AskAgain => state.has_clip(),
            Self::Look(Look::Whole) => state.view.is_part(state.clip_length_s()),
            Self::Pause => state.transport.playing,
            Self::SeparateAgain => state.has_sound(),
            Self::ClearMarks => edit.marks.in_s.is_some() || edit.marks.out_s.is_some(),
            Self::WindowFromMark => state.has_clip() && edit.marks.in_s.is_some(),
            Self::NextSuggestion | Self::PreviousSuggestion => !state.suggestions.rows.is_empty(),
            Self::UseSelected | Self::FavouriteSelected | Self::HideSelected => {
                state.chosen_suggestion().is_some()
            }
            Self::StopListening => state.audition.is_some(),
            Self::DropPick => edit.pick.is_some(),
            Self::ClearFilter => !state.filter.is_empty(),
            Self::Export => state.has_clip() && state.candidate().is_some(),
            Self::StartTraining => state.can_train(),
            Self::StopTraining | Self::PauseTraining => state.training.job.is_some(),
            Self::ResumeTraining(_) => state.engine.ready().is_some() && state.training.job.is_none(),
            Self::RollBack => state.window.previous_pack.is_some(),
            Self::CancelJobs => state.jobs.iter().any(|job| job.is_running()),
            Self::ClearJobs => state.jobs.iter().any(|job| !job.is_running()),
            Self::AddMusicFolder | Self::AddMusicFiles => state.engine.ready().is_some(),
            _ => true,
        }
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
