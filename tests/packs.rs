//! Packs on disk: what is written is what is read, and nothing damaged is used.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::{Init, VarBuilder};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use undertone::error::{Error, ErrorKind, Result};
use undertone::networks::weights::{Pack, PackAbout, PackWriter, Parameters, parameter};

/// A network of one layer, to load packs into.
#[derive(Debug)]
struct Line {
    weight: Tensor,
    bias: Tensor,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    width: usize,
}

impl Line {
    fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let vb = vb.pp("fc");
        Ok(Self {
            weight: parameter(&vb, (config.width, 3), "weight", Init::Const(0.0))?,
            bias: parameter(&vb, config.width, "bias", Init::Const(0.0))?,
        })
    }
}

fn about(name: &str) -> PackAbout {
    PackAbout {
        name: name.to_owned(),
        version: "1".to_owned(),
        licence: "CC0-1.0".to_owned(),
        provenance: "made by a test".to_owned(),
        method: "mrcmv".to_owned(),
        without: vec!["gate".to_owned()],
    }
}

fn tensors(first: f32) -> HashMap<String, Tensor> {
    let weight = Tensor::new(&[[first, 1.0, 2.0], [3.0, 4.0, 5.0]], &Device::Cpu).expect("tensor");
    let bias = Tensor::new(&[0.5_f32, -0.5], &Device::Cpu).expect("tensor");
    HashMap::from([("fc.weight".to_owned(), weight), ("fc.bias".to_owned(), bias)])
}

fn write(folder: &Path, name: &str, first: f32) -> Result<Pack> {
    PackWriter::new(about(name))?
        .network("mrcmv", &Config { width: 2 }, &tensors(first))?
        .write(folder)
}

fn build(pack: &Pack) -> Result<Line> {
    pack.build("mrcmv", &Device::Cpu, Line::new)
}

/// The error is about the pack, is one sentence and says each of `expected`.
fn check_error<T: std::fmt::Debug>(result: Result<T>, expected: &[&str]) {
    let error = result.expect_err("an error");
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Pack, "{text}");
    assert!(!text.contains('\n'), "{text}");
    for part in expected {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().to_owned();
    (folder, path)
}

/// Replaces `from` in the manifest.
fn edit_manifest(pack: &Pack, from: &str, to: &str) {
    let path = pack.folder.join("pack.json");
    let text = fs::read_to_string(&path).expect("manifest");
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).expect("write");
}

#[test]
fn a_written_pack_reads_back() -> Result<()> {
    let (_guard, root) = folder();
    let written = write(&root.join("a"), "first", 7.0)?;
    let pack = Pack::open(&root.join("a"))?;
    assert_eq!(pack.manifest, written.manifest);
    assert_eq!(pack.manifest.without, ["gate"]);
    pack.verify()?;
    assert_eq!(pack.config::<Config>("mrcmv")?, Config { width: 2 });
    let line = build(&pack)?;
    assert_eq!(line.weight.to_vec2::<f32>().expect("values")[0], [7.0, 1.0, 2.0]);
    assert_eq!(line.bias.to_vec1::<f32>().expect("values"), [0.5, -0.5]);
    Ok(())
}

#[test]
fn a_pack_is_found_by_name_or_folder() -> Result<()> {
    let (_guard, root) = folder();
    write(&root.join("one").join("a"), "first", 1.0)?;
    write(&root.join("two").join("b"), "second", 2.0)?;
    fs::create_dir_all(root.join("two").join("broken")).expect("folder");
    fs::write(root.join("two").join("broken").join("pack.json"), "{").expect("write");
    let roots = [root.join("one"), root.join("missing"), root.join("two")];

    assert_eq!(Pack::find("first", &roots)?.folder, roots[0].join("a"));
    assert_eq!(Pack::find("second", &roots)?.manifest.name, "second");
    let by_folder = roots[2].join("b").display().to_string();
    assert_eq!(Pack::find(&by_folder, &[])?.manifest.name, "second");
    check_error(Pack::find("third", &roots), &["third", "first, second"]);
    check_error(Pack::find("third", &[]), &["third", "no pack is installed"]);
    check_error(Pack::find("broken", &roots), &["broken", "damaged"]);
    check_error(Pack::find("", &roots), &["not a pack"]);
    let listed = Pack::list(&roots);
    assert_eq!(listed.len(), 3);
    assert_eq!(listed.iter().filter(|pack| pack.is_err()).count(), 1);
    Ok(())
}

#[test]
fn a_damaged_pack_is_refused_in_one_sentence() -> Result<()> {
    let (_guard, root) = folder();
    check_error(Pack::open(&root), &["no pack.json"]);
    check_error(Pack::open(&root.join("nowhere")), &["no pack.json"]);

    let pack = write(&root, "first", 1.0)?;
    let entry = pack.manifest.networks["mrcmv"].clone();
    let file = root.join(&entry.file);
    let good = fs::read(&file).expect("read");
    let mut bad = good.clone();
    *bad.last_mut().expect("a byte") ^= 1;
    fs::write(&file, &bad).expect("write");
    check_error(pack.verify(), &[&entry.file, "checksum"]);
    check_error(build(&pack), &[&entry.file, "checksum"]);
    fs::remove_file(&file).expect("remove");
    check_error(pack.verify(), &[&entry.file, "lacks"]);
    check_error(build(&pack), &[&entry.file, "lacks"]);
    fs::write(&file, &good).expect("write");
    pack.verify()?;

    check_error(
        pack.build("slowfast", &Device::Cpu, Line::new),
        &["no slowfast network"],
    );
    edit_manifest(&pack, "\"width\"", "\"depth\"");
    check_error(build(&Pack::open(&root)?), &["config of mrcmv", "depth"]);
    edit_manifest(&pack, "\"version\"", "\"virsion\"");
    check_error(Pack::open(&root), &["damaged", "version"]);
    for text in ["", "[]", "null", "{\"name\": 3}", "\u{feff}{}"] {
        fs::write(root.join("pack.json"), text).expect("write");
        check_error(Pack::open(&root), &["damaged"]);
    }
    Ok(())
}

#[test]
fn a_file_outside_the_folder_is_refused() -> Result<()> {
    let (_guard, root) = folder();
    let file = write(&root, "first", 1.0)?.manifest.networks["mrcmv"]
        .file
        .clone();
    for name in [
        "../x",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        "C:\\\\x",
        "a\\\\b",
        "a/",
    ] {
        let pack = write(&root, "first", 1.0)?;
        edit_manifest(&pack, &file, name);
        check_error(Pack::open(&root), &["leaves the pack's folder"]);
    }
    let pack = write(&root, "first", 1.0)?;
    edit_manifest(&pack, &pack.manifest.networks["mrcmv"].sha256, "abc");
    check_error(Pack::open(&root), &["sha256"]);
    check_error(PackWriter::new(about("../x")), &["../x"]);
    Ok(())
}

#[test]
fn a_wrong_parameter_is_named() -> Result<()> {
    let (_guard, root) = folder();
    let store = |tensors: HashMap<String, Tensor>| -> Result<Pack> {
        PackWriter::new(about("first"))?
            .network("mrcmv", &Config { width: 2 }, &tensors)?
            .write(&root)
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("tensor");

    let mut missing = tensors(1.0);
    missing.remove("fc.bias");
    check_error(
        build(&store(missing)?),
        &["first", "mrcmv", "fc.bias", "[2]", "missing"],
    );
    let mut misshapen = tensors(1.0);
    misshapen.insert("fc.weight".to_owned(), zeros(&[3, 2]));
    check_error(build(&store(misshapen)?), &["fc.weight", "[3, 2]", "[2, 3]"]);
    let mut extra = tensors(1.0);
    extra.insert("fc.scale".to_owned(), zeros(&[4]));
    check_error(build(&store(extra)?), &["fc.scale", "[4]", "no layer"]);
    let mut counter = tensors(1.0);
    counter.insert(
        "bn.num_batches_tracked".to_owned(),
        Tensor::new(3_i64, &Device::Cpu).expect("tensor"),
    );
    build(&store(counter)?)?;

    let mut not_finite = tensors(f32::NAN);
    check_error(Parameters::new(not_finite.clone()), &["fc.weight", "not finite"]);
    check_error(store(not_finite.clone()), &["mrcmv", "fc.weight", "not finite"]);
    not_finite = tensors(f32::INFINITY);
    check_error(Parameters::new(not_finite), &["fc.weight", "not finite"]);
    let mut integers = tensors(1.0);
    integers.insert(
        "fc.bias".to_owned(),
        Tensor::new(&[1_u32, 2], &Device::Cpu).expect("tensor"),
    );
    check_error(Parameters::new(integers), &["fc.bias", "u32"]);
    Ok(())
}

#[test]
fn every_float_type_becomes_f32() -> Result<()> {
    let (_guard, root) = folder();
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let converted = tensors(1.0)
            .into_iter()
            .map(|(name, tensor)| (name, tensor.to_dtype(dtype).expect("cast")))
            .collect();
        let pack = PackWriter::new(about("first"))?
            .network("mrcmv", &Config { width: 2 }, &converted)?
            .write(&root)?;
        let line = build(&pack)?;
        assert_eq!(line.weight.dtype(), DType::F32);
        assert_eq!(line.weight.to_vec2::<f32>().expect("values")[1], [3.0, 4.0, 5.0]);
    }
    let too_large = Tensor::new(&[1e300_f64], &Device::Cpu).expect("tensor");
    check_error(
        Parameters::new(HashMap::from([("x".to_owned(), too_large)])),
        &["x", "not finite"],
    );
    Ok(())
}

#[test]
fn a_new_pack_replaces_an_old_one_whole() -> Result<()> {
    let (_guard, root) = folder();
    let old = write(&root, "first", 1.0)?;
    let old_file = root.join(&old.manifest.networks["mrcmv"].file);
    fs::write(root.join("notes.txt"), "the user's own").expect("write");
    // As if the program had ended before the last step of writing the new pack:
    fs::write(root.join("mrcmv-other.safetensors"), "half").expect("write");
    Pack::open(&root)?.verify()?;

    let new = write(&root, "first", 2.0)?;
    assert!(!old_file.exists());
    assert!(root.join("notes.txt").exists());
    Pack::open(&root)?.verify()?;
    assert_ne!(old.embedding_id(), new.embedding_id());
    assert_eq!(new.embedding_id(), Pack::open(&root)?.embedding_id());
    Ok(())
}

#[test]
fn equal_and_unchanged_networks_are_kept_byte_for_byte() -> Result<()> {
    let (_guard, root) = folder();
    let config = Config { width: 2 };
    let first = PackWriter::new(about("first"))?
        .network("vggish_voice", &config, &tensors(1.0))?
        .network("vggish_bgm", &config, &tensors(1.0))?
        .network("mrcmv", &config, &tensors(2.0))?
        .write(&root.join("a"))?;
    let files = |pack: &Pack| {
        fs::read_dir(&pack.folder)
            .expect("list")
            .flatten()
            .map(|entry| entry.file_name().into_string().expect("name"))
            .filter(|name| name != "pack.json")
            .collect::<Vec<String>>()
    };
    assert_eq!(files(&first).len(), 2);
    let second = PackWriter::new(about("second"))?
        .unchanged("vggish_bgm", &first)?
        .network("mrcmv", &config, &tensors(3.0))?
        .network("mrcmv", &config, &tensors(4.0))?
        .write(&root.join("b"))?;
    second.verify()?;
    assert_eq!(files(&second).len(), 2);
    assert_eq!(
        second.manifest.networks["vggish_bgm"].sha256,
        first.manifest.networks["vggish_bgm"].sha256
    );
    fs::write(root.join("a").join(&first.manifest.networks["mrcmv"].file), "x").expect("write");
    check_error(
        PackWriter::new(about("c"))?.unchanged("mrcmv", &first),
        &["checksum"],
    );
    Ok(())
}

/// Whatever the bytes are, reading them ends in parameters or in one sentence.
fn read(bytes: &[u8]) -> Option<Error> {
    let error = Parameters::from_safetensors(bytes).err()?;
    assert!(!error.to_string().contains('\n'));
    Some(error)
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = safetensors::serialize(&tensors(1.0), None).expect("serialise");
    assert!(read(&bytes).is_none());
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_some(), "{length} bytes were accepted");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(read(&longer).is_some());
}

/// A manifest of this form, and what may stand in place of a part of it.
fn manifest() -> String {
    serde_json::json!({
        "name": "first", "version": "1", "licence": "CC0-1.0", "provenance": "a test", "without": ["gate"],
        "networks": {"mrcmv": {"config": {"width": 2}, "file": "a.safetensors", "sha256": "0".repeat(64)}},
    })
    .to_string()
}

proptest! {
    #[test]
    fn no_manifest_crashes_its_reader(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        piece in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            Just(b"\"../../x\"".to_vec()),
            Just(b"1e999".to_vec()),
            Just(vec![b'['; 10_000]),
        ],
    ) {
        let (_guard, root) = folder();
        let mut bytes = manifest().into_bytes();
        let from = at.index(bytes.len());
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, piece);
        fs::write(root.join("pack.json"), bytes).expect("write");
        match Pack::open(&root) {
            Ok(pack) => for entry in pack.manifest.networks.values() {
                prop_assert!(!entry.file.contains(['/', '\\']));
            },
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn no_bytes_crash_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn no_changed_byte_crashes_the_reader(at in 0_usize..200, value in any::<u8>()) {
        let mut bytes = safetensors::serialize(&tensors(1.0), None).expect("serialise");
        let at = at % bytes.len();
        bytes[at] = value;
        read(&bytes);
    }
}
