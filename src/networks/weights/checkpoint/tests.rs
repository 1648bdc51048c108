//! Every form against what the reference wrote, and against damage at every place.

use std::path::{Path, PathBuf};

use super::*;

/// Written by `tests/golden/checkpoints.py`.
pub(super) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

pub(super) const GOLDEN: [&str; 4] = [
    "checkpoints.zip.pth",
    "checkpoints.legacy.pth",
    "checkpoints.protocol2.pkl",
    "checkpoints.protocol4.pkl",
];

fn check(name: &str) {
    let Checkpoint { form, arrays } = read(&golden(name)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        form,
        if name.ends_with("pth") {
            Form::Torch
        } else {
            Form::Caffe2
        }
    );
    let expect = |key: &str, shape: &[usize], values: &[f32]| {
        let array = arrays.get(key).unwrap_or_else(|| panic!("{name} lacks {key}"));
        assert_eq!(
            (array.shape.as_slice(), array.values.as_slice()),
            (shape, values),
            "{name}: {key}"
        );
    };
    expect("a.weight", &[2, 3], &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    expect("a.turned", &[3, 2], &[0.5, 1.25, 0.75, 1.5, 1.0, 1.75]);
    expect("a.parameter", &[2], &[1.5, 1.75]);
    expect("half", &[2], &[1.5, -2.0]);
    expect("count", &[], &[7.0]);
    assert_eq!(arrays.len(), 5);
}

#[test]
fn every_form_holds_the_same_weights() {
    GOLDEN.into_iter().for_each(check);
}

pub(super) fn no_shards(_: u32, _: u32) -> Result<Vec<u8>, Problem> {
    Err("there is no data file".to_owned())
}

#[test]
fn a_truncated_file_is_a_sentence() {
    for name in GOLDEN {
        let bytes = std::fs::read(golden(name)).expect("a fixture");
        for length in 0..bytes.len() {
            assert!(
                parse(&bytes[..length], &no_shards).is_err(),
                "{name} cut to {length} bytes"
            );
        }
    }
}

#[test]
fn weights_that_are_not_finite_are_named() {
    let mut bytes = std::fs::read(golden("checkpoints.protocol4.pkl")).expect("a fixture");
    let value = 1.25f32.to_le_bytes();
    let at = bytes
        .windows(4)
        .position(|window| window == value)
        .expect("the value");
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let problem = parse(&bytes, &no_shards).expect_err("refused");
    assert!(problem.contains("a.weight"), "{problem}");
}

#[test]
fn a_safetensors_file_is_read_too() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let tensor = candle_core::Tensor::new(&[[1f32, 2.0]], &candle_core::Device::Cpu).expect("tensor");
    let path = folder.path().join("a.safetensors");
    candle_core::safetensors::save(&std::collections::HashMap::from([("x", tensor)]), &path).expect("saved");
    assert_eq!(
        read(&path).expect("read").arrays["x"],
        Array {
            shape: vec![1, 2],
            values: vec![1.0, 2.0]
        }
    );
}

#[test]
fn the_official_spleeter_index_is_understood() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media/separation/spleeter_2stems_model.index");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let (shards, entries) = tensorflow::entries(&bytes).expect("an index");
    assert_eq!((shards, entries.len()), (1, 149));
    let shape = |name: &str| &entries.iter().find(|entry| entry.name == name).expect(name).shape;
    assert_eq!(shape("conv2d/kernel"), &[5, 5, 2, 16]);
    assert_eq!(shape("conv2d_transpose_11/kernel"), &[5, 5, 1, 32]);
    assert_eq!(shape("batch_normalization_23/gamma"), &[1]);
    let end = entries.iter().map(|entry| entry.offset + entry.size).max();
    assert_eq!(end, Some(78_614_080), "the size of the data file");
}

/// f32 of shape [2] in the first eight bytes, as `BundleEntryProto` writes it.
pub(super) const ENTRY: &[u8] = &[0x08, 1, 0x12, 4, 0x12, 2, 0x08, 2, 0x28, 8];

/// An index of `rows` (letters shared with the key before, the rest of the key, value), written by hand as TensorFlow
/// lays it out.
pub(super) fn index_of(header: &[u8], rows: &[(u8, &[u8], &[u8])]) -> Vec<u8> {
    fn row(shared: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
        [&[shared, key.len() as u8, value.len() as u8][..], key, value].concat()
    }
    fn block(rows: &[Vec<u8>]) -> Vec<u8> {
        [&rows.concat()[..], &0u32.to_le_bytes(), &1u32.to_le_bytes()].concat()
    }
    let mut all = vec![row(0, b"", header)];
    all.extend(rows.iter().map(|&(shared, key, value)| row(shared, key, value)));
    let data_block = block(&all);
    let index_block = block(&[row(0, b"y", &[0, data_block.len() as u8])]);
    let mut file = [&data_block[..], &[0; 5], &index_block, &[0; 5]].concat();
    let mut footer = vec![0, 0, data_block.len() as u8 + 5, index_block.len() as u8];
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file
}

/// A small index and its data.
pub(super) fn bundle() -> (Vec<u8>, Vec<u8>) {
    (
        index_of(&[0x08, 1], &[(0, b"x/kernel", ENTRY)]),
        [1.5f32.to_le_bytes(), (-2f32).to_le_bytes()].concat(),
    )
}

#[test]
fn a_bundle_is_read_from_its_shard() {
    let (index, data) = bundle();
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.index");
    std::fs::write(&path, &index).expect("write");
    assert!(
        read(&path)
            .expect_err("no data")
            .to_string()
            .contains("model.data-00000-of-00001")
    );
    std::fs::write(folder.path().join("model.data-00000-of-00001"), &data).expect("write");
    assert_eq!(
        read(&path).expect("read").arrays["x/kernel"],
        Array {
            shape: vec![2],
            values: vec![1.5, -2.0]
        }
    );
    std::fs::write(folder.path().join("model.data-00000-of-00001"), &data[..7]).expect("write");
    assert!(read(&path).expect_err("cut").to_string().contains("x/kernel"));
}

pub(super) fn archive_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *content).expect("tar");
    }
    tar.into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .expect("gzip")
}

#[test]
fn a_release_archive_is_its_bundle() {
    let (index, data) = bundle();
    let bare = tensorflow::read(&index, &|_, _| Ok(data.clone())).expect("bare");
    let whole = archive_of(&[
        ("./checkpoint", b"model_checkpoint_path"),
        ("./._model.index", b"what macOS adds"),
        ("./model.data-00000-of-00001", &data),
        ("./model.index", &index),
        ("./model.meta", b"a graph"),
    ]);
    let Checkpoint { form, arrays } = parse(&whole, &no_shards).expect("archive");
    assert_eq!((form, arrays), (Form::TensorFlow, bare));

    let check = |bytes: &[u8], expected: &str| {
        let problem = parse(bytes, &no_shards).expect_err(expected);
        assert!(problem.contains(expected), "{problem}");
    };
    check(&archive_of(&[("model.index", &index)]), "data file");
    check(&archive_of(&[("a.txt", b"text")]), "exactly one TensorFlow index");
    // A megabyte of nothing in a few bytes: a bomb of this kind may hold gigabytes.
    check(
        &archive_of(&[("model.index", &vec![0; 1 << 20])]),
        "beyond what weights do",
    );
    for length in (0..whole.len()).step_by(7) {
        assert!(parse(&whole[..length], &no_shards).is_err(), "{length}");
    }
}
