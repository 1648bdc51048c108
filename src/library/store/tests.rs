use super::*;
use crate::signal::features::Description;
use std::ffi::OsStr;

fn record(path: &Path, start: f32) -> TrackRecord {
    TrackRecord {
        track: Track {
            id: TrackId(0),
            path: path.to_owned(),
            title: title_of(path),
            artist: Some("Somebody".to_owned()),
            tags: vec!["calm".to_owned(), "piano".to_owned()],
            licence: None,
            duration_s: 60.5,
            loudness_lufs: Some(-18.25),
            description: Description {
                tempo_bpm: Some(112.0),
                major: Some(false),
                tonic: Some(9),
                energy: 0.5,
                brightness_hz: 1234.5,
            },
            has_vocals: false,
            peaks: (0..=255).collect(),
            favourite: false,
            hidden: false,
            missing: false,
            problem: None,
        },
        size: 1000,
        modified_ns: -5,
        windows: (0..3)
            .map(|i| StoredWindow {
                start_s: f64::from(i) * 8.0,
                vggish: vec![0.5 * start; 72 * 128],
                embedding: vec![start, i as f32, f32::MIN_POSITIVE],
            })
            .collect(),
        embedding_id: "pack-a".to_owned(),
        songs: "auto".to_owned(),
    }
}

fn library() -> (tempfile::TempDir, Library) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let library = Library::open(&folder.path().join("deep/er/library.sqlite")).expect("library");
    (folder, library)
}

#[test]
fn a_track_comes_back_as_it_was_put() {
    let (_folder, library) = library();
    let mut wanted = record(Path::new("/music/a.ogg"), 1.0);
    let id = library.put(&wanted).expect("put");
    wanted.track.id = id;
    assert_eq!(library.track(id).expect("read"), Some(wanted.track.clone()));
    assert_eq!(library.tracks().expect("read"), [wanted.track]);
    assert_eq!(library.windows(id, "pack-a").expect("read"), wanted.windows);
    let table = library.embeddings("pack-a").expect("read");
    assert_eq!((table.dim, table.windows.len()), (3, 3));
    assert_eq!(table.data[3..6], [1.0, 1.0, f32::MIN_POSITIVE]);
    assert_eq!(
        table.windows[2],
        WindowRef {
            track: id,
            start_s: 16.0
        }
    );
    assert!(library.embeddings("pack-b").expect("read").windows.is_empty());
}

#[test]
fn current_means_same_file_pack_and_songs() {
    let (_folder, library) = library();
    let path = Path::new("/music/a.ogg");
    library.put(&record(path, 1.0)).expect("put");
    let check = |size, time, pack, songs, expected| {
        let current = library.is_current(path, size, time, pack, songs).expect("read");
        assert_eq!(current, expected, "{size} {time} {pack} {songs}");
    };
    check(1000, -5, "pack-a", "auto", true);
    check(1001, -5, "pack-a", "auto", false);
    check(1000, -4, "pack-a", "auto", false);
    check(1000, -5, "pack-b", "auto", false);
    check(1000, -5, "pack-a", "yes", false);
    library.put_problem(path, 1000, -5, "a.ogg: broken").expect("put");
    check(1000, -5, "pack-a", "auto", false);
    let track = &library.tracks().expect("read")[0];
    assert_eq!(track.problem.as_deref(), Some("a.ogg: broken"));
    assert_eq!(track.artist.as_deref(), Some("Somebody"), "what was known stays");
}

#[test]
fn a_second_pack_keeps_the_first_until_the_file_changes() {
    let (_folder, library) = library();
    let path = Path::new("/music/a.ogg");
    let id = library.put(&record(path, 1.0)).expect("put");
    library.set_favourite(id, true).expect("mark");
    let mut second = record(path, 2.0);
    second.embedding_id = "pack-b".to_owned();
    assert_eq!(library.put(&second).expect("put"), id);
    let rows = |pack| library.embeddings(pack).expect("read").windows.len();
    assert_eq!((rows("pack-a"), rows("pack-b")), (3, 3));
    second.size += 1;
    second.windows.truncate(1);
    library.put(&second).expect("put");
    assert_eq!((rows("pack-a"), rows("pack-b")), (0, 1));
    assert!(library.track(id).expect("read").expect("there").favourite);
    library.forget(id).expect("forget");
    assert_eq!(rows("pack-b"), 0);
    let orphans: i64 = library
        .connection
        .query_row(
            "SELECT (SELECT count(*) FROM vggish) + (SELECT count(*) FROM tag)",
            (),
            |row| row.get(0),
        )
        .expect("count");
    assert_eq!(orphans, 0);
}

#[test]
fn hidden_and_missing_tracks_are_not_offered() {
    let (folder, library) = library();
    let path = folder.path().join("a.ogg");
    let id = library.put(&record(&path, 1.0)).expect("put");
    let offered = || library.embeddings("pack-a").expect("read").windows.len();
    assert_eq!(library.refresh_missing().expect("look"), 1);
    assert_eq!(offered(), 0);
    assert!(library.track(id).expect("read").expect("not deleted").missing);
    std::fs::write(&path, b"back").expect("write");
    assert_eq!(library.refresh_missing().expect("look"), 0);
    assert_eq!(offered(), 3);
    library.set_hidden(id, true).expect("mark");
    assert_eq!(offered(), 0);
}

#[cfg(unix)]
#[test]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let (_folder, library) = library();
    let path = Path::new(OsStr::from_bytes(b"/music/caf\xe9 \xff.ogg"));
    let id = library.put(&record(path, 1.0)).expect("put");
    let track = library.track(id).expect("read").expect("there");
    assert_eq!(track.path, path);
    let json = serde_json::to_string(&track).expect("printable");
    assert!(json.contains("caf\u{fffd}"));
}

#[test]
fn a_failed_put_changes_nothing() {
    let (_folder, library) = library();
    let path = Path::new("/music/a.ogg");
    library.put(&record(path, 1.0)).expect("put");
    let mut broken = record(path, 2.0);
    broken.windows[2].start_s = broken.windows[1].start_s;
    broken.track.title = "changed".to_owned();
    library.put(&broken).expect_err("two windows at one place");
    assert_eq!(library.tracks().expect("read")[0].title, "a");
    assert_eq!(library.embeddings("pack-a").expect("read").data[0], 1.0);
}

#[test]
fn vectors_of_two_lengths_are_damage() {
    let (_folder, library) = library();
    library.put(&record(Path::new("/a"), 1.0)).expect("put");
    let mut other = record(Path::new("/b"), 1.0);
    other.windows[0].embedding.push(0.0);
    library.put(&other).expect("put");
    let error = library.embeddings("pack-a").expect_err("mixed");
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[test]
fn two_programs_write_one_library_without_losing_anything() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("library.sqlite");
    // Each opens (and creates) the file by itself, at the same time.
    rayon::scope(|scope| {
        for program in 0..2 {
            let path = &path;
            scope.spawn(move |_| {
                let library = Library::open(path).expect("open");
                for i in 0..20 {
                    let name = format!("/music/{}.ogg", if i % 4 == 0 { i } else { i * 2 + program });
                    library.put(&record(Path::new(&name), i as f32)).expect("put");
                }
            });
        }
    });
    let library = Library::open(&path).expect("open");
    let mut expected: Vec<String> = (0..2)
        .flat_map(|program| (0..20).map(move |i| if i % 4 == 0 { i } else { i * 2 + program }))
        .map(|i| format!("{i}"))
        .collect();
    expected.sort_unstable();
    expected.dedup();
    let titles: Vec<String> = library
        .tracks()
        .expect("read")
        .into_iter()
        .map(|track| track.title)
        .collect();
    assert_eq!(titles, expected);
    assert_eq!(
        library.embeddings("pack-a").expect("read").windows.len(),
        3 * expected.len()
    );
}
