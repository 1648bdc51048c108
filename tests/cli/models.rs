//! The model manager, against a server on this computer.

use std::io::Write;
use std::net::TcpListener;

use serde_json::json;

use super::*;

/// Serves `content` to everyone, whole.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/weights", listener.local_addr().expect("address"));
    std::thread::Builder::new()
        .spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("connection");
                let lines = BufReader::new(stream.try_clone().expect("handle")).lines();
                lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .for_each(drop);
                // A client may go away at any moment.
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    content.len()
                );
                let _ = stream.write_all(&content);
            }
        })
        .expect("thread");
    url
}

fn shipped(file: &str) -> PathBuf {
    shipped_pack().join(file)
}

/// Exit 0; what was said on stdout.
fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn names(home: &Path) -> Vec<String> {
    let list = answer(&run!(home, "models", "list", "--json"), 0);
    let packs = list.as_array().expect("a list");
    packs
        .iter()
        .map(|pack| pack["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_download_becomes_a_pack_is_repaired_and_removed() {
    let home = tempfile::tempdir().expect("temporary folder");
    let home = home.path();
    let weights = std::fs::read(shipped("spleeter.safetensors")).expect("weights");
    let own = json!([{
        "name": "mirror", "network": "spleeter", "url": serve(weights.clone()), "bytes": weights.len(),
        "licence": "MIT", "origin": "a test",
    }]);
    std::fs::create_dir_all(home.join("config")).expect("folder");
    std::fs::write(home.join("config/sources.json"), own.to_string()).expect("write");

    let available = done(&run!(home, "models", "list", "--available"));
    assert!(
        available.contains("mirror") && available.contains("spleeter-5stems"),
        "{available}"
    );
    let told = done(&run!(home, "models", "download", "mirror"));
    assert!(told.contains("--pack compact+mirror"), "{told}");
    assert_eq!(names(home), ["compact+mirror", "compact"]);
    done(&run!(home, "models", "verify", "compact+mirror"));
    let left = std::fs::read_dir(home.join("data/downloads"))
        .expect("folder")
        .count();
    assert_eq!(left, 0, "a download stayed behind");

    // The pack is whole: it answers a question that needs every network.
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/arena_clip.webm");
    let features = home.join("features.safetensors");
    done(&run!(
        home,
        "--pack",
        "compact+mirror",
        "features",
        demo,
        "--out",
        features
    ));

    let folder = home.join("data/packs/compact+mirror");
    let file = std::fs::read_dir(&folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("spleeter"))
        })
        .expect("the file of the separator");
    std::fs::write(&file, b"damage").expect("write");
    let damaged = run!(home, "models", "verify", "compact+mirror");
    assert_eq!(damaged.status.code(), Some(2));
    assert!(
        text(&damaged.stdout).contains("damaged"),
        "{}",
        text(&damaged.stdout)
    );
    done(&run!(home, "models", "download", "mirror"));
    done(&run!(home, "models", "verify", "compact+mirror"));

    std::fs::write(folder.join("notes.txt"), "mine").expect("write");
    // What training leaves beside the pack it made.
    std::fs::create_dir(folder.join("run")).expect("folder");
    std::fs::write(folder.join("run/request.json"), "{}").expect("write");
    done(&run!(home, "models", "remove", "compact+mirror"));
    assert_eq!(names(home), ["compact"]);
    let left: Vec<_> = std::fs::read_dir(&folder).expect("folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    refused(
        &run!(home, "models", "remove", "compact"),
        &["compact", "your own"],
    );
    refused(&run!(home, "models", "remove", "nothing"), &["nothing"]);
    refused(
        &run!(home, "models", "download", "nothing"),
        &["mirror", "vggish"],
    );
}

#[test]
fn an_imported_feature_network_starts_the_heads_anew() {
    let home = tempfile::tempdir().expect("temporary folder");
    let home = home.path();
    let weights = shipped("vggish_bgm.safetensors");
    let output = run!(home, "models", "import", weights, "--as", "vggish");
    done(&output);
    let warning = text(&output.stderr);
    assert!(warning.contains("untrained"), "{warning}");
    assert_eq!(names(home), ["compact+vggish", "compact"]);

    let manifest = |folder: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join("pack.json")).expect("manifest")).expect("JSON")
    };
    let (old, new) = (
        manifest(&shipped("")),
        manifest(&home.join("data/packs/compact+vggish")),
    );
    let sum = |pack: &Value, network: &str| pack["networks"][network]["sha256"].clone();
    for (network, same) in [("spleeter", true), ("slowfast", true), ("mrcmv", false)] {
        assert_eq!(sum(&old, network) == sum(&new, network), same, "{network}");
    }
    assert_eq!(sum(&new, "vggish_voice"), sum(&new, "vggish_bgm"));

    refused(
        &run!(home, "models", "import", weights, "--as", "spleeter"),
        &["spleeter"],
    );
    refused(
        &run!(
            home, "models", "import", weights, "--as", "vggish", "--name", "a/b"
        ),
        &["a/b"],
    );
    refused(
        &run!(home, "models", "import", shipped("pack.json"), "--as", "vggish"),
        &["pack.json"],
    );
    assert_eq!(names(home), ["compact+vggish", "compact"]);
}
