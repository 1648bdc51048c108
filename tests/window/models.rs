//! The model manager: a failing server, a restart, import, verification, use, back, repair, removal.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

const SIZE: [f32; 2] = [1280.0, 720.0];

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models/compact")
        .join(file)
}

/// Breaks off the first connection after `first` bytes, closes the next `closed` without a word, then serves.
fn hostile_server(content: Vec<u8>, first: usize, closed: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/weights", listener.local_addr().expect("address"));
    std::thread::Builder::new()
        .spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let stream = stream.expect("connection");
                if (1..=closed).contains(&at) {
                    continue;
                }
                let most = if at == 0 { first } else { usize::MAX };
                // A client may go away at any moment.
                let _ = answer(&stream, &content, most);
            }
        })
        .expect("thread");
    url
}

fn answer(mut stream: &TcpStream, content: &[u8], most: usize) -> std::io::Result<()> {
    let mut from = 0;
    for line in BufReader::new(stream).lines() {
        let line = line?.to_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().expect("a range");
        } else if line.is_empty() {
            break;
        }
    }
    let whole = content.len();
    if from > 0 {
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{whole}\r\n",
            whole - 1
        )?;
    } else {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
    }
    write!(
        stream,
        "ETag: \"one\"\r\nContent-Length: {}\r\n\r\n",
        whole - from
    )?;
    let body = &content[from..];
    stream.write_all(&body[..most.min(body.len())])
}

fn offer(home: &Path, url: &str, bytes: usize) {
    let config = home.join("config");
    std::fs::create_dir_all(&config).expect("folder");
    let source = format!(
        r#"[{{"name": "mirror", "network": "spleeter", "url": "{url}", "bytes": {bytes}, "licence": "MIT", "origin": "a test"}}]"#
    );
    std::fs::write(config.join("sources.json"), source).expect("write");
}

fn open_models(window: &mut Window) {
    press(window, Modifiers::COMMAND, Key::Num3);
    until(window, "the models are listed", |window| {
        shows(window, "compact is in use") && shows(window, "mirror is ")
    });
    // A dialog finds its size and its place over a few frames; a click before that misses.
    window.run_steps(6);
}

/// Clicks what may lie below the edge of the list.
fn click_in_list(window: &mut Window, label: &str) {
    window.get_by_label(label).scroll_to_me();
    window.run_steps(20);
    click(window, label);
}

fn damage_separator(home: &Path) {
    let folder = home.join("data/packs/compact+mirror");
    let file = std::fs::read_dir(folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("spleeter"))
        })
        .expect("the file of the separator");
    std::fs::write(file, b"damage").expect("write");
}

#[test]
fn a_download_survives_a_bad_server_and_a_restart() {
    let home = tempfile::tempdir().expect("temporary folder");
    let home = home.path();
    let weights = std::fs::read(shipped("spleeter.safetensors")).expect("weights");
    offer(
        home,
        &hostile_server(weights.clone(), 2_000_000, 3),
        weights.len(),
    );
    {
        let mut window = window(home, SIZE);
        open_models(&mut window);
        click_in_list(&mut window, "Download mirror");
        until(&mut window, "the download has failed", |window| {
            shows(window, "the download broke off after 2.0 MB")
        });
        until(&mut window, "what came is listed", |window| {
            shows(window, "mirror is 2.0 MB came")
        });
        assert!(
            window.unnamed_widgets().is_empty(),
            "{:?}",
            window.unnamed_widgets()
        );
    }
    // Another start finds what came.
    let mut window = window(home, SIZE);
    open_models(&mut window);
    assert!(shows(&window, "mirror is 2.0 MB came"), "{:?}", labels(&window));
    click_in_list(&mut window, "Resume mirror");
    until(&mut window, "the model is there", |window| {
        window.query_by_label("Use compact+mirror").is_some()
    });
    let left = std::fs::read_dir(home.join("data/downloads"))
        .expect("folder")
        .count();
    assert_eq!(left, 0, "a download stayed behind");

    click_in_list(&mut window, "Verify all");
    until(&mut window, "it is verified", |window| {
        shows(window, "compact+mirror is verified") && shows(window, "compact is in use, verified")
    });
    click_in_list(&mut window, "Use compact+mirror");
    until(&mut window, "it is in use", |window| {
        shows(window, "compact+mirror is in use") && shows(window, "compact+mirror model 0")
    });
    click(&mut window, "Back to compact");
    until(&mut window, "the old one is back", |window| {
        shows(window, "compact is in use") && shows(window, "compact model 0")
    });

    damage_separator(home);
    click_in_list(&mut window, "Verify all");
    until(&mut window, "the damage is seen", |window| {
        shows(window, "compact+mirror is damaged") && shows(window, "differs from its checksum")
    });
    click_in_list(&mut window, "Repair compact+mirror");
    until(&mut window, "it is repaired", |window| {
        !shows(window, "compact+mirror is damaged") && window.query_by_label("Use compact+mirror").is_some()
    });
    click_in_list(&mut window, "Verify all");
    until(&mut window, "it is whole", |window| {
        shows(window, "compact+mirror is verified")
    });

    // What came with the program has no such button.
    assert!(window.query_by_label("Remove compact…").is_none());
    click_in_list(&mut window, "Remove compact+mirror…");
    click_in_list(&mut window, "Keep compact+mirror");
    assert!(shows(&window, "compact+mirror is verified"));
    click_in_list(&mut window, "Remove compact+mirror…");
    click_in_list(&mut window, "Remove compact+mirror for good");
    until(&mut window, "it is gone", |window| {
        window.query_by_label("Remove compact+mirror…").is_none() && !shows(window, "compact+mirror is ")
    });
    assert!(!home.join("data/packs/compact+mirror").exists());
}

#[test]
fn a_network_is_imported_from_a_file() {
    let home = tempfile::tempdir().expect("temporary folder");
    let home = home.path();
    offer(home, "http://127.0.0.1:9/weights", 1);
    let text = home.join("notes.pth");
    std::fs::write(&text, "no weights at all").expect("write");
    let mut window = window(home, SIZE);
    open_models(&mut window);
    click(&mut window, "Import a network…");
    until(&mut window, "the form is open", |window| {
        window.query_by_label("Checkpoint file").is_some()
    });
    window.run_steps(6);
    let fill = |window: &mut Window, label: &str, text: &str| {
        window.get_by_label(label).set_text_value_accesskit(text);
        window.run_steps(3);
    };
    fill(&mut window, "Checkpoint file", "/no/such/file.pth");
    click(&mut window, "Import");
    assert!(shows(&window, "there is no such file"), "{:?}", labels(&window));
    fill(&mut window, "Checkpoint file", text.to_str().expect("text"));
    click(&mut window, "Import");
    until(&mut window, "what is no checkpoint is refused", |window| {
        shows(window, "notes.pth: is no checkpoint")
    });
    // Its network is told by its parameters.
    fill(
        &mut window,
        "Checkpoint file",
        shipped("spleeter.safetensors").to_str().expect("text"),
    );
    fill(&mut window, "Name of the new model", "apart");
    click(&mut window, "Import");
    until(&mut window, "it is listed", |window| {
        window.query_by_label("Use apart").is_some()
    });
    undertone::networks::weights::Pack::open(&home.join("data/packs/apart"))
        .and_then(|pack| pack.verify())
        .expect("a whole pack");
    assert!(
        window.unnamed_widgets().is_empty(),
        "{:?}",
        window.unnamed_widgets()
    );
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(window.query_by_label("Close the models").is_none());
}
