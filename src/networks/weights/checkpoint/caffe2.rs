//! Caffe2-style pickles, as PySlowFast's model zoo has them: a dictionary, maybe under `blobs`, of NumPy arrays.
//!
//! Reference: `numpy/core/src/multiarray/methods.c` (`__reduce__` and `__setstate__` of arrays).

use std::borrow::Cow;

use super::pickle::{Object, Pickle, Value};
use super::{Array, Arrays, Budget, Element, Problem};

/// Reads the dictionary; entries that are no arrays are passed over.
pub(super) fn read(bytes: &[u8]) -> Result<Arrays, Problem> {
    let pickle = Pickle::read(bytes)?;
    let root = pickle.get(pickle.root, "blobs").unwrap_or(pickle.root);
    let pairs = pickle
        .pairs(root)
        .ok_or_else(|| "holds no dictionary of weights".to_owned())?;
    let mut found = Arrays::new();
    let mut budget = Budget::of_file(bytes.len());
    for &(name, value) in pairs {
        let (Some(name), Some(Object::Call { function, state, .. })) = (name.text(), pickle.object(value))
        else {
            continue;
        };
        if !function.ends_with("multiarray _reconstruct") {
            continue;
        }
        let array = array(&pickle, *state).map_err(|problem| format!("{problem} ({name})"))?;
        budget.spend(&array)?;
        found.insert(name.to_owned(), array);
    }
    Ok(found)
}

/// The state `(version, shape, dtype, fortran order, bytes)`.
fn array(pickle: &Pickle<'_>, state: Value<'_>) -> Result<Array, Problem> {
    let Some(&[_, shape, dtype, fortran, data]) = pickle.items(state) else {
        return Err("holds an array in an unknown form".to_owned());
    };
    let shape: Option<Vec<usize>> = pickle
        .items(shape)
        .unwrap_or_default()
        .iter()
        .map(|size| size.size())
        .collect();
    let mut shape = shape.ok_or_else(|| "holds an array of negative size".to_owned())?;
    let element = element(pickle, dtype)?;
    let bytes = raw(pickle, data)?;
    if fortran != Value::Bool(true) || shape.len() < 2 {
        return Array::from_bytes(element, shape, &bytes);
    }
    // Column-major: strides grow from the first axis on.
    let mut stride = 1usize;
    let mut strides = Vec::new();
    for &size in &shape {
        strides.push(stride);
        stride = stride
            .checked_mul(size)
            .ok_or_else(|| "holds an array of giant size".to_owned())?;
    }
    Array::from_storage(element, &bytes, 0, std::mem::take(&mut shape), &strides)
}

fn element(pickle: &Pickle<'_>, dtype: Value<'_>) -> Result<Element, Problem> {
    let Some(Object::Call {
        function: "numpy dtype",
        args,
        state,
        ..
    }) = pickle.object(dtype)
    else {
        return Err("holds an array of an unknown type".to_owned());
    };
    let order = pickle
        .items(*state)
        .and_then(|state| state.get(1))
        .and_then(|order| order.text());
    if order == Some(">") {
        return Err("holds big-endian weights; save them again on a usual computer".to_owned());
    }
    match pickle
        .items(*args)
        .and_then(|args| args.first())
        .and_then(|code| code.text())
    {
        Some("f4") => Ok(Element::F32),
        Some("f8") => Ok(Element::F64),
        Some("f2") => Ok(Element::F16),
        Some("i8") => Ok(Element::I64),
        Some("i4") => Ok(Element::I32),
        other => Err(format!(
            "holds an array of the type {}",
            other.unwrap_or("unknown")
        )),
    }
}

/// Python 2 writes bytes; Python 3 writes them to old protocols as Latin-1 text to be encoded.
fn raw<'a>(pickle: &Pickle<'a>, data: Value<'a>) -> Result<Cow<'a, [u8]>, Problem> {
    if let Value::Bytes(bytes) = data {
        return Ok(Cow::Borrowed(bytes));
    }
    if let Some(Object::Call {
        function: "_codecs encode",
        args,
        ..
    }) = pickle.object(data)
        && let Some(&[Value::Text(text), encoding]) = pickle.items(*args)
        && encoding.text() == Some("latin1")
    {
        let bytes: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
        return bytes
            .map(Cow::Owned)
            .map_err(|_| "holds an array whose bytes are no Latin-1".to_owned());
    }
    Err("holds an array without its bytes".to_owned())
}
