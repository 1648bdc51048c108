//! The invariants of ARCHITECTURE.md, read off the source text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Modules from the top down; an import may stay on its floor or go down.
const FLOORS: [&[&str]; 7] = [
    &["main"],
    &["app", "cli"],
    &["engine"],
    &["arena", "library", "playback", "project", "retrieval", "training"],
    &["mix", "networks"],
    &["media", "signal"],
    &[
        "checksum", "device", "error", "files", "jobs", "settings", "words",
    ],
];

/// Words that only the named places may hold.
const HOMES: [(&str, &[&str]); 14] = [
    ("egui::", &["app/"]),
    ("eframe::", &["app/"]),
    ("rfd::", &["app/"]),
    ("gstreamer::", &["media/"]),
    ("gst::", &["media/"]),
    ("rodio::", &["playback/"]),
    ("rusqlite::", &["library/"]),
    ("clap::", &["cli/"]),
    ("ureq::", &["engine/models/fetch"]),
    ("println!", &["cli/", "main.rs"]),
    ("eprintln!", &["cli/", "main.rs"]),
    ("std::thread::spawn", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
];

struct Source {
    /// Path below `src/`, with forward slashes.
    name: String,
    /// Code without comments, and without the tests at its end.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a readable source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if is_for_tests(&path) {
                // A module of tests beside the code: it may print what it skips.
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("source text");
                let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let code: Vec<&str> = code
                    .lines()
                    .map(|line| line.split("//").next().unwrap_or_default())
                    .collect();
                let name = path
                    .strip_prefix(&root)
                    .expect("below src")
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push(Source {
                    name,
                    code: code.join("\n"),
                    lines: text.lines().count(),
                });
            }
        }
    }
    assert!(found.len() > 40, "the walk found the sources");
    found
}

/// Whether the module above declares a file under `#[cfg(test)]`.
fn is_for_tests(path: &Path) -> bool {
    let (Some(name), Some(folder)) = (path.file_stem(), path.parent()) else {
        return false;
    };
    let declared = format!("#[cfg(test)]\nmod {};", name.to_string_lossy());
    [
        folder.join("mod.rs"),
        folder.join("lib.rs"),
        folder.with_extension("rs"),
    ]
    .iter()
    .any(|above| std::fs::read_to_string(above).is_ok_and(|text| text.contains(&declared)))
}

/// The top-level module a file belongs to.
fn module(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or_default()
}

fn floor(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no floor in the house; add it to ARCHITECTURE.md and here"))
}

/// Every module that `code` names after `crate::` or `undertone::`, in lists too.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in ["crate::", "undertone::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            for name in rest.strip_prefix('{').map_or_else(|| vec![rest], outer_names) {
                let word: String = name
                    .trim()
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if word.starts_with(char::is_lowercase) {
                    found.insert(word);
                }
            }
        }
    }
    found
}

/// The items at depth one of `a::{b, c}, d}…`, the rest of a braced import list.
fn outer_names(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| source.name != "lib.rs") {
        let from = module(&source.name).to_owned();
        for to in imports(&source.code) {
            if to != from {
                arrows.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    arrows
}

#[test]
fn imports_point_down() {
    for (from, targets) in arrows() {
        for to in targets {
            assert!(
                floor(&from) <= floor(&to),
                "{from} imports {to}, which stands above it"
            );
            if to == "playback" {
                assert!(
                    from == "app" || from == "cli",
                    "{from} imports playback, which serves the window"
                );
            }
            if from == "cli" {
                assert_ne!(to, "app", "the command line does not need the window");
            }
        }
    }
}

#[test]
fn imports_make_no_circle() {
    let arrows = arrows();
    for start in arrows.keys() {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = vec![start];
        while let Some(from) = open.pop() {
            for to in arrows.get(from).into_iter().flatten() {
                assert_ne!(to, start, "{start} reaches itself through {from}");
                if reached.insert(to) {
                    open.push(to);
                }
            }
        }
    }
}

#[test]
fn every_library_has_one_home() {
    for source in sources() {
        for (word, homes) in HOMES {
            let at_home = homes.iter().any(|home| source.name.starts_with(home));
            // `println!` also ends `eprintln!`, and `gst::` may end a longer name.
            let holds = source
                .code
                .match_indices(word)
                .any(|(at, _)| !source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            assert!(
                at_home || !holds,
                "{} names {word}, which lives in {homes:?}",
                source.name
            );
        }
    }
}

#[test]
fn arithmetic_never_sees_a_file() {
    for source in sources() {
        let name = source.name.as_str();
        let bound = name.starts_with("signal/")
            || name.starts_with("retrieval/")
            || (name.starts_with("networks/") && !name.starts_with("networks/weights"));
        if bound {
            for word in ["std::fs", "std::path", "PathBuf", "&Path", "File::open"] {
                assert!(!source.code.contains(word), "{name} holds {word}");
            }
        }
    }
}

#[test]
fn a_file_tells_one_story() {
    for source in sources() {
        assert!(
            source.lines <= 600,
            "{} has {} lines; it is usually two stories",
            source.name,
            source.lines
        );
    }
}

#[test]
fn the_reader_of_imports_reads_lists() {
    let names = imports("use crate::{error::{Error, Result}, jobs};\nlet x = crate::media::probe(p);");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["error", "jobs", "media"]);
}
