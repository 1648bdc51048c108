//! The window by label, without a display, a sound device or a GPU.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Toggled;
use eframe::egui::{self, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use undertone::app::{App, Choices, Launch, Sound};
use undertone::media::testing::{Synthetic, synthesise};
use undertone::settings::Folders;

mod models;
mod training;

/// Long enough for the slowest machine; a working program never waits so long.
const PATIENCE: Duration = Duration::from_mins(10);

type Window = Harness<'static, App>;

fn window(home: &Path, size: [f32; 2]) -> Window {
    let launch = Launch {
        folders: Folders::under(home),
        media: None,
        demo: false,
        choices: Choices::default(),
        sound: Sound::Silent,
        reopen: false,
    };
    let mut window = Harness::builder()
        .with_size(size)
        .with_max_steps(64)
        .build_eframe(move |cc| App::new(&cc.egui_ctx, launch));
    until(&mut window, "the model is open", |window| {
        window.query_by_label_contains("model 0").is_some()
    });
    window
}

/// Steps the window until `done`, or fails naming what was waited for and what the window shows.
fn until(window: &mut Window, what: &str, done: impl Fn(&Window) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        window.step();
        if done(window) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "waited in vain until {what}; there is:\n{}",
            labels(window).join("\n")
        );
        std::thread::sleep(Duration::from_millis(15));
    }
}

fn labels(window: &Window) -> Vec<String> {
    window
        .root()
        .children_recursive()
        .filter_map(|node| {
            node.accesskit_node()
                .label()
                .or_else(|| node.accesskit_node().value())
        })
        .filter(|label| !label.is_empty())
        .collect()
}

fn shows(window: &Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(2);
}

fn click(window: &mut Window, label: &str) {
    // What has just appeared may still be moving, and a pointer meets what stands still.
    let mut before = None;
    for _ in 0..60 {
        window.step();
        let now = Some(window.get_by_label(label).rect());
        if now == before {
            break;
        }
        before = now;
    }
    window.get_by_label(label).click();
    window.run_steps(2);
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

fn drop_on(window: &mut Window, paths: &[PathBuf]) {
    window.input_mut().dropped_files = paths
        .iter()
        .map(|path| Arc::new(Dropped(path.clone())) as egui::DroppedFileHandle)
        .collect();
    window.step();
}

#[test]
fn the_first_window_teaches() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut window = window(home.path(), [1280.0, 720.0]);
    until(&mut window, "the library was read", |window| {
        shows(window, "Add a music folder")
    });
    for text in [
        "Drop a video, or open the demo",
        "Open demo",
        "Open video…",
        "Suggestions appear here",
    ] {
        assert!(shows(&window, text), "{text} is missing");
    }
    assert!(
        window.unnamed_widgets().is_empty(),
        "{:?}",
        window.unnamed_widgets()
    );
}

#[test]
fn nothing_is_cut_at_the_smallest_size() {
    let home = tempfile::tempdir().expect("temporary folder");
    for size in [[1280.0, 720.0], [1920.0, 1080.0]] {
        let mut window = window(home.path(), size);
        window.run_steps(3);
        let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, size.into());
        let names = [
            "Menu",
            "Video menu",
            "Undo",
            "Redo",
            "Run a command…",
            "Dark or light theme",
            "Export…",
            "Play",
            "Ducking",
            "Target",
            "Listening volume",
            "Balance between picture and voice",
            "Part of the video",
            "Library",
            "Training",
            "Add music",
            "Ready",
        ];
        let mut places: Vec<(&str, egui::Rect)> = Vec::new();
        for name in names {
            let rect = window.get_all_by_label(name).next().expect("at least one").rect();
            assert!(screen.contains_rect(rect), "{name} at {rect:?} leaves {screen:?}");
            for (other, place) in &places {
                assert!(
                    !place.shrink(1.0).intersects(rect.shrink(1.0)),
                    "{name} lies over {other}"
                );
            }
            places.push((name, rect));
        }
    }
}

#[test]
fn the_palette_runs_what_is_typed() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut window = window(home.path(), [1280.0, 720.0]);
    press(&mut window, Modifiers::COMMAND, Key::K);
    window.get_by_label("Command").type_text("training");
    window.run_steps(3);
    assert!(shows(&window, "Start training"));
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(
        window.query_by_label("Command").is_none(),
        "Escape closes the palette"
    );

    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    window.get_by_label("Command").type_text("view training");
    window.run_steps(3);
    press(&mut window, Modifiers::NONE, Key::Enter);
    until(&mut window, "the training panel is open", |window| {
        shows(window, "Teach it your taste")
    });

    press(&mut window, Modifiers::NONE, Key::F1);
    assert!(shows(&window, "Keyboard shortcuts"));
    // A dialog finds its size and its place over a few frames; a click before that misses.
    window.run_steps(6);
    click(&mut window, "Close");
    until(&mut window, "the sheet is closed", |window| {
        !shows(window, "Keyboard shortcuts")
    });
}

#[test]
fn a_file_that_is_no_video_is_explained() {
    let home = tempfile::tempdir().expect("temporary folder");
    let file = home.path().join("notes.mp4");
    std::fs::write(&file, "not a video at all").expect("write");
    let mut window = window(home.path(), [1280.0, 720.0]);
    drop_on(&mut window, &[file]);
    until(&mut window, "the problem is shown", |window| {
        shows(window, "This video cannot be opened")
    });
    let text = labels(&window).join("\n");
    assert!(text.contains("notes.mp4"), "{text}");
    click(&mut window, "Open another video…");
    window.run_steps(2);
}

#[test]
fn settings_and_layout_come_back() {
    let home = tempfile::tempdir().expect("temporary folder");
    {
        let mut window = window(home.path(), [1280.0, 720.0]);
        click(&mut window, "Training");
        click(&mut window, "Dark or light theme");
        let file = home.path().join("config").join("window.json");
        until(&mut window, "the window was saved", |_| {
            std::fs::read_to_string(&file).is_ok_and(|text| text.contains("training"))
        });
    }
    let again = window(home.path(), [1280.0, 720.0]);
    assert!(shows(&again, "Teach it your taste"));
    let settings = undertone::settings::Settings::load(&Folders::under(home.path()));
    assert_ne!(settings.theme, undertone::settings::ThemeChoice::System);
}

/// The text of one suggestion's row.
fn row(window: &Window, at: usize) -> Option<String> {
    let start = format!("{at} ");
    labels(window)
        .into_iter()
        .find(|label| label.starts_with(&start) && label.contains(", score "))
}

fn selected_row(window: &Window) -> Option<String> {
    let mut rows = window.query_all_by_label_contains(", score ");
    rows.find(|row| row.accesskit_node().toggled() == Some(Toggled::True))
        .and_then(|row| row.accesskit_node().label())
}

fn the_timeline_magnifies(window: &mut Window) {
    assert!(!shows(window, "Shown from"));
    press(window, Modifiers::NONE, Key::Equals);
    assert!(shows(window, "Shown from 0:00 to 0:26"), "{:?}", labels(window));
    press(window, Modifiers::NONE, Key::Minus);
    assert!(!shows(window, "Shown from"));

    let place = window.get_by_label("Timeline").rect().center();
    window.hover_at(place);
    window.step();
    window.event(egui::Event::Zoom(4.0));
    window.run_steps(2);
    assert!(shows(window, "Shown from 0:15 to 0:25"), "{:?}", labels(window));
    // The playhead is elsewhere: who looks away is not followed, who seeks is.
    press(window, Modifiers::NONE, Key::End);
    window.run_steps(2);
    assert!(shows(window, "to 0:40"), "{:?}", labels(window));
    press(window, Modifiers::NONE, Key::Home);
    window.run_steps(2);
    assert!(shows(window, "Shown from 0:00"), "{:?}", labels(window));
    press(window, Modifiers::SHIFT, Key::Z);
    assert!(!shows(window, "Shown from"));
}

fn the_cache_is_cleared_but_for_what_is_open(window: &mut Window, home: &Path) {
    let files = |folder: &str| {
        let found = std::fs::read_dir(home.join("cache").join(folder));
        found.map_or(0, Iterator::count)
    };
    assert!(files("queries") > 0, "a query was kept");
    press(window, Modifiers::COMMAND, Key::Comma);
    until(window, "the cache was counted", |window| shows(window, " in use"));
    // A dialog finds its size and its place over a few frames; a click before that misses.
    window.run_steps(6);
    click(window, "Clear the cache");
    until(window, "the cache was cleared", |window| {
        shows(window, " free again")
    });
    click(window, "Close");
    assert_eq!(files("queries"), 0);
    assert_eq!(files("stems"), 2, "the open stems, and what is known of files");
}

#[test]
fn the_list_of_jobs_opens_and_closes_by_key() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut window = window(home.path(), [1280.0, 720.0]);
    press(&mut window, Modifiers::COMMAND, Key::J);
    assert!(shows(&window, "Nothing has run yet"));
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(!shows(&window, "Nothing has run yet"));
    press(&mut window, Modifiers::COMMAND, Key::J);
    press(&mut window, Modifiers::COMMAND, Key::J);
    assert!(!shows(&window, "Nothing has run yet"));
}

#[test]
fn the_command_line_stands_in_for_the_settings() {
    let home = tempfile::tempdir().expect("temporary folder");
    let library = home.path().join("elsewhere").join("music.sqlite");
    let choices = Choices {
        library: Some(library.clone()),
        pack: Some("no-such-pack".to_owned()),
        ..Choices::default()
    };
    let folders = Folders::under(home.path());
    let launch = Launch {
        folders: folders.clone(),
        media: None,
        demo: false,
        choices,
        sound: Sound::Silent,
        reopen: false,
    };
    let mut window: Window = Harness::builder()
        .with_size([1280.0, 720.0])
        .with_max_steps(64)
        .build_eframe(move |cc| App::new(&cc.egui_ctx, launch));
    until(&mut window, "the pack is missed", |window| {
        shows(window, "there is no pack no-such-pack")
    });
    until(&mut window, "the library was read", |_| library.is_file());
    assert!(!folders.library().exists());
    press(&mut window, Modifiers::COMMAND, Key::Comma);
    let model = window
        .get_all_by_label("Model")
        .find_map(|node| node.accesskit_node().value());
    assert_eq!(model.as_deref(), Some("no-such-pack (not found)"));
    drop(window);
    assert_eq!(undertone::settings::Settings::load(&folders).pack, "compact");
}

/// Open demo, suggestions, arrow down, Enter, export: all of it by the keyboard and by label.
#[test]
fn the_whole_main_job() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut window = window(home.path(), [1280.0, 720.0]);
    click(&mut window, "Open demo");
    until(&mut window, "three suggestions are there", |window| {
        row(window, 3).is_some()
    });
    let first = row(&window, 1).expect("a suggestion");
    assert!(first.contains("from 0:") && first.contains("voice"), "{first}");
    until(&mut window, "voice and music are apart", |window| {
        !shows(window, "Separating voice and music")
    });
    until(&mut window, "every track is there", |window| {
        shows(window, "14 tracks")
    });
    until(&mut window, "nothing runs", |window| shows(window, "Ready"));
    the_timeline_magnifies(&mut window);
    the_cache_is_cleared_but_for_what_is_open(&mut window, home.path());

    press(&mut window, Modifiers::NONE, Key::ArrowDown);
    until(&mut window, "the first suggestion plays", |window| {
        window.query_by_label("Pause").is_some()
    });
    assert_eq!(selected_row(&window), row(&window, 1));
    press(&mut window, Modifiers::NONE, Key::ArrowDown);
    assert_eq!(selected_row(&window), row(&window, 2));
    press(&mut window, Modifiers::NONE, Key::Escape);
    until(&mut window, "listening has stopped", |window| {
        window.query_by_label("Play").is_some()
    });
    press(&mut window, Modifiers::NONE, Key::Enter);
    press(&mut window, Modifiers::NONE, Key::M);
    press(&mut window, Modifiers::COMMAND, Key::Z);

    let out = home.path().join("mix.webm");
    press(&mut window, Modifiers::COMMAND, Key::E);
    until(&mut window, "the dialog is open", |window| {
        shows(window, "Export the mix")
    });
    window
        .get_by_label("File to write")
        .set_text_value_accesskit(out.to_str().expect("text"));
    window.run_steps(2);
    click(&mut window, "Export");
    until(&mut window, "the export is done", |window| {
        shows(window, "Exported mix.webm")
    });
    assert!(
        shows(&window, "LUFS, picture copied unchanged"),
        "{:?}",
        labels(&window)
    );
    window.run_steps(6);
    click(&mut window, "Done");
    assert!(!shows(&window, "Exported mix.webm"));
    let info = undertone::media::probe(&out).expect("a readable file");
    assert_eq!((info.video.len(), info.audio.len()), (1, 1));
    assert!((info.duration_s - 40.0).abs() < 0.5, "{}", info.duration_s);

    // A file that is there is not replaced without a question.
    let before = std::fs::read(&out).expect("the file");
    press(&mut window, Modifiers::COMMAND, Key::E);
    window
        .get_by_label("File to write")
        .set_text_value_accesskit(out.to_str().expect("text"));
    window.run_steps(2);
    click(&mut window, "Export");
    assert!(shows(&window, "mix.webm is there already"));
    click(&mut window, "Cancel");
    assert_eq!(std::fs::read(&out).expect("the file"), before);
    assert!(
        window.unnamed_widgets().is_empty(),
        "{:?}",
        window.unnamed_widgets()
    );
}
