//! PyTorch's two file forms: the zip archive (since 1.6) and the legacy sequence of pickles.
//!
//! Reference: `torch/serialization.py`. Both hold one pickle whose tensors name storages by persistent id; the raw storages
//! lie in the archive's `data/` folder, or one after the other behind the last pickle.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use super::pickle::{Object, Pickle, Value};
use super::{Array, Arrays, Budget, Element, Problem};

/// The first pickle of a legacy file: the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Keys under which training programs nest the weights.
const NESTS: [&str; 3] = ["model_state", "state_dict", "model"];

/// Whether the bytes start as a legacy file does.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.get(2..).is_some_and(|rest| rest.starts_with(LEGACY_MAGIC))
}

/// Reads a zip archive as `torch.save` writes it.
pub(super) fn read_zip(bytes: &[u8]) -> Result<Arrays, Problem> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|_| "is a damaged or truncated zip archive".to_owned())?;
    let names: Vec<String> = archive
        .file_names()
        .flatten()
        .map(std::borrow::Cow::into_owned)
        .collect();
    let root = names
        .iter()
        .find_map(|name| name.strip_suffix("data.pkl"))
        .ok_or_else(|| "is a zip archive without a PyTorch pickle".to_owned())?
        .to_owned();
    // Entries of a hostile archive may all be the same bytes; together they are no more than the file.
    let mut room = bytes.len() as u64;
    if let Ok(order) = entry(&mut archive, &mut room, &format!("{root}byteorder"))
        && order.starts_with(b"big")
    {
        return Err("was written on a big-endian computer; save it again with byteorder little".to_owned());
    }
    let program = entry(&mut archive, &mut room, &format!("{root}data.pkl"))?;
    let pickle = Pickle::read(&program)?;
    let mut storages = HashMap::new();
    for key in storage_elements(&pickle)?.into_keys() {
        let name = format!("{root}data/{key}");
        if let std::collections::hash_map::Entry::Vacant(vacant) = storages.entry(key) {
            vacant.insert(entry(&mut archive, &mut room, &name)?);
        }
    }
    let storages = storages
        .iter()
        .map(|(&key, storage)| (key, storage.as_slice()))
        .collect();
    collect(&pickle, &storages, bytes.len())
}

/// One entry, which PyTorch always stores uncompressed; so all of them have `room` in the file.
fn entry(
    archive: &mut zip::ZipArchive<Cursor<&[u8]>>,
    room: &mut u64,
    name: &str,
) -> Result<Vec<u8>, Problem> {
    let file = archive
        .by_name(name)
        .map_err(|_| format!("lacks its part {name}, or holds it compressed"))?;
    let size = file.size();
    if file.compression() != zip::CompressionMethod::Stored {
        return Err(format!(
            "holds its part {name} compressed, which PyTorch never does"
        ));
    }
    *room = room
        .checked_sub(size)
        .ok_or_else(|| format!("says that its part {name} is larger than the file has room for"))?;
    let mut content = Vec::new();
    file.take(size)
        .read_to_end(&mut content)
        .map_err(|_| format!("holds its part {name} damaged"))?;
    Ok(content)
}

/// Reads the legacy form: magic number, version, system, the pickle, the storages' keys, the storages.
pub(super) fn read_legacy(bytes: &[u8]) -> Result<Arrays, Problem> {
    let mut rest = bytes;
    let mut next = || -> Result<Pickle<'_>, Problem> {
        let pickle = Pickle::read(rest)?;
        rest = &rest[pickle.length..];
        Ok(pickle)
    };
    let (_magic, _version, system) = (next()?, next()?, next()?);
    if system.get(system.root, "little_endian") == Some(Value::Bool(false)) {
        return Err("was written on a big-endian computer; save it again on a usual one".to_owned());
    }
    let (pickle, keys) = (next()?, next()?);
    let elements = storage_elements(&pickle)?;
    let mut storages = HashMap::new();
    for &key in keys
        .items(keys.root)
        .ok_or_else(|| "lacks the list of its storages".to_owned())?
    {
        let key = key
            .text()
            .ok_or_else(|| "names a storage by something that is no text".to_owned())?;
        let cut = || format!("ends inside its storage {key}");
        let (count, data) = rest.split_at_checked(8).ok_or_else(cut)?;
        let count = count.try_into().map(u64::from_le_bytes).map_err(|_| cut())?;
        let element = elements.get(key).copied().unwrap_or(Element::F32);
        let size = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(element.size()))
            .ok_or_else(cut)?;
        let (storage, after) = data.split_at_checked(size).ok_or_else(cut)?;
        storages.insert(key, storage);
        rest = after;
    }
    collect(&pickle, &storages, bytes.len())
}

/// The storages that the pickle refers to, with their element types.
fn storage_elements<'a>(pickle: &Pickle<'a>) -> Result<HashMap<&'a str, Element>, Problem> {
    let mut found = HashMap::new();
    for object in pickle.objects() {
        if let Object::Persistent(id) = object {
            let (key, element) = storage(pickle, *id)?;
            found.insert(key, element);
        }
    }
    Ok(found)
}

/// `("storage", type, key, location, count, …)`.
fn storage<'a>(pickle: &Pickle<'a>, id: Value<'a>) -> Result<(&'a str, Element), Problem> {
    let parts = pickle.items(id).unwrap_or_default();
    let (Some(Value::Global(kind)), Some(key)) = (parts.get(1), parts.get(2).and_then(|key| key.text()))
    else {
        return Err("refers to a storage in an unknown way".to_owned());
    };
    let element = match *kind {
        "torch FloatStorage" => Element::F32,
        "torch DoubleStorage" => Element::F64,
        "torch HalfStorage" => Element::F16,
        "torch BFloat16Storage" => Element::Bf16,
        "torch LongStorage" => Element::I64,
        "torch IntStorage" => Element::I32,
        other => return Err(format!("holds a storage of the unknown type {other}")),
    };
    Ok((key, element))
}

/// All tensors of the state dictionary.
fn collect(
    pickle: &Pickle<'_>,
    storages: &HashMap<&str, &[u8]>,
    file_size: usize,
) -> Result<Arrays, Problem> {
    let root = NESTS
        .iter()
        .find_map(|nest| pickle.get(pickle.root, nest))
        .unwrap_or(pickle.root);
    let pairs = pickle
        .pairs(root)
        .ok_or_else(|| "holds no dictionary of weights".to_owned())?;
    let mut found = Arrays::new();
    let mut budget = Budget::of_file(file_size);
    for &(name, value) in pairs {
        let Some(name) = name.text() else { continue };
        if let Some(array) =
            tensor(pickle, value, storages).map_err(|problem| format!("{problem} ({name})"))?
        {
            budget.spend(&array)?;
            if found.insert(name.to_owned(), array).is_some() {
                return Err(format!("names the weight {name} twice"));
            }
        }
    }
    Ok(found)
}

/// A tensor or parameter; `None` for anything else in the dictionary.
fn tensor(
    pickle: &Pickle<'_>,
    value: Value<'_>,
    storages: &HashMap<&str, &[u8]>,
) -> Result<Option<Array>, Problem> {
    let Value::Object(mut index) = value else {
        return Ok(None);
    };
    // A parameter wraps one tensor, and nothing wraps a parameter.
    for _ in 0..2 {
        let Some(Object::Call { function, args, .. }) = pickle.objects().get(index) else {
            return Ok(None);
        };
        let args = pickle.items(*args).unwrap_or_default();
        match (*function, args.first()) {
            ("torch._utils _rebuild_parameter", Some(Value::Object(inner))) => index = *inner,
            ("torch._utils _rebuild_tensor_v2", Some(&reference)) => {
                let Some(Object::Persistent(id)) = pickle.object(reference) else {
                    return Err("holds a tensor without a storage".to_owned());
                };
                let (key, element) = storage(pickle, *id)?;
                let bytes = storages
                    .get(key)
                    .ok_or_else(|| format!("lacks its storage {key}"))?;
                let sizes = |position: usize| -> Result<Vec<usize>, Problem> {
                    let items = args
                        .get(position)
                        .and_then(|&value| pickle.items(value))
                        .unwrap_or_default();
                    let sizes: Option<Vec<usize>> = items.iter().map(|item| item.size()).collect();
                    sizes.ok_or_else(|| "holds a tensor of negative size".to_owned())
                };
                let offset = args.get(1).and_then(|offset| offset.size());
                let offset = offset.ok_or_else(|| "holds a tensor without an offset".to_owned())?;
                return Array::from_storage(element, bytes, offset, sizes(2)?, &sizes(3)?).map(Some);
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}
