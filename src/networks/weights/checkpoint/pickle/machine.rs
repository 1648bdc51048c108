//! The stack machine that a pickle is a program for, without its power: `GLOBAL` only remembers a name from [`ALLOWED`],
//! and `REDUCE` only notes that the name was applied to arguments. Source of the opcodes: Python's `pickletools.py`,
//! protocols 0 to 4.

use super::{Object, Pickle, Problem, Value};

/// The only names a checkpoint may mention.
const ALLOWED: [&str; 23] = [
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch FloatStorage",
    "torch DoubleStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch LongStorage",
    "torch IntStorage",
    "torch.storage _load_from_bytes",
    "torch Size",
    "torch float32",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray _reconstruct",
    "numpy.core.multiarray scalar",
    "numpy._core.multiarray _reconstruct",
    "numpy._core.multiarray scalar",
    "_codecs encode",
    "__builtin__ dict",
    "builtins dict",
    "__builtin__ set",
    "builtins set",
];

/// Objects of one pickle; official checkpoints hold tens of thousands. An object can be a byte of the file and a hundred
/// here.
const MAX_OBJECTS: usize = 250_000;

/// The stack machine, on its way through a pickle.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: Vec<Option<Value<'a>>>,
    objects: Vec<Object<'a>>,
}

impl<'a> Machine<'a> {
    /// Before the first opcode of `bytes`.
    pub(super) fn on(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Follows the program to its end.
    pub(super) fn run(mut self) -> Result<Pickle<'a>, Problem> {
        let root = self.root()?;
        Ok(Pickle {
            objects: self.objects,
            root,
            length: self.at,
        })
    }

    /// The value that is left when the program stops.
    fn root(&mut self) -> Result<Value<'a>, Problem> {
        loop {
            if self.stack.len() > MAX_OBJECTS || self.objects.len() > MAX_OBJECTS {
                return Err("its pickle holds more objects than any checkpoint".to_owned());
            }
            let opcode = self.take(1)?[0];
            match opcode {
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_mark()?),
                b'2' => {
                    let top = *self.stack.last().ok_or_else(underflow)?;
                    self.stack.push(top);
                }
                0x80 => self.protocol()?,
                0x95 => drop(self.take(8)?),
                b'c' | 0x93 => self.global(opcode)?,
                b'R' | 0x81 => self.call()?,
                b'b' => self.build()?,
                b'Q' => {
                    let id = self.pop()?;
                    self.push_object(Object::Persistent(id));
                }
                b'q' | b'r' | b'p' | 0x94 | b'h' | b'j' | b'g' => self.memory(opcode)?,
                b']' | b')' | 0x8f | b'l' | b't' | 0x85..=0x87 | b'a' | b'e' | 0x90 => {
                    self.sequence(opcode)?;
                }
                b'}' | b'd' | b's' | b'u' => self.dictionary(opcode)?,
                _ => {
                    let value = self.scalar(opcode)?;
                    self.stack.push(value);
                }
            }
        }
    }

    fn protocol(&mut self) -> Result<(), Problem> {
        match self.take(1)?[0] {
            0..=5 => Ok(()),
            version => Err(format!("its pickle has the unknown protocol {version}")),
        }
    }

    fn scalar(&mut self, opcode: u8) -> Result<Value<'a>, Problem> {
        Ok(match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(i64::from(self.take(1)?[0])),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            0x8a => {
                let length = usize::from(self.take(1)?[0]);
                long(self.take(length)?)?
            }
            0x8b => {
                let length = self.length32()?;
                long(self.take(length)?)?
            }
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            b'I' | b'L' => match self.line()?.trim_end_matches('L') {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => Value::Int(
                    digits
                        .parse()
                        .map_err(|_| "its pickle holds a broken number".to_owned())?,
                ),
            },
            b'F' => Value::Float(
                self.line()?
                    .parse()
                    .map_err(|_| "its pickle holds a broken number".to_owned())?,
            ),
            b'S' => Value::Text(self.line()?.trim_matches(['\'', '"'])),
            b'V' => Value::Text(self.line()?),
            b'P' => return Err("its pickle refers to outside objects by text".to_owned()),
            0x8c => {
                let length = usize::from(self.take(1)?[0]);
                self.text(length)?
            }
            b'X' => {
                let length = self.length32()?;
                self.text(length)?
            }
            0x8d => {
                let length = self.length64()?;
                self.text(length)?
            }
            b'U' | b'C' => {
                let length = usize::from(self.take(1)?[0]);
                Value::Bytes(self.take(length)?)
            }
            b'T' | b'B' => {
                let length = self.length32()?;
                Value::Bytes(self.take(length)?)
            }
            0x8e | 0x96 => {
                let length = self.length64()?;
                Value::Bytes(self.take(length)?)
            }
            other => {
                return Err(format!(
                    "its pickle uses the opcode {other:#04x}, which no checkpoint needs"
                ));
            }
        })
    }

    fn global(&mut self, opcode: u8) -> Result<(), Problem> {
        let name = if opcode == b'c' {
            let module = self.line()?;
            format!("{module} {}", self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            format!("{} {}", module.text().unwrap_or("?"), name.text().unwrap_or("?"))
        };
        match ALLOWED.into_iter().find(|&allowed| allowed == name) {
            Some(allowed) => {
                self.stack.push(Value::Global(allowed));
                Ok(())
            }
            None => Err(format!(
                "its pickle wants to use {}, which no checkpoint needs",
                name.replace(' ', ".")
            )),
        }
    }

    fn call(&mut self) -> Result<(), Problem> {
        let args = self.pop()?;
        match self.pop()? {
            Value::Global(function) => {
                self.push_object(Object::Call {
                    function,
                    args,
                    state: Value::None,
                    items: Vec::new(),
                });
                Ok(())
            }
            _ => Err("its pickle calls something that is no name".to_owned()),
        }
    }

    fn build(&mut self) -> Result<(), Problem> {
        let given = self.pop()?;
        let top = *self.stack.last().ok_or_else(underflow)?;
        match self.object_mut(top) {
            Some(Object::Call { state, .. }) => {
                *state = given;
                Ok(())
            }
            // Attributes of plain containers carry nothing that a checkpoint needs.
            Some(_) => Ok(()),
            None => Err("its pickle builds on something that is no object".to_owned()),
        }
    }

    fn memory(&mut self, opcode: u8) -> Result<(), Problem> {
        let index = match opcode {
            b'q' | b'h' => usize::from(self.take(1)?[0]),
            b'r' | b'j' => self.length32()?,
            0x94 => self.memo.len(),
            _ => self
                .line()?
                .parse()
                .map_err(|_| "its pickle holds a broken number".to_owned())?,
        };
        if matches!(opcode, b'h' | b'j' | b'g') {
            let value = self.memo.get(index).copied().flatten();
            self.stack
                .push(value.ok_or_else(|| "its pickle recalls what it never stored".to_owned())?);
            return Ok(());
        }
        if index > MAX_OBJECTS || index > self.bytes.len() {
            return Err("its pickle stores more objects than it can hold".to_owned());
        }
        let top = *self.stack.last().ok_or_else(underflow)?;
        if self.memo.len() <= index {
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(top);
        Ok(())
    }

    fn sequence(&mut self, opcode: u8) -> Result<(), Problem> {
        let items = match opcode {
            b'l' | b't' | b'e' | 0x90 => self.pop_mark()?,
            0x85 | b'a' => vec![self.pop()?],
            0x86 | 0x87 => {
                let count = usize::from(opcode - 0x84);
                let from = self.stack.len().checked_sub(count).ok_or_else(underflow)?;
                self.stack.split_off(from)
            }
            _ => Vec::new(),
        };
        if !matches!(opcode, b'a' | b'e' | 0x90) {
            self.push_object(Object::Items(items));
            return Ok(());
        }
        let top = *self.stack.last().ok_or_else(underflow)?;
        match self.object_mut(top) {
            Some(Object::Items(list)) => list.extend(items),
            _ => return Err("its pickle appends to something that is no list".to_owned()),
        }
        Ok(())
    }

    fn dictionary(&mut self, opcode: u8) -> Result<(), Problem> {
        let flat = match opcode {
            b'd' | b'u' => self.pop_mark()?,
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => Vec::new(),
        };
        let (pairs, rest) = flat.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("its pickle has a key without a value".to_owned());
        }
        let pairs = pairs.iter().map(|&[key, value]| (key, value));
        if matches!(opcode, b'}' | b'd') {
            let pairs = pairs.collect();
            self.push_object(Object::Dict(pairs));
            return Ok(());
        }
        let top = *self.stack.last().ok_or_else(underflow)?;
        match self.object_mut(top) {
            Some(Object::Dict(dict)) => dict.extend(pairs),
            Some(Object::Call { items, .. }) => items.extend(pairs),
            _ => return Err("its pickle sets an item of something that is no dictionary".to_owned()),
        }
        Ok(())
    }

    fn push_object(&mut self, object: Object<'a>) {
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    fn object_mut(&mut self, value: Value<'a>) -> Option<&mut Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get_mut(index),
            _ => None,
        }
    }

    fn pop(&mut self) -> Result<Value<'a>, Problem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(underflow());
        }
        self.stack.pop().ok_or_else(underflow)
    }

    fn pop_mark(&mut self) -> Result<Vec<Value<'a>>, Problem> {
        let mark = self
            .marks
            .pop()
            .filter(|&mark| mark <= self.stack.len())
            .ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| "its pickle is cut off".to_owned())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        self.take(N)?
            .try_into()
            .map_err(|_| "its pickle is cut off".to_owned())
    }

    fn length32(&mut self) -> Result<usize, Problem> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn length64(&mut self) -> Result<usize, Problem> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| "its pickle is cut off".to_owned())
    }

    fn line(&mut self) -> Result<&'a str, Problem> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(|| "its pickle is cut off".to_owned())?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| "its pickle holds broken text".to_owned())
    }

    fn text(&mut self, length: usize) -> Result<Value<'a>, Problem> {
        std::str::from_utf8(self.take(length)?)
            .map(Value::Text)
            .map_err(|_| "its pickle holds broken text".to_owned())
    }
}

/// A little-endian two's complement number. Longer ones than 64 bits only name versions and are kept as their low part.
fn long(bytes: &[u8]) -> Result<Value<'static>, Problem> {
    if bytes.len() > 32 {
        return Err("its pickle holds a giant number".to_owned());
    }
    let fill = if bytes.last().is_some_and(|&top| top >= 0x80) {
        0xff
    } else {
        0
    };
    let mut wide = [fill; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(Value::Int(i64::from_le_bytes(wide)))
}

fn underflow() -> Problem {
    "its pickle takes more than it put down".to_owned()
}
