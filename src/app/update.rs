//! Acts on commands: the only place that changes the session on a user's wish.

mod files;
mod models;
mod music;
mod play;
mod training;
pub(super) mod view;

use super::App;
use super::command::Command;

impl App {
    /// Acts on one command; one that means nothing now is ignored.
    #[expect(clippy::too_many_lines, reason = "one line a command")]
    pub(super) fn apply(&mut self, command: Command) {
        if !command.enabled(&self.state) {
            return;
        }
        use Command as C;
        match command {
            C::OpenVideo
            | C::OpenMedia(_)
            | C::OpenDemo
            | C::AddMusicFolder
            | C::AddMusicFiles
            | C::AddMusic(_)
            | C::RefreshLibrary
            | C::ForgetTrack(_)
            | C::Chosen(..)
            | C::SetPathText(_)
            | C::AcceptPath
            | C::ClosePath
            | C::Export
            | C::SetExportPath(_)
            | C::BrowseExport
            | C::StartExport { .. }
            | C::RenameExport
            | C::CloseExport => self.apply_files(command),

            C::PlayPause
            | C::PlayBackward
            | C::Pause
            | C::PlayForward
            | C::PreviousFrame
            | C::NextFrame
            | C::BackSecond
            | C::ForwardSecond
            | C::GoToStart
            | C::GoToEnd
            | C::Seek(_)
            | C::MarkIn
            | C::MarkOut
            | C::ClearMarks
            | C::SetVolume(_)
            | C::Undo
            | C::Redo
            | C::SetSolo(_)
            | C::SetMuted(..)
            | C::ToggleMute(_)
            | C::SetGain(..)
            | C::SetDucking(_)
            | C::SetLoudness(_)
            | C::SeparateAgain => self.apply_play(&command),

            C::PreviousSuggestion
            | C::NextSuggestion
            | C::Audition(_)
            | C::AuditionTrack(_)
            | C::UseSelected
            | C::Use(_)
            | C::DropPick
            | C::StopListening
            | C::FavouriteSelected
            | C::HideSelected
            | C::SetFavourite(..)
            | C::SetHidden(..)
            | C::AskAgain
            | C::WindowFromPlayhead
            | C::WindowFromMark
            | C::SetWindow(_)
            | C::SetBalance(_)
            | C::SetFilter(_)
            | C::ClearFilter => self.apply_music(command),

            C::ChooseCorpus
            | C::PickVideos
            | C::SetCorpus(_)
            | C::SetUntil(_)
            | C::SetEpochs(_)
            | C::SetScope(_)
            | C::SetSeed(_)
            | C::SetPackName(_)
            | C::StartTraining
            | C::PauseTraining
            | C::StopTraining
            | C::ResumeTraining(_)
            | C::DiscardModel(_)
            | C::UsePack(_)
            | C::RollBack => self.apply_training(command),

            C::ShowModels(_)
            | C::VerifyModels
            | C::FetchModel(_)
            | C::DiscardDownload(_)
            | C::AskRemoveModel(_)
            | C::RemoveModel(_)
            | C::ImportModel
            | C::BrowseCheckpoint
            | C::SetImport(_)
            | C::StartImport
            | C::CloseImport => self.apply_models(command),

            C::Quit
            | C::ShowTab(_)
            | C::ToggleLeft
            | C::ToggleRight
            | C::ToggleTimeline
            | C::Look(_)
            | C::ResetLayout
            | C::SetTheme(_)
            | C::NextTheme
            | C::ShowPalette(_)
            | C::SetPaletteQuery(_)
            | C::MovePalette(_)
            | C::ShowJobs(_)
            | C::ShowSettings(_)
            | C::ShowShortcuts(_)
            | C::CancelJob(_)
            | C::CancelJobs
            | C::RetryJob(_)
            | C::ClearJobs
            | C::SetDevice(_)
            | C::SetTop(_)
            | C::SetCacheSize(_)
            | C::ClearCache
            | C::CopyText(_)
            | C::DismissNote(_) => self.apply_view(command),
        }
    }
}
