//! Lists and maps in JSON that hold no more than so much: an element of two bytes may take a
//! hundred where it is read.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Mounts, labels, words of one container.
const FEW: usize = 4096;

/// Null or a list; an error where it is long.
pub(super) fn list<'d, D: Deserializer<'d>, T: Deserialize<'d>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_any(List(FEW, PhantomData))
}

/// The same of a list that tells of everything.
pub(super) struct Many<T>(pub(super) Vec<T>);

/// Containers that are listed.
const MANY: usize = 64 << 10;

impl<'d, T: Deserialize<'d>> Deserialize<'d> for Many<T> {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Many<T>, D::Error> {
        from.deserialize_any(List(MANY, PhantomData)).map(Many)
    }
}

impl<T> Default for Many<T> {
    fn default() -> Many<T> {
        Many(Vec::new())
    }
}

/// Null or a map; an error where it is large.
pub(super) fn map<'d, D: Deserializer<'d>, T: Deserialize<'d>>(
    from: D,
) -> Result<BTreeMap<Box<str>, T>, D::Error> {
    from.deserialize_any(Map(PhantomData))
}

struct List<T>(usize, PhantomData<T>);

impl<'d, T: Deserialize<'d>> Visitor<'d> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {}", self.0)
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = from.next_element()? {
            if all.len() == self.0 {
                return Err(A::Error::custom(format_args!("over {} in a list", self.0)));
            }
            all.push(one);
        }
        Ok(all)
    }
}

struct Map<T>(PhantomData<T>);

impl<'d, T: Deserialize<'d>> Visitor<'d> for Map<T> {
    type Value = BTreeMap<Box<str>, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of at most {FEW}")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'d>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((name, value)) = from.next_entry()? {
            if all.len() == FEW {
                return Err(A::Error::custom(format_args!("over {FEW} in a map")));
            }
            all.insert(name, value);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "list")]
        list: Vec<u8>,
        #[serde(deserialize_with = "map")]
        map: BTreeMap<Box<str>, u8>,
    }

    #[test]
    fn what_is_long_is_an_error_and_null_is_nothing() {
        let read = |list: &str, map: &str| {
            let text = format!(r#"{{"list": {list}, "map": {map}}}"#);
            let answer = serde_json::from_str::<Answer>(&text).ok()?;
            Some((answer.list.len(), answer.map.len()))
        };
        let list = |length: usize| format!("[{}]", vec!["1"; length].join(","));
        let map = |length: usize| {
            let entries = (0..length).map(|index| format!(r#""{index}": 1"#));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        };
        assert_eq!(read("null", "null"), Some((0, 0)));
        assert_eq!(read(&list(FEW), &map(FEW)), Some((FEW, FEW)));
        assert_eq!(read(&list(FEW + 1), "{}"), None);
        assert_eq!(read("[]", &map(FEW + 1)), None);
    }
}
