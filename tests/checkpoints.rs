//! What a checkpoint may take of the computer's memory, by an allocator that counts. One test: nothing runs beside it.

use std::path::Path;

use peak_alloc::PeakAlloc;
use undertone::networks::weights::checkpoint;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The file, its weights at twice their width, and copies on the way.
const TIMES_THE_FILE: usize = 6;
/// Objects of a pickle are larger than their bytes in the file, and limited in number.
const AND_BYTES: usize = 96 << 20;

/// Reads `bytes` as a checkpoint and fails where that took more than the file has room for.
fn check(folder: &Path, name: &str, bytes: &[u8]) {
    let file = folder.join(name);
    std::fs::write(&file, bytes).expect("write");
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let read = checkpoint::read(&file);
    let took = MEMORY.peak_usage() - before;
    let room = TIMES_THE_FILE * bytes.len() + AND_BYTES;
    assert!(took <= room, "{name} of {} bytes took {took}", bytes.len());
    if let Err(error) = read {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

/// A zip archive of two stored entries under `names` names, all but the first for the bytes of the second.
fn overlapping_zip(pickle: &[u8], body: &[u8], names: usize) -> Vec<u8> {
    let fields = |name: &str, body: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(body);
        let size = (body.len() as u32).to_le_bytes();
        let length = (name.len() as u16).to_le_bytes();
        [&crc.sum().to_le_bytes()[..], &size, &size, &length, &[0, 0]].concat()
    };
    let mut file = Vec::new();
    let mut places = Vec::new();
    for (name, body) in [("x/data.pkl", pickle), ("x/data/0", body)] {
        places.push(file.len() as u32);
        file.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0");
        file.extend(fields(name, body));
        file.extend(name.as_bytes());
        file.extend(body);
    }
    let start = file.len() as u32;
    for at in 0..=names {
        let (name, body, place) = match at {
            0 => ("x/data.pkl".to_owned(), pickle, places[0]),
            key => (format!("x/data/{}", key - 1), body, places[1]),
        };
        file.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        file.extend(fields(&name, body));
        file.extend([0; 10]);
        file.extend(place.to_le_bytes());
        file.extend(name.as_bytes());
    }
    let size = file.len() as u32 - start;
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([(names as u16 + 1).to_le_bytes(); 2].concat());
    file.extend(size.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// A state dictionary with one f32 of each of `storages` storages.
fn state(storages: usize) -> Vec<u8> {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let mut pickle = b"\x80\x02}(".to_vec();
    for key in 0..storages {
        pickle.extend(text(&format!("w{key}")));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        pickle.extend(text("storage"));
        pickle.extend(b"ctorch\nFloatStorage\n");
        pickle.extend(text(&key.to_string()));
        pickle.extend(text("cpu"));
        pickle.extend(b"K\x01tQK\x00K\x01\x85K\x01\x85\x89NtR");
    }
    pickle.extend(b"u.");
    pickle
}

#[test]
fn no_file_takes_more_memory_than_it_has_room_for() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let folder = folder.path();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");

    // Eight gigabytes, read name by name.
    check(
        folder,
        "overlap.zip",
        &overlapping_zip(&state(4000), &vec![0; 2 << 20], 4000),
    );
    // As many objects as bytes.
    check(
        folder,
        "lists.pkl",
        &[&b"\x80\x02"[..], &vec![b']'; 4 << 20]].concat(),
    );
    check(
        folder,
        "marks.pkl",
        &[&b"\x80\x02"[..], &vec![b'('; 4 << 20]].concat(),
    );
    check(
        folder,
        "copies.pkl",
        &[&b"\x80\x02]"[..], &vec![b'2'; 4 << 20]].concat(),
    );
    check(folder, "memo.pkl", b"\x80\x02]r\xff\xff\xff\x7f.");
    for opcode in [0x8e_u8, 0x8d, 0x96] {
        let claim = [&[0x80, 4, opcode][..], &(1_u64 << 40).to_le_bytes(), b"abc."].concat();
        check(folder, "claim.pkl", &claim);
    }
    // Headers that promise what never comes.
    check(
        folder,
        "header.safetensors",
        &[&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat(),
    );
    let text = br#"{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#;
    let giant = [&(text.len() as u64).to_le_bytes()[..], text, &[0; 64]].concat();
    check(folder, "giant.safetensors", &giant);
    // A gigabyte of nothing in a megabyte.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("model.index").expect("a name");
    header.set_size(1 << 30);
    header.set_cksum();
    std::io::Write::write_all(&mut gzip, header.as_bytes()).expect("header");
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        std::io::Write::write_all(&mut gzip, &zeros).expect("zeros");
    }
    check(folder, "zeros.tar.gz", &gzip.finish().expect("gzip"));

    // Sizes and offsets of what the references wrote, one after the other made giant.
    for name in [
        "checkpoints.zip.pth",
        "checkpoints.legacy.pth",
        "checkpoints.protocol2.pkl",
        "checkpoints.protocol4.pkl",
    ] {
        let bytes = std::fs::read(golden.join(name)).expect("a fixture");
        for at in 0..bytes.len() {
            for width in [2, 8] {
                let mut harmed = bytes.clone();
                let end = (at + width).min(harmed.len());
                harmed[at..end].fill(0x7f);
                check(folder, name, &harmed);
            }
        }
    }
}
