//! The picture, and the transport under it.

use eframe::egui::{
    self, Align, Align2, Color32, Layout, Rect, RichText, Role, Sense, Slider, Stroke, Ui, UiBuilder, Vec2,
    WidgetInfo, pos2, vec2,
};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{Clip, State};
use crate::app::theme;
use crate::app::widgets::choice::{Label, choice};
use crate::app::widgets::icon::{Icon, command_button, icon_button};
use crate::app::widgets::level_meter::level_meter;
use crate::mix::DuckingPreset;
use crate::words;

pub(super) fn picture_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let stage = ui.max_rect();
    let empty = state.clip.as_ref().is_none_or(|clip| clip.problem.is_some());
    let ground = if empty {
        theme::tokens(ui).background
    } else {
        theme::STAGE
    };
    ui.painter().rect_filled(stage, 0.0, ground);
    match &state.clip {
        None => welcome_ui(ui, stage, state, commands),
        Some(Clip {
            problem: Some(problem),
            ..
        }) => problem_ui(ui, stage, problem, commands),
        Some(clip) => clip_ui(ui, stage, clip, state, commands),
    }
}

fn clip_ui(ui: &mut Ui, stage: Rect, clip: &Clip, state: &State, commands: &mut Commands) {
    let response = ui.interact(stage, ui.scope_id().with("picture"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Picture of {}", clip.name)));
    if response.clicked() {
        commands.push(Command::PlayPause);
    }
    if let Some(texture) = &clip.picture {
        let size = texture.size_vec2();
        let scale = (stage.width() / size.x).min(stage.height() / size.y);
        let rect = Rect::from_center_size(stage.center(), size * scale);
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture.id(), rect, whole, Color32::WHITE);
    } else {
        let text = match &clip.info {
            None => "Opening the video…",
            Some(info) if info.video.is_empty() => "Sound only: there is no picture in this file",
            Some(_) => "Waiting for the first picture…",
        };
        ui.painter().text(
            stage.center(),
            Align2::CENTER_CENTER,
            text,
            theme::body(),
            theme::ON_STAGE_MUTED,
        );
    }
    caption(ui, stage, clip);
    if state.transport.playing && state.transport.rate != 1.0 {
        let rate = state.transport.rate;
        let backward = if rate < 0.0 { "−" } else { "" };
        let galley = ui.painter().layout_no_wrap(
            format!("{backward}{}×", rate.abs()),
            theme::strong(),
            theme::ON_STAGE,
        );
        let at = stage.right_top() + vec2(-14.0 - galley.size().x, 10.0);
        on_stage(ui.painter(), at, galley);
    }
}

/// "clip.mp4 · 1920×1080 · 59.94" over the picture.
fn caption(ui: &Ui, stage: Rect, clip: &Clip) {
    let mut text = clip.name.clone();
    if let Some(video) = clip.info.as_ref().and_then(|info| info.video.first()) {
        let (width, height) = match video.rotation {
            90 | 270 => (video.height, video.width),
            _ => (video.width, video.height),
        };
        text = format!("{text} · {width}×{height}");
        if video.frame_rate > 0.0 {
            let rate = format!("{:.2}", video.frame_rate);
            text = format!("{text} · {}", rate.trim_end_matches('0').trim_end_matches('.'));
        }
    }
    let painter = ui.painter().with_clip_rect(stage);
    let galley = painter.layout_no_wrap(text, theme::small(), theme::ON_STAGE);
    on_stage(&painter, stage.left_top() + vec2(12.0, 10.0), galley);
}

/// Words over the picture, readable whatever it shows.
fn on_stage(painter: &egui::Painter, at: egui::Pos2, galley: std::sync::Arc<egui::Galley>) {
    let ground = Rect::from_min_size(at, galley.size()).expand2(vec2(6.0, 3.0));
    painter.rect_filled(ground, 4.0, theme::STAGE.gamma_multiply(0.6));
    painter.galley(at, galley, theme::ON_STAGE);
}

/// Nothing is open: where to start.
fn welcome_ui(ui: &mut Ui, stage: Rect, state: &State, commands: &mut Commands) {
    let card = Rect::from_center_size(stage.center(), vec2(420.0, 230.0)).intersect(stage.shrink(12.0));
    let tokens = theme::tokens(ui);
    let edge = Stroke::new(1.5, tokens.dim.gamma_multiply(0.5));
    let corners = [
        card.left_top(),
        card.right_top(),
        card.right_bottom(),
        card.left_bottom(),
        card.left_top(),
    ];
    ui.painter()
        .extend(egui::Shape::dashed_line(&corners, edge, 6.0, 5.0));
    centred(ui, card, |ui| {
        ui.label(RichText::new("Drop a video, or open the demo").font(theme::heading()));
        let hint = "Undertone separates your voice from the music, suggests tracks that fit, and lets you hear each \
                    under your voice.";
        ui.label(RichText::new(hint).color(tokens.muted));
        ui.add_space(8.0);
        let button = if state.training_is_primary() {
            egui::Button::new("Open demo")
        } else {
            theme::primary_button(tokens, "Open demo")
        };
        let demo = ui.add_enabled(state.has_demo, button);
        if demo
            .on_disabled_hover_text("The demo did not come with this program")
            .clicked()
        {
            commands.push(Command::OpenDemo);
        }
        if ui.button("Open video…").clicked() {
            commands.push(Command::OpenVideo);
        }
    });
}

/// The video could not be opened: what was wrong, and what to do.
fn problem_ui(ui: &mut Ui, stage: Rect, problem: &str, commands: &mut Commands) {
    let card = Rect::from_center_size(stage.center(), vec2(480.0, 200.0)).intersect(stage.shrink(12.0));
    centred(ui, card, |ui| {
        ui.label(RichText::new("This video cannot be opened").font(theme::heading()));
        ui.label(RichText::new(problem).color(theme::tokens(ui).muted));
        ui.add_space(8.0);
        if ui.button("Open another video…").clicked() {
            commands.push(Command::OpenVideo);
        }
    });
}

fn centred(ui: &mut Ui, card: Rect, add: impl FnOnce(&mut Ui)) {
    let inside = card.shrink2(vec2(32.0, 24.0));
    let layout = Layout::top_down(Align::Center);
    let mut child = ui.new_child(UiBuilder::new().max_rect(inside).layout(layout));
    child.spacing_mut().item_spacing.y = 8.0;
    // Once over, to know the height, would flicker; a few points from the top look right for two to five lines.
    child.add_space((inside.height() - 170.0).max(0.0) / 2.0 + 8.0);
    add(&mut child);
}

pub(super) fn transport_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let bar = ui.max_rect();
    let mut left = ui.new_child(
        UiBuilder::new()
            .max_rect(bar)
            .layout(Layout::left_to_right(Align::Center)),
    );
    keys_ui(&mut left, state, commands);
    let used = left.min_rect().right();
    let room = Rect::from_min_max(pos2(used + 8.0, bar.top()), bar.max);
    let mut right = ui.new_child(
        UiBuilder::new()
            .max_rect(room)
            .layout(Layout::right_to_left(Align::Center)),
    );
    mix_ui(&mut right, state, commands);
}

fn keys_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let ready = state.has_clip();
    ui.spacing_mut().item_spacing.x = 2.0;
    if command_button(
        ui,
        Icon::ToStart,
        "Go to the start",
        ready,
        28.0,
        &Command::GoToStart,
    )
    .clicked()
    {
        commands.push(Command::GoToStart);
    }
    let (icon, label) = if state.transport.playing {
        (Icon::Pause, "Pause")
    } else {
        (Icon::Play, "Play")
    };
    if command_button(ui, icon, label, ready, 32.0, &Command::PlayPause).clicked() {
        commands.push(Command::PlayPause);
    }
    if command_button(ui, Icon::ToEnd, "Go to the end", ready, 28.0, &Command::GoToEnd).clicked() {
        commands.push(Command::GoToEnd);
    }
    ui.add_space(12.0);
    let duration_s = state
        .transport
        .duration_s
        .max(state.clip.as_ref().map_or(0.0, Clip::duration_s));
    ui.label(RichText::new(words::fine_clock(state.transport.position_s)).size(15.0));
    ui.add_space(4.0);
    ui.label(RichText::new(format!("/ {}", words::fine_clock(duration_s))).color(tokens.dim));
}

/// From the right: volume and meter, loudness target, ducking.
fn mix_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let edit = state.history.edit();
    let room = ui.available_width();
    volume_ui(ui, state, commands);
    level_meter(
        ui,
        state.transport.levels[3],
        Vec2::new(if room > 500.0 { 116.0 } else { 60.0 }, 28.0),
    );
    ui.add_space(4.0);
    let current = edit.loudness_lufs.map(|lufs| lufs.round() as i32);
    // "−14 LUFS" speaks for itself where there is little room.
    let name = if room > 420.0 {
        Label::Shown("Target")
    } else {
        Label::Hidden("Target")
    };
    if let Some(target) = choice(ui, name, current, &loudness_targets()) {
        commands.push(Command::SetLoudness(target));
    }
    ui.add_space(4.0);
    let presets = DuckingPreset::ALL.map(|preset| (preset, ducking_word(preset).to_owned()));
    if let Some(preset) = choice(ui, Label::Shown("Ducking"), edit.mix.ducking, &presets) {
        commands.push(Command::SetDucking(preset));
    }
}

pub(super) fn ducking_word(preset: DuckingPreset) -> &'static str {
    match preset {
        DuckingPreset::Off => "off",
        DuckingPreset::Gentle => "gentle",
        DuckingPreset::Normal => "normal",
        DuckingPreset::Strong => "strong",
    }
}

pub(super) fn loudness_targets() -> Vec<(Option<i32>, String)> {
    let mut targets: Vec<(Option<i32>, String)> = [-14, -16, -23]
        .map(|lufs| (Some(lufs), format!("{} LUFS", words::decibels(f64::from(lufs)))))
        .into();
    targets.push((None, "as mixed".to_owned()));
    targets
}

fn volume_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let volume_db = state.settings.volume_db;
    let button = icon_button(ui, Icon::Speaker, "Listening volume", true);
    egui::Popup::menu(&button)
        .align(egui::RectAlign::TOP_END)
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            ui.set_min_width(220.0);
            ui.label(theme::small_text("Listening volume, not part of the mix"));
            let mut value = volume_db;
            let slider = Slider::new(&mut value, -40.0..=6.0)
                .suffix(" dB")
                .fixed_decimals(0);
            if ui.add(slider).accessible_name("Listening volume").changed() {
                commands.push(Command::SetVolume(value));
            }
        });
}
