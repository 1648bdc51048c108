//! TensorFlow V2 bundles: an `.index` table (`LevelDB`'s format) of names, shapes and places in `.data` shards.
//!
//! Reference: `tensorflow/core/util/tensor_bundle`, `tensorflow/tsl/lib/io/format.cc`, `tensor_bundle.proto`.

use super::{Array, Arrays, Element, Problem, Shards};

const TABLE_MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();
const FOOTER: usize = 48;
/// Compression byte and checksum behind each block.
const BLOCK_TRAILER: usize = 5;

/// Where one variable lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) element: Option<Element>,
    pub(super) shape: Vec<usize>,
    pub(super) shard: u32,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Whether the bytes end as a table does.
pub(super) fn is_index(bytes: &[u8]) -> bool {
    bytes.len() >= FOOTER && bytes.ends_with(&TABLE_MAGIC)
}

/// Reads all variables of the bundle with this index. `shard(i, n)` gives data file i of n.
pub(super) fn read(index: &[u8], shard: Shards<'_>) -> Result<Arrays, Problem> {
    let (shards, entries) = entries(index)?;
    let mut found = Arrays::new();
    for at in 0..shards {
        let mut mine: Vec<&Entry> = entries.iter().filter(|entry| entry.shard == at).collect();
        if mine.is_empty() {
            continue;
        }
        mine.sort_by_key(|entry| entry.offset);
        for (before, after) in mine.iter().zip(&mine[1..]) {
            if before.offset.saturating_add(before.size) > after.offset {
                return Err(format!(
                    "places the weights {} and {} in the same bytes",
                    before.name, after.name
                ));
            }
        }
        let data = shard(at, shards)?;
        for entry in mine {
            // Strings and other non-numbers (`_CHECKPOINTABLE_OBJECT_GRAPH`) are no weights.
            let Some(element) = entry.element else { continue };
            let outside = || format!("places the weight {} outside its data file", entry.name);
            let start = usize::try_from(entry.offset).map_err(|_| outside())?;
            let end = usize::try_from(entry.size)
                .ok()
                .and_then(|size| start.checked_add(size));
            let bytes = end.and_then(|end| data.get(start..end)).ok_or_else(outside)?;
            let array = Array::from_bytes(element, entry.shape.clone(), bytes)
                .map_err(|problem| format!("{problem} ({})", entry.name))?;
            found.insert(entry.name.clone(), array);
        }
    }
    Ok(found)
}

/// Number of shards, and all variables of an index.
pub(super) fn entries(index: &[u8]) -> Result<(u32, Vec<Entry>), Problem> {
    let damaged = || "is a damaged TensorFlow index".to_owned();
    let footer = &index[index.len().checked_sub(FOOTER).ok_or_else(damaged)?..];
    let mut reader = Reader { bytes: footer };
    let _meta_index = (reader.varint()?, reader.varint()?);
    let (offset, size) = (reader.varint()?, reader.varint()?);
    let mut shards = None;
    let mut found = Vec::new();
    for (_, handle) in block(index, offset, size)? {
        let mut reader = Reader { bytes: &handle };
        for (key, value) in block(index, reader.varint()?, reader.varint()?)? {
            if key.is_empty() {
                shards = Some(header(&value)?);
            } else {
                let name = String::from_utf8(key).map_err(|_| damaged())?;
                found.push(entry(name, &value)?);
            }
        }
    }
    let shards = shards.ok_or_else(damaged)?;
    match found.iter().find(|entry| entry.shard >= shards) {
        Some(entry) => Err(format!(
            "places the weight {} in a data file that it does not have",
            entry.name
        )),
        None => Ok((shards, found)),
    }
}

type Row = (Vec<u8>, Vec<u8>);

/// The rows of one block: keys share prefixes with the key before them.
fn block(index: &[u8], offset: u64, size: u64) -> Result<Vec<Row>, Problem> {
    let damaged = || "is a damaged TensorFlow index".to_owned();
    let start = usize::try_from(offset).map_err(|_| damaged())?;
    let size = usize::try_from(size).map_err(|_| damaged())?;
    let end = start.checked_add(size).ok_or_else(damaged)?;
    let whole = index
        .get(start..end.checked_add(BLOCK_TRAILER).ok_or_else(damaged)?)
        .ok_or_else(damaged)?;
    if whole[size] != 0 {
        return Err(
            "is a compressed TensorFlow index; save the checkpoint again without compression".to_owned(),
        );
    }
    let block = &whole[..size];
    let (body, count) = block.split_at_checked(size.wrapping_sub(4)).ok_or_else(damaged)?;
    let restarts = count.try_into().map(u32::from_le_bytes).map_err(|_| damaged())? as usize;
    let rows = restarts
        .checked_mul(4)
        .and_then(|size| body.len().checked_sub(size))
        .ok_or_else(damaged)?;
    let mut reader = Reader { bytes: &body[..rows] };
    let mut found: Vec<Row> = Vec::new();
    // A prefix may be repeated in every row; together the keys may not outgrow what real names need.
    let mut budget = index.len().saturating_mul(64);
    while !reader.bytes.is_empty() {
        let (shared, own, value) = (reader.length()?, reader.length()?, reader.length()?);
        let before = found.last().map(|(key, _)| key.as_slice()).unwrap_or_default();
        let mut key = before.get(..shared).ok_or_else(damaged)?.to_vec();
        key.extend_from_slice(reader.take(own)?);
        budget = budget.checked_sub(key.len()).ok_or_else(damaged)?;
        found.push((key, reader.take(value)?.to_vec()));
    }
    Ok(found)
}

/// `BundleHeaderProto`: 1 number of shards, 2 byte order (1 = big).
fn header(bytes: &[u8]) -> Result<u32, Problem> {
    let mut shards = 1;
    for field in fields(bytes)? {
        match field {
            (1, Field::Number(count)) => {
                shards = u32::try_from(count)
                    .ok()
                    .filter(|&count| count <= 4096)
                    .unwrap_or(0);
            }
            (2, Field::Number(1)) => {
                return Err("was written on a big-endian computer; save it again on a usual one".to_owned());
            }
            _ => {}
        }
    }
    Ok(shards)
}

/// `BundleEntryProto`: 1 dtype, 2 shape, 3 shard, 4 offset, 5 size, 6 checksum, 7 slices.
fn entry(name: String, bytes: &[u8]) -> Result<Entry, Problem> {
    let mut entry = Entry {
        name,
        element: None,
        shape: Vec::new(),
        shard: 0,
        offset: 0,
        size: 0,
    };
    for field in fields(bytes)? {
        match field {
            (1, Field::Number(dtype)) => {
                // `DataType` of types.proto.
                entry.element = match dtype {
                    1 => Some(Element::F32),
                    2 => Some(Element::F64),
                    3 => Some(Element::I32),
                    9 => Some(Element::I64),
                    14 => Some(Element::Bf16),
                    19 => Some(Element::F16),
                    _ => None,
                }
            }
            (2, Field::Bytes(shape)) => entry.shape = dimensions(shape)?,
            (3, Field::Number(shard)) => entry.shard = u32::try_from(shard).unwrap_or(u32::MAX),
            (4, Field::Number(offset)) => entry.offset = offset,
            (5, Field::Number(size)) => entry.size = size,
            (7, _) => {
                return Err(format!(
                    "holds the weight {} in slices, which no network here has",
                    entry.name
                ));
            }
            _ => {}
        }
    }
    Ok(entry)
}

/// `TensorShapeProto`: repeated 2 `Dim`, whose 1 is the size.
fn dimensions(bytes: &[u8]) -> Result<Vec<usize>, Problem> {
    let mut shape = Vec::new();
    for field in fields(bytes)? {
        if let (2, Field::Bytes(dim)) = field {
            let size = fields(dim)?.into_iter().find_map(|field| match field {
                (1, Field::Number(size)) => Some(size),
                _ => None,
            });
            shape.push(
                usize::try_from(size.unwrap_or(0)).map_err(|_| "holds a weight of giant size".to_owned())?,
            );
        }
    }
    Ok(shape)
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protocol buffer.
fn fields(bytes: &[u8]) -> Result<Vec<(u64, Field<'_>)>, Problem> {
    let mut reader = Reader { bytes };
    let mut found = Vec::new();
    while !reader.bytes.is_empty() {
        let tag = reader.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(reader.varint()?),
            1 => Field::Bytes(reader.take(8)?),
            2 => {
                let length = reader.length()?;
                Field::Bytes(reader.take(length)?)
            }
            5 => Field::Bytes(reader.take(4)?),
            _ => return Err("is a damaged TensorFlow index".to_owned()),
        };
        found.push((tag >> 3, field));
    }
    Ok(found)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Result<u64, Problem> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("is a damaged TensorFlow index".to_owned())
    }

    fn length(&mut self) -> Result<usize, Problem> {
        usize::try_from(self.varint()?).map_err(|_| "is a damaged TensorFlow index".to_owned())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| "is a damaged TensorFlow index".to_owned())?;
        self.bytes = rest;
        Ok(taken)
    }
}
