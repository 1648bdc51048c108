//! `evaluate` as it is typed: the whole of Table 1, trained and printed, and rows by one modality alone.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use undertone::error::Result;

use super::engine::{chord, corpus};

/// Test items of [`corpus`].
const QUERIES: usize = 2;

fn evaluate(home: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_undertone"))
        .env("UNDERTONE_HOME", home)
        .args(["evaluate", "--device", "cpu", "--corpus"])
        .arg(home.join("corpus"))
        .args(more)
        .output()
        .expect("a program")
}

fn told(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    (out, err)
}

fn rows(output: &Output) -> Vec<Value> {
    let table: Value = serde_json::from_str(&told(output).0).expect("JSON");
    table["rows"].as_array().expect("rows").clone()
}

#[test]
fn the_whole_table_is_trained_and_printed() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let home = folder.path();
    corpus(&home.join("corpus"), 3, true)?;
    let (printed, _) = told(&evaluate(home, &["--train", "--epochs", "2"]));
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("tones"));
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    for column in [
        "method", "without", "protocol", "R@1", "R@5", "R@10", "R@25", "median", "VGGish",
    ] {
        assert!(head.contains(&column), "{head:?}");
    }
    let lines: Vec<&str> = lines.collect();
    let expected = [
        ("mrcmv", ""),
        ("mrcmv", "sa"),
        ("mrcmv", "cma"),
        ("mrcmv", "gate"),
        ("mrcmv", "pseudo-label"),
        ("cmmr", ""),
        ("cbvmr", ""),
        ("chance", ""),
        ("tag-random", ""),
    ];
    assert_eq!(lines.len(), 2 * expected.len(), "{printed}");
    for (method, without) in expected {
        for protocol in ["separated", "clean"] {
            let start = [method, without, protocol].join(" ");
            let found = lines.iter().filter(|line| {
                let words: Vec<&str> = line.split_whitespace().skip(1).collect();
                words.join(" ").starts_with(&start.replace("  ", " "))
            });
            let line = found.clone().next().expect("a row");
            assert_eq!(found.count(), 1, "{start} in\n{printed}");
            // Each recall with its interval.
            assert_eq!(line.matches('[').count(), 4, "{line}");
        }
    }

    // The rows are there now: machines read the same, again and again.
    let machine = evaluate(home, &["--train", "--epochs", "2", "--json"]);
    let read = rows(&machine);
    assert_eq!(read.len(), lines.len());
    let of = |row: &Value, key: &str| row[key].as_str().expect("text").to_owned();
    for row in &read {
        assert_eq!(row["queries"], QUERIES);
        assert!(
            row["median_rank"].is_f64() && row["ci95"]["r1"].is_array(),
            "{row}"
        );
        let line = format!("{} {}", of(row, "pack"), of(row, "method"));
        assert!(
            lines.iter().any(|printed| {
                let words: Vec<&str> = printed.split_whitespace().collect();
                words.join(" ").starts_with(&line)
            }),
            "{line} in\n{printed}"
        );
    }
    assert_eq!(
        read,
        rows(&evaluate(home, &["--train", "--epochs", "2", "--json"]))
    );

    // A row by the voice cannot be had of a pack that asks with the picture.
    let cmmr = read.iter().find(|row| row["method"] == "cmmr").expect("a row");
    let asked = evaluate(
        home,
        &["--pack", &of(cmmr, "pack"), "--ask", "voice", "--ask", "picture"],
    );
    let (printed, complaint) = told(&asked);
    assert!(complaint.contains("no row by the voice"), "{complaint}");
    assert!(
        printed.contains("picture") && !printed.contains("voice"),
        "{printed}"
    );
    Ok(())
}

/// Every video has the same picture, so that by it alone all queries are one, and their ranks every one that there is.
#[test]
fn a_pack_is_asked_with_one_modality_alone() -> Result<()> {
    const ASKED: [&str; 9] = [
        "--protocol",
        "clean",
        "--ask",
        "both",
        "--ask",
        "voice",
        "--ask",
        "picture",
        "--json",
    ];
    let folder = tempfile::tempdir().expect("temporary folder");
    let home = folder.path();
    let corpus = corpus(&home.join("corpus"), 2, true)?;
    let file = corpus.join("corpus.json");
    let mut json: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("read")).expect("JSON");
    for item in json["items"].as_array_mut().expect("items") {
        item["split"] = json!("test");
    }
    std::fs::write(&file, json.to_string()).expect("write");
    let asked = rows(&evaluate(home, &ASKED));
    let asks: Vec<&Value> = asked.iter().map(|row| &row["ask"]).collect();
    assert_eq!(asks, [&Value::Null, &json!("voice"), &json!("picture")]);
    let picture = &asked[2];
    assert_eq!(
        (&picture["queries"], &picture["r1"], &picture["median_rank"]),
        (&json!(4), &json!(25.0), &json!(2.5)),
        "{picture}"
    );

    // Who has no voice, or no picture, is no query where that alone asks.
    chord(&corpus.join("4.mix.wav"), 20, 2)?;
    let items = json["items"].as_array_mut().expect("items");
    items.push(json!({"id": "unseen", "video": "4.mix.wav", "split": "test", "voice": "0.voice.wav", "bgm": "1.bgm.wav"}));
    let silence = undertone::media::AudioFormat::VGGISH;
    let mut silent = undertone::media::WavWriter::create(&corpus.join("silent.wav"), silence)?;
    silent.write(&vec![0.0; 16_000])?;
    silent.finish()?;
    items[0]["voice"] = json!("silent.wav");
    std::fs::write(&file, json.to_string()).expect("write");
    let asked = evaluate(home, &ASKED);
    let queries: Vec<Value> = rows(&asked).iter().map(|row| row["queries"].clone()).collect();
    assert_eq!(queries, [json!(5), json!(4), json!(4)]);
    let (out, complaint) = told(&asked);
    for reason in [
        "has no voice in its first 32 s",
        "has no picture in its first 32 s",
    ] {
        assert!(out.contains(reason), "{out}");
    }
    assert!(complaint.contains("the picture alone asks"), "{complaint}");
    Ok(())
}
