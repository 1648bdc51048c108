//! The user's music: search, chips, every track with its waveform, what failed and what is missing.

use eframe::egui::{
    self, Align, Align2, Button, Id, Layout, Popup, Rect, RectAlign, RichText, Role, ScrollArea, Sense,
    Stroke, TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::{Commands, filter_chips, status};
use crate::app::command::Command;
use crate::app::filter::Filter;
use crate::app::session::State;
use crate::app::state::Tab;
use crate::app::theme;
use crate::app::widgets::icon::{self, Icon, icon_button};
use crate::app::widgets::waveform;
use crate::library::Track;
use crate::words;

const ROW: f32 = 28.0;
const EDGE: f32 = 14.0;
const FOOTER: f32 = 30.0;

/// Library and training, and the + that adds music.
pub(super) fn tabs_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let (bar, _) = ui.allocate_exact_size(vec2(ui.available_width(), 40.0), Sense::hover());
    ui.painter()
        .hline(bar.x_range(), bar.bottom(), Stroke::new(1.0, tokens.line));
    let inside = bar.shrink2(vec2(EDGE, 0.0));
    let mut row = ui.new_child(
        UiBuilder::new()
            .max_rect(inside)
            .layout(Layout::left_to_right(Align::Center)),
    );
    row.spacing_mut().item_spacing.x = 16.0;
    for (tab, name) in [(Tab::Library, "Library"), (Tab::Training, "Training")] {
        let active = state.window.tab == tab;
        let font = if active { theme::strong() } else { theme::body() };
        let colour = if active { tokens.text } else { tokens.muted };
        let galley = row.painter().layout_no_wrap(name.to_owned(), font, colour);
        let (rect, response) = row.allocate_exact_size(vec2(galley.size().x, bar.height()), Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::Tab, true, active, name));
        let at = Align2::LEFT_CENTER.anchor_size(rect.left_center(), galley.size());
        row.painter().galley(at.min, galley, colour);
        if active {
            row.painter().hline(
                rect.x_range(),
                bar.bottom() - 0.5,
                Stroke::new(2.0, tokens.accent),
            );
        }
        theme::focus_ring(&row, rect.expand2(vec2(4.0, -8.0)), &response);
        if response.clicked() {
            commands.push(Command::ShowTab(tab));
        }
    }
    let mut right = ui.new_child(
        UiBuilder::new()
            .max_rect(inside)
            .layout(Layout::right_to_left(Align::Center)),
    );
    let add = icon_button(&mut right, Icon::Plus, "Add music", true);
    Popup::menu(&add).align(RectAlign::BOTTOM_END).show(|ui| {
        ui.set_min_width(220.0);
        for (label, command) in [
            ("Add music folder…", Command::AddMusicFolder),
            ("Add music files…", Command::AddMusicFiles),
        ] {
            if ui
                .add_enabled(command.enabled(state), Button::new(label))
                .clicked()
            {
                commands.push(command);
                ui.close();
            }
        }
        if ui.button("Look for moved and missing music").clicked() {
            commands.push(Command::RefreshLibrary);
            ui.close();
        }
    });
}

pub(super) fn library_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let library = &state.library;
    let list_bottom = ui.max_rect().bottom() - FOOTER;
    if library.tracks.is_empty() {
        empty_ui(ui, state, commands);
    } else {
        search_ui(ui, state, commands);
        let list = Rect::from_min_max(ui.cursor().min, pos2(ui.max_rect().right(), list_bottom));
        ui.scope_builder(UiBuilder::new().max_rect(list), |ui| {
            if library.shown.is_empty() {
                nothing_ui(ui, state, commands);
            } else {
                rows_ui(ui, state, commands);
            }
        });
    }
    let bar = Rect::from_min_max(pos2(ui.max_rect().left(), list_bottom), ui.max_rect().max);
    footer_ui(ui, bar, state);
}

fn search_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let margin = egui::Margin {
        left: EDGE as i8,
        right: EDGE as i8,
        top: 10,
        bottom: 8,
    };
    egui::Frame::new().inner_margin(margin).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 8.0;
        let mut text = state.filter.text.clone();
        let field = TextEdit::singleline(&mut text)
            .hint_text("Search titles, tags…")
            .desired_width(f32::INFINITY)
            .margin(vec2(10.0, 5.0));
        if ui.add(field).accessible_name("Search titles and tags").changed() {
            commands.push(Command::SetFilter(Filter {
                text,
                ..state.filter.clone()
            }));
        }
        filter_chips::chips_ui(ui, state, commands);
    });
}

fn rows_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let shown = &state.library.shown;
    ScrollArea::vertical()
        .id_salt("library")
        .auto_shrink(false)
        .show_rows(ui, ROW, shown.len(), |ui, range| {
            for at in range {
                if let Some(track) = shown.get(at).and_then(|at| state.library.tracks.get(*at)) {
                    row_ui(ui, track, state, commands);
                }
            }
        });
}

fn row_ui(ui: &mut Ui, track: &Track, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let rect = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), ROW));
    ui.advance_cursor_after_rect(rect);
    let response = ui.interact(rect, Id::unique(("track", track.id)), Sense::click());
    let sounds = state
        .candidate()
        .is_some_and(|candidate| candidate.track_id == track.id.0);
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, sounds, spoken(track)));
    let usable = track.problem.is_none() && !track.missing;
    if response.clicked() && usable {
        commands.push(Command::AuditionTrack(track.id));
    }
    if sounds {
        ui.painter().rect_filled(rect, 0.0, tokens.selected);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, tokens.raised);
    }
    theme::focus_ring(ui, rect, &response);
    paint(ui, rect, track, sounds);
    let response = match (&track.problem, track.missing) {
        (Some(problem), _) => response.on_hover_text(problem),
        (None, true) => response.on_hover_text(format!(
            "Not found at {}; it stays in the library",
            track.path.display()
        )),
        (None, false) => response.on_hover_ui(|ui| track_words(ui, track)),
    };
    response.context_menu(|ui| menu_ui(ui, track, commands));
}

/// What the row has no room for.
fn track_words(ui: &mut Ui, track: &Track) {
    let tokens = theme::tokens(ui);
    ui.label(theme::strong_text(&track.title));
    if let Some(artist) = &track.artist {
        ui.label(RichText::new(artist).color(tokens.muted));
    }
    if !track.tags.is_empty() {
        ui.label(theme::small_text(track.tags.join(" · ")).color(tokens.muted));
    }
    if let Some(licence) = &track.licence {
        ui.label(theme::small_text(licence).color(tokens.dim));
    }
}

fn spoken(track: &Track) -> String {
    let state = match (&track.problem, track.missing) {
        (Some(_), _) => ", could not be read",
        (None, true) => ", missing",
        (None, false) => "",
    };
    format!("Track {}, {}{state}", track.title, words::clock(track.duration_s))
}

fn paint(ui: &Ui, rect: Rect, track: &Track, sounds: bool) {
    let tokens = theme::tokens(ui);
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let middle = rect.center().y;
    let right = rect.right() - EDGE;
    let usable = track.problem.is_none() && !track.missing;
    let title_colour = match () {
        () if sounds => tokens.accent,
        () if usable && !track.hidden => tokens.text,
        () => tokens.dim,
    };
    let wave = Rect::from_min_max(
        pos2(right - 128.0, middle - 7.0),
        pos2(right - 70.0, middle + 7.0),
    );
    let mut left = rect.left() + EDGE;
    if track.favourite {
        icon::paint(&painter, pos2(left + 5.0, middle), Icon::HeartFull, tokens.accent);
        left += 16.0;
    }
    let mut job = egui::text::LayoutJob::simple_singleline(track.title.clone(), theme::body(), title_colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width((wave.left() - 8.0 - left).max(20.0));
    let galley = painter.layout_job(job);
    painter.galley(pos2(left, middle - galley.size().y / 2.0), galley, title_colour);
    let note = match () {
        () if track.problem.is_some() => Some(("could not be read", tokens.error)),
        () if track.missing => Some(("missing", tokens.muted)),
        () if track.hidden => Some(("hidden", tokens.muted)),
        () => None,
    };
    if let Some((note, colour)) = note {
        painter.text(
            pos2(right, middle),
            Align2::RIGHT_CENTER,
            note,
            theme::small(),
            colour,
        );
        return;
    }
    let colour = if sounds { tokens.accent } else { tokens.wave };
    waveform::paint(
        &painter,
        wave,
        |from, to| waveform::of_track(&track.peaks, from, to),
        |_| colour,
    );
    if let Some(tempo_bpm) = track.description.tempo_bpm {
        let tempo = format!("{tempo_bpm:.0}");
        painter.text(
            pos2(right - 38.0, middle),
            Align2::RIGHT_CENTER,
            tempo,
            theme::body(),
            tokens.dim,
        );
    }
    let length = words::clock(track.duration_s);
    painter.text(
        pos2(right, middle),
        Align2::RIGHT_CENTER,
        length,
        theme::body(),
        tokens.dim,
    );
}

fn menu_ui(ui: &mut Ui, track: &Track, commands: &mut Commands) {
    ui.set_min_width(240.0);
    let mut item = |ui: &mut Ui, label: &str, command: Command| {
        if ui.button(label).clicked() {
            commands.push(command);
            ui.close();
        }
    };
    if track.problem.is_none() && !track.missing {
        item(ui, "Listen under the voice", Command::AuditionTrack(track.id));
        let label = if track.favourite {
            "Remove from the favourites"
        } else {
            "Make it a favourite"
        };
        item(ui, label, Command::SetFavourite(track.id, !track.favourite));
        let label = if track.hidden {
            "Suggest it again"
        } else {
            "Hide from suggestions"
        };
        item(ui, label, Command::SetHidden(track.id, !track.hidden));
    } else {
        item(ui, "Try again", Command::AddMusic(vec![track.path.clone()]));
    }
    item(ui, "Forget it (the file stays)", Command::ForgetTrack(track.id));
    ui.separator();
    if let Some(problem) = &track.problem {
        ui.label(theme::small_text(problem).color(theme::tokens(ui).error));
    }
    ui.label(theme::small_text(track.path.display().to_string()).color(theme::tokens(ui).dim));
}

fn empty_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    egui::Frame::new().inner_margin(egui::Margin::symmetric(24, 40)).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 8.0;
        ui.vertical_centered(|ui| {
            let library = &state.library;
            if let Some(problem) = &library.problem {
                ui.label(theme::strong_text("The library cannot be read"));
                ui.label(RichText::new(problem).color(tokens.muted));
                if ui.button("Try again").clicked() {
                    commands.push(Command::RefreshLibrary);
                }
            } else if library.indexing.is_some() {
                ui.label(theme::strong_text("Listening to your music"));
                ui.label(RichText::new("Each track appears here once it has been understood.").color(tokens.muted));
            } else if library.loaded {
                ui.label(theme::strong_text("Add a music folder"));
                let text = "Undertone listens to your tracks once and suggests the ones that fit. Files are only \
                            read, never moved or changed.";
                ui.label(RichText::new(text).color(tokens.muted));
                let add = Command::AddMusicFolder;
                if ui.add_enabled(add.enabled(state), Button::new("Add music folder…")).clicked() {
                    commands.push(add);
                }
                ui.label(theme::small_text("or drop folders and files anywhere").color(tokens.dim));
            } else {
                ui.label(RichText::new("Reading the library…").color(tokens.muted));
            }
        });
    });
}

fn nothing_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(24, 24))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 8.0;
            ui.vertical_centered(|ui| {
                ui.label(theme::strong_text("No track has all of this"));
                let parts: Vec<String> = state
                    .filter
                    .parts()
                    .iter()
                    .map(|part| part.label(&state.filter))
                    .collect();
                let text = format!("Drop a part of the filter: {}.", parts.join(", "));
                ui.label(RichText::new(text).color(theme::tokens(ui).muted));
                if ui.button("Clear the filter").clicked() {
                    commands.push(Command::ClearFilter);
                }
            });
        });
}

fn footer_ui(ui: &mut Ui, bar: Rect, state: &State) {
    let tokens = theme::tokens(ui);
    ui.painter()
        .hline(bar.x_range(), bar.top(), Stroke::new(1.0, tokens.line));
    let library = &state.library;
    let indexing = library
        .indexing
        .and_then(|id| state.jobs.iter().find(|job| job.id == id && job.is_running()));
    let inside = bar.shrink2(vec2(EDGE, 0.0));
    let mut row = ui.new_child(
        UiBuilder::new()
            .max_rect(inside)
            .layout(Layout::left_to_right(Align::Center)),
    );
    if let Some(job) = indexing {
        status::progress_bar(&mut row, job, 60.0);
        row.add(egui::Label::new(theme::small_text(status::job_words(job)).color(tokens.muted)).truncate());
        return;
    }
    let mut text = words::count(library.tracks.len(), "track");
    let failed = library
        .tracks
        .iter()
        .filter(|track| track.problem.is_some())
        .count();
    let missing = library.tracks.iter().filter(|track| track.missing).count();
    if library.shown.len() != library.tracks.len() {
        text = format!("{} of {text}", library.shown.len());
    }
    if failed > 0 {
        text = format!("{text} · {failed} could not be read");
    }
    if missing > 0 {
        text = format!("{text} · {missing} missing");
    }
    if failed == 0 && missing == 0 && !library.tracks.is_empty() {
        text = format!("{text} · up to date");
    }
    row.add(egui::Label::new(theme::small_text(text).color(tokens.dim)).truncate());
}
