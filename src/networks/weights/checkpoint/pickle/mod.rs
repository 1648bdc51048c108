//! Pickles as data: the opcodes that checkpoints use, on an allow-list of names.
//!
//! Python's pickle is a program for a stack machine that may call any function. This reader (`machine`) calls none. Values
//! lie in an arena and refer to each other by index, so that no nesting, however deep or circular, can exhaust the stack.

mod machine;

use super::Problem;
use machine::Machine;

/// A value. Bytes and text borrow from the file; containers are indices into the arena.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Global(&'static str),
    /// List, tuple, dictionary, call or reference: see [`Object`].
    Object(usize),
}

/// What an index of the arena holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object<'a> {
    /// A list, tuple or set.
    Items(Vec<Value<'a>>),
    /// A dictionary, in order.
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// An allowed name applied to arguments, with the state that `BUILD` gave it. Items set on it
    /// (an `OrderedDict` is such a call) follow.
    Call {
        function: &'static str,
        args: Value<'a>,
        state: Value<'a>,
        items: Vec<(Value<'a>, Value<'a>)>,
    },
    /// A persistent id: PyTorch's reference to a storage.
    Persistent(Value<'a>),
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    objects: Vec<Object<'a>>,
    /// The value it left.
    pub(super) root: Value<'a>,
    /// Bytes it took.
    pub(super) length: usize,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle from the start of `bytes`.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Problem> {
        Machine::on(bytes).run()
    }

    /// The arena.
    pub(super) fn objects(&self) -> &[Object<'a>] {
        &self.objects
    }

    /// What `value` refers to.
    pub(super) fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// The items of a list, tuple or set.
    pub(super) fn items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match self.object(value)? {
            Object::Items(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a dictionary, an `OrderedDict` among them.
    pub(super) fn pairs(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match self.object(value)? {
            Object::Dict(pairs) => Some(pairs),
            Object::Call {
                function: "collections OrderedDict",
                items,
                ..
            } => Some(items),
            _ => None,
        }
    }

    /// The value under a text key of a dictionary.
    pub(super) fn get(&self, value: Value<'a>, key: &str) -> Option<Value<'a>> {
        self.pairs(value)?
            .iter()
            .find(|(name, _)| name.text() == Some(key))
            .map(|&(_, value)| value)
    }
}

impl<'a> Value<'a> {
    /// Text, also where Python 2 wrote it as bytes.
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A length, offset or dimension.
    pub(super) fn size(self) -> Option<usize> {
        match self {
            Self::Int(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        Pickle::read(bytes).expect_err("refused")
    }

    #[test]
    fn a_dictionary_is_data() {
        // {"a": [1, 2.5, None], "b": (True, b"xy")} by protocol 2
        let bytes = b"\x80\x02}q\x00(U\x01aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00NeU\x01b\x88U\x02xy\x86u.tail";
        let pickle = Pickle::read(bytes).expect("data");
        assert_eq!(pickle.length, bytes.len() - 4);
        let list = pickle.get(pickle.root, "a").expect("a list");
        assert_eq!(
            pickle.items(list).expect("items"),
            [Value::Int(1), Value::Float(2.5), Value::None]
        );
        let tuple = pickle.get(pickle.root, "b").expect("a tuple");
        assert_eq!(
            pickle.items(tuple).expect("items"),
            [Value::Bool(true), Value::Bytes(b"xy")]
        );
    }

    #[test]
    fn foreign_names_are_refused_by_name() {
        assert!(refused(b"cos\nsystem\n(S'true'\ntR.").contains("os.system"));
        assert!(refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").contains("builtins.eval"));
    }

    #[test]
    fn broken_programs_are_sentences() {
        for bytes in [
            &b""[..],
            b".",
            b"0.",
            b"\x80",
            b"\x80\x09.",
            b"(.",
            b"t.",
            b"a.",
            b"h\x07.",
            b"X\xff\xff\xff\xffabc.",
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"K\x01K\x02s.",
            b"NNR.",
            b"Nb.",
            b"\xee.",
            b"Ix\n.",
            b"r\xff\xff\xff\xff.",
        ] {
            assert!(!refused(bytes).is_empty());
        }
    }

    #[test]
    fn deep_and_circular_nesting_is_flat() {
        let mut bytes = vec![b']'; 100_000];
        bytes.extend(std::iter::repeat_n(b'a', 99_999));
        bytes.push(b'.');
        assert!(Pickle::read(&bytes).is_ok());
        assert!(Pickle::read(b"]q\x00h\x00a.").is_ok());
    }
}
