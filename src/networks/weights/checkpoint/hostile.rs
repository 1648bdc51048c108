//! Files that were made to do harm, or were damaged at random.
//!
//! The fuzzers start from files that the references wrote. Each overwrites, cuts or repeats parts of one and demands an
//! answer: no panic, no hang, and never more weights than the file has room for. `UNDERTONE_FUZZ_CASES` sets how many
//! each tries (CONTRIBUTING.md has the last long run); what fails is kept under `proptest-regressions`.

use std::collections::HashMap;
use std::sync::LazyLock;

use candle_core::{Device, Tensor};
use proptest::prelude::*;

use super::tests::{ENTRY, GOLDEN, archive_of, bundle, golden, index_of, no_shards};
use super::*;

fn cases() -> ProptestConfig {
    let cases = std::env::var("UNDERTONE_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(2000))
}

/// One file of each form that stands alone, as its reference or this program writes it.
static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files: Vec<Vec<u8>> = GOLDEN
        .into_iter()
        .map(|name| std::fs::read(golden(name)).expect("a fixture"))
        .collect();
    let tensor = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu).expect("tensor");
    let half = tensor.to_dtype(candle_core::DType::F16).expect("cast");
    let tensors = HashMap::from([("whole", tensor), ("half", half)]);
    files.push(safetensors::serialize(&tensors, None).expect("serialised"));
    let (index, data) = bundle();
    files.push(archive_of(&[
        ("model.data-00000-of-00001", &data),
        ("model.index", &index),
    ]));
    files
});

/// What is done to a file.
#[derive(Debug, Clone)]
enum Harm {
    Overwrite(u16, u8),
    /// A field of eight bytes, as sizes and offsets are.
    Number(u16, u64),
    Cut(u16),
    Insert(u16, u8),
    Repeat(u16, u16),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<u16>(), any::<u8>()).prop_map(|(at, value)| Harm::Overwrite(at, value)),
        1 => (any::<u16>(), prop_oneof![Just(u64::MAX), Just(1 << 40), Just(1 << 31), any::<u64>()])
            .prop_map(|(at, value)| Harm::Number(at, value)),
        1 => any::<u16>().prop_map(Harm::Cut),
        1 => (any::<u16>(), any::<u8>()).prop_map(|(at, value)| Harm::Insert(at, value)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(from, to)| Harm::Repeat(from, to)),
    ]
}

fn harmed(mut bytes: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        let place = |at: u16| usize::from(at) % bytes.len().max(1);
        match *harm {
            _ if bytes.is_empty() => {}
            Harm::Overwrite(at, value) => {
                let at = place(at);
                bytes[at] = value;
            }
            Harm::Number(at, value) => {
                let at = place(at);
                for (byte, value) in bytes[at..].iter_mut().zip(value.to_le_bytes()) {
                    *byte = value;
                }
            }
            Harm::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
            Harm::Insert(at, value) => {
                let at = place(at);
                bytes.insert(at, value);
            }
            Harm::Repeat(from, to) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                bytes.extend_from_within(from..to);
            }
        }
    }
    bytes
}

fn harms() -> impl Strategy<Value = Vec<Harm>> {
    proptest::collection::vec(harm(), 1..6)
}

/// Whether what was read has room in `file_bytes`; a refusal has.
fn has_room(read: &Result<Arrays, Problem>, file_bytes: usize) -> bool {
    let Ok(arrays) = read else { return true };
    let values: usize = arrays.values().map(|array| array.values.len()).sum();
    values * size_of::<f32>() <= 2 * file_bytes
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_harmed_torch_zip_is_answered(harms in harms()) {
        let bytes = harmed(CORPUS[0].clone(), &harms);
        prop_assert!(has_room(&torch::read_zip(&bytes), bytes.len()));
    }

    #[test]
    fn a_harmed_legacy_torch_file_is_answered(harms in harms()) {
        let bytes = harmed(CORPUS[1].clone(), &harms);
        prop_assert!(has_room(&torch::read_legacy(&bytes), bytes.len()));
    }

    #[test]
    fn a_harmed_caffe2_pickle_is_answered(which in 2..4_usize, harms in harms()) {
        let bytes = harmed(CORPUS[which].clone(), &harms);
        prop_assert!(has_room(&caffe2::read(&bytes), bytes.len()));
    }

    #[test]
    fn a_harmed_safetensors_file_is_answered(harms in harms()) {
        let bytes = harmed(CORPUS[4].clone(), &harms);
        prop_assert!(has_room(&read_safetensors(&bytes), bytes.len()));
    }

    #[test]
    fn a_harmed_archive_is_answered(harms in harms()) {
        let bytes = harmed(CORPUS[5].clone(), &harms);
        // gzip may make it larger, up to the limit of its reader.
        prop_assert!(has_room(&archive::read(&bytes), (bytes.len() + 4096) * 16));
    }

    /// gzip's checksum hides what lies behind it from the fuzzer above.
    #[test]
    fn a_harmed_bundle_in_an_archive_is_answered(harms in harms()) {
        let (index, data) = bundle();
        let bytes = archive_of(&[("m.data-00000-of-00001", &data), ("m.index", &harmed(index, &harms))]);
        prop_assert!(has_room(&archive::read(&bytes), data.len()));
    }

    #[test]
    fn a_harmed_index_is_answered(harms in harms()) {
        let (index, data) = bundle();
        let index = harmed(index, &harms);
        let read = tensorflow::read(&index, &|_, _| Ok(data.clone()));
        prop_assert!(has_room(&read, data.len() * 4096));
    }

    /// Whatever form its first bytes promise.
    #[test]
    fn a_harmed_file_is_answered_with_a_sentence(which in 0..6_usize, harms in harms()) {
        let bytes = harmed(CORPUS[which].clone(), &harms);
        if let Err(problem) = parse(&bytes, &no_shards) {
            prop_assert!(!problem.is_empty() && problem.len() < 2000);
        }
    }

    #[test]
    fn noise_is_no_pickle(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = pickle::Pickle::read(&bytes);
        let _ = torch::read_legacy(&bytes);
        let _ = torch::read_zip(&bytes);
        let _ = caffe2::read(&bytes);
    }
}

fn refused(bytes: &[u8], expected: &str) {
    let problem = parse(bytes, &no_shards).expect_err(expected);
    assert!(problem.contains(expected), "{problem:?} lacks {expected:?}");
}

/// `bytes` with the one occurrence of `from` replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len().saturating_sub(from.len() - 1))
        .filter(|&at| bytes[at..].starts_with(from))
        .collect();
    let at = *places.first().expect("the bytes to replace");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// A zip archive of stored entries as PyTorch writes it; `entries` name where the bytes of each lie among `bodies`.
fn zip_of(bodies: &[(&str, &[u8])], directory: &[(&str, usize)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut places = Vec::new();
    for (name, body) in bodies {
        places.push((file.len() as u32, *body));
        file.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0");
        file.extend(header_fields(name, body));
        file.extend(name.as_bytes());
        file.extend(*body);
    }
    let start = file.len() as u32;
    for (name, body) in directory {
        let (offset, body) = places[*body];
        file.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        file.extend(header_fields(name, body));
        file.extend([0; 12 - 2]);
        file.extend(offset.to_le_bytes());
        file.extend(name.as_bytes());
    }
    let size = file.len() as u32 - start;
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([(directory.len() as u16).to_le_bytes(); 2].concat());
    file.extend(size.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// Checksum, sizes, length of the name and of nothing more.
fn header_fields(name: &str, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32).to_le_bytes();
    let mut crc = flate2::Crc::new();
    crc.update(body);
    [
        &crc.sum().to_le_bytes()[..],
        &size,
        &size,
        &(name.len() as u16).to_le_bytes(),
        &[0, 0],
    ]
    .concat()
}

/// A pickle of a dictionary with a tensor of one f32 in each of `keys`' storages.
fn pickle_of(keys: &[String]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for key in keys {
        let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        pickle.extend(text(&format!("w{key}")));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        pickle.extend(text("storage"));
        pickle.extend(b"ctorch\nFloatStorage\n");
        pickle.extend(text(key));
        pickle.extend(text("cpu"));
        pickle.extend(b"K\x01tQK\x00K\x01\x85K\x01\x85\x89NtR");
    }
    pickle.extend(b"u.");
    pickle
}

/// Many names for the same bytes: read one by one, a megabyte would become gigabytes.
#[test]
fn an_archive_whose_entries_overlap_is_refused() {
    let keys: Vec<String> = (0..2000).map(|key| key.to_string()).collect();
    let pickle = pickle_of(&keys);
    let body = vec![0; 1 << 20];
    let names: Vec<String> = keys.iter().map(|key| format!("x/data/{key}")).collect();
    let mut directory = vec![("x/data.pkl", 0)];
    directory.extend(names.iter().map(|name| (name.as_str(), 1)));
    let bomb = zip_of(&[("x/data.pkl", &pickle), ("x/data/0", &body)], &directory);
    refused(&bomb, "room for");
    // The same archive with one name is read.
    let one = pickle_of(&keys[..1]);
    let honest = zip_of(
        &[("x/data.pkl", &one), ("x/data/0", &body)],
        &[("x/data.pkl", 0), ("x/data/0", 1)],
    );
    let read = parse(&honest, &no_shards).expect("an honest archive");
    assert_eq!(read.arrays["w0"].values, [0.0]);
}

#[test]
fn a_compressed_entry_is_refused() {
    let bytes = std::fs::read(golden("checkpoints.zip.pth")).expect("a fixture");
    // Method 8 in both headers of the first entry: its length now says what it would grow to.
    let at = |signature: &[u8]| {
        bytes
            .windows(4)
            .position(|window| window == signature)
            .expect("a header")
    };
    let mut deflated = bytes.clone();
    deflated[at(b"PK\x03\x04") + 8] = 8;
    deflated[at(b"PK\x01\x02") + 10] = 8;
    refused(&deflated, "compressed");
}

#[test]
fn foreign_names_are_refused_in_every_pickle() {
    let rebuild: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n";
    let system: &[u8] = b"cos\nsystem\n";
    let evil = replaced(&pickle_of(&["0".to_owned()]), rebuild, system);
    let zip = zip_of(
        &[("x/data.pkl", &evil), ("x/data/0", &[0; 4])],
        &[("x/data.pkl", 0), ("x/data/0", 1)],
    );
    refused(&zip, "os.system, which no checkpoint needs");
    let read = |name: &str| std::fs::read(golden(name)).expect("a fixture");
    let legacy = replaced(&read("checkpoints.legacy.pth"), rebuild, system);
    refused(&legacy, "os.system, which no checkpoint needs");
    let old = replaced(&read("checkpoints.protocol2.pkl"), b"c_codecs\nencode\n", system);
    refused(&old, "os.system, which no checkpoint needs");
    let new = replaced(
        &read("checkpoints.protocol4.pkl"),
        b"_reconstruct",
        b"system_calls",
    );
    refused(&new, "system_calls, which no checkpoint needs");
}

#[test]
fn big_endian_files_are_refused_by_name() {
    let entries = |order: &[u8]| {
        let pickle = pickle_of(&["0".to_owned()]);
        zip_of(
            &[
                ("x/data.pkl", &pickle),
                ("x/byteorder", order),
                ("x/data/0", &[0; 4]),
            ],
            &[("x/data.pkl", 0), ("x/byteorder", 1), ("x/data/0", 2)],
        )
    };
    assert!(parse(&entries(b"little"), &no_shards).is_ok());
    refused(&entries(b"big"), "big-endian");

    let legacy = std::fs::read(golden("checkpoints.legacy.pth")).expect("a fixture");
    refused(
        &replaced(&legacy, b"little_endianq\x02\x88", b"little_endianq\x02\x89"),
        "big-endian",
    );

    for name in ["checkpoints.protocol2.pkl", "checkpoints.protocol4.pkl"] {
        let pickle = std::fs::read(golden(name)).expect("a fixture");
        let (from, to): (&[u8], &[u8]) = if name.contains("protocol2") {
            (b"X\x01\0\0\0<", b"X\x01\0\0\0>")
        } else {
            (b"\x8c\x01<", b"\x8c\x01>")
        };
        refused(&replaced(&pickle, from, to), "big-endian");
    }

    // `BundleHeaderProto`: one shard, byte order 1.
    let big = index_of(&[0x08, 1, 0x10, 1], &[(0, b"x/kernel", ENTRY)]);
    let problem = tensorflow::read(&big, &no_shards).expect_err("big-endian");
    assert!(problem.contains("big-endian"), "{problem}");
}

#[test]
fn types_are_converted_or_refused_by_name() {
    let of = |dtype: safetensors::Dtype, bytes: &[u8], shape: Vec<usize>| {
        let view = safetensors::tensor::TensorView::new(dtype, shape, bytes).expect("a view");
        safetensors::serialize([("a.weight", view)], None).expect("serialised")
    };
    let one = of(safetensors::Dtype::F64, &1.5f64.to_le_bytes(), vec![1]);
    assert_eq!(
        parse(&one, &no_shards).expect("converted").arrays["a.weight"].values,
        [1.5]
    );
    let count = of(safetensors::Dtype::I64, &7i64.to_le_bytes(), vec![1]);
    assert_eq!(
        parse(&count, &no_shards).expect("converted").arrays["a.weight"].values,
        [7.0]
    );
    let flags = of(safetensors::Dtype::BOOL, &[1, 0], vec![2]);
    refused(&flags, "the weight a.weight has the type BOOL");
    let huge = of(safetensors::Dtype::F64, &1e300f64.to_le_bytes(), vec![1]);
    refused(&huge, "the weight a.weight is not finite");
    let legacy = std::fs::read(golden("checkpoints.legacy.pth")).expect("a fixture");
    let doubled = replaced(&legacy, b"ctorch\nHalfStorage\n", b"ctorch\nLongStorage\n");
    // Eight bytes where two were: the storage ends too soon.
    refused(&doubled, "ends inside its storage");
}

#[test]
fn variables_in_the_same_bytes_or_beyond_them_are_refused() {
    let (_, data) = bundle();
    let check = |rows: &[(u8, &[u8], &[u8])], expected: &str| {
        let problem =
            tensorflow::read(&index_of(&[0x08, 1], rows), &|_, _| Ok(data.clone())).expect_err(expected);
        assert!(problem.contains(expected), "{problem}");
    };
    check(
        &[(0, b"x/kernel", ENTRY), (7, b"m", ENTRY)],
        "x/kernel and x/kernem in the same bytes",
    );
    let beyond = [ENTRY, &[0x20, 4]].concat();
    check(&[(0, b"x/kernel", &beyond)], "x/kernel outside its data file");
    let far = [
        ENTRY,
        &[0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ]
    .concat();
    check(&[(0, b"x/kernel", &far)], "x/kernel outside its data file");
    let giant = [
        0x08, 1, 0x12, 8, 0x12, 6, 0x08, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x28, 8,
    ];
    check(
        &[(0, b"x/kernel", &giant)],
        "does not fill its 8 bytes (x/kernel)",
    );
    let elsewhere = [ENTRY, &[0x18, 3]].concat();
    check(
        &[(0, b"x/kernel", &elsewhere)],
        "a data file that it does not have",
    );
}

#[test]
fn the_official_index_is_answered_wherever_it_is_cut() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media/separation/spleeter_2stems_model.index");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    for length in (0..bytes.len()).step_by(1024) {
        let answer = parse(&bytes[..length], &no_shards);
        assert!(answer.is_err(), "cut to {length} bytes");
    }
}

/// Larger than the fixtures, so that a cut at each KiB falls inside weights too.
#[test]
fn files_cut_at_every_kibibyte_are_refused() {
    let weights: Vec<f32> = (0..20_000).map(|at| at as f32).collect();
    let tensor = Tensor::new(weights.as_slice(), &Device::Cpu).expect("tensor");
    let safetensors =
        safetensors::serialize(&HashMap::from([("a.weight", tensor)]), None).expect("serialised");
    let body: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let pickle = pickle_of(&["0".to_owned()]);
    let zip = zip_of(
        &[("x/data.pkl", &pickle), ("x/data/0", &body)],
        &[("x/data.pkl", 0), ("x/data/0", 1)],
    );
    let (index, data) = bundle();
    let archive = archive_of(&[
        ("m.data-00000-of-00001", &data),
        ("m.index", &index),
        ("rest", &body),
    ]);
    for (form, file) in [("safetensors", safetensors), ("zip", zip), ("archive", archive)] {
        assert!(parse(&file, &no_shards).is_ok(), "{form}");
        for length in (0..file.len()).step_by(1024) {
            assert!(
                parse(&file[..length], &no_shards).is_err(),
                "{form} cut to {length} bytes"
            );
        }
    }
}
