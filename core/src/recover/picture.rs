//! [`Picture`], what is known of the rows of one table: those that are there, those that are gone, and where nobody knows.

use super::trees::Trees;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What a row was found in, the most trusted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The tables as the last commit left them.
    Tables,
    /// The log.
    Log,
    /// The tables as a commit before left them, or a page that only a damaged one leads to.
    Older,
    /// A page that nothing leads to any more.
    Unreached,
}

/// Where the value of a row is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// In the file of the tables.
    At {
        offset: u64,
        length: usize,
    },
    Here(Vec<u8>),
}

/// A row that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// It is as this batch left it; 0 where that is not known.
    pub(super) revision: u64,
    /// Whether the row is as the store last had it, for all that is known.
    pub(super) is_certain: bool,
}

impl Found {
    /// The value; `None` where the file cannot be read there any more.
    pub(super) fn bytes(&self, trees: &Trees<'_>) -> Option<Cow<'_, [u8]>> {
        match &self.value {
            Value::At { offset, length } => {
                trees.bytes(*offset..offset + *length as u64).map(Cow::Owned)
            }
            Value::Here(bytes) => Some(Cow::Borrowed(bytes)),
        }
    }
}

/// Where nothing is known: keys greater than the first and not greater than the second, or without bound.
pub(super) type Span = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Spans of keys in rising order, none within another.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    pub(super) fn everything() -> Self {
        Self(vec![(None, None)])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a span that does not begin before the last one does.
    pub(super) fn add(&mut self, from: Option<&[u8]>, to: Option<&[u8]>) {
        if let Some((_, last)) = self.0.last_mut() {
            let Some(end) = last else { return };
            if from.is_none_or(|from| from <= end.as_slice()) {
                if to.is_none_or(|to| to > end.as_slice()) {
                    *last = to.map(<[u8]>::to_vec);
                }
                return;
            }
        }
        self.0.push((from.map(<[u8]>::to_vec), to.map(<[u8]>::to_vec)));
    }

    /// The first span that does not end before `key`.
    fn at(&self, key: &[u8]) -> Option<&Span> {
        let ends_before = |(_, to): &Span| to.as_deref().is_some_and(|to| to < key);
        self.0.get(self.0.partition_point(ends_before))
    }

    pub(super) fn hold(&self, key: &[u8]) -> bool {
        self.at(key).is_some_and(|(from, _)| from.as_deref().is_none_or(|from| from < key))
    }

    /// Whether any key greater than `from` and not greater than `to` is in them.
    pub(super) fn meet(&self, from: Option<&[u8]>, to: Option<&[u8]>) -> bool {
        let ends_before =
            |(_, end): &Span| end.as_deref().zip(from).is_some_and(|(end, from)| end <= from);
        let next = self.0.get(self.0.partition_point(ends_before));
        next.is_some_and(|(begin, _)| begin.as_deref().zip(to).is_none_or(|(begin, to)| begin < to))
    }

    /// What is in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (from, to) in &self.0 {
            for (other_from, other_to) in &other.0 {
                // No bound below is less than any, no bound above is greater.
                let from = from.as_deref().max(other_from.as_deref());
                let to = match (to.as_deref(), other_to.as_deref()) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                if from.zip(to).is_none_or(|(from, to)| from < to) {
                    both.add(from, to);
                }
            }
        }
        both
    }
}

/// What is known of a table.
#[derive(Debug, Default)]
pub(super) struct Picture {
    rows: BTreeMap<Vec<u8>, Found>,
    /// Rows that were removed.
    gone: BTreeSet<Vec<u8>>,
    /// Where the tables as they last were cannot be read, and nothing makes certainly up for it.
    pub(super) lost: Spans,
    /// Pages of it that are damaged.
    pub(super) bad_pages: u64,
}

impl Picture {
    /// Puts a row over whatever was there.
    pub(super) fn put(&mut self, key: Vec<u8>, found: Found) {
        self.gone.remove(&key);
        self.rows.insert(key, found);
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.rows.remove(&key);
        self.gone.insert(key);
    }

    /// Whether nothing is known of the row under `key`.
    pub(super) fn lacks(&self, key: &[u8]) -> bool {
        self.lost.hold(key) && !self.rows.contains_key(key) && !self.gone.contains(key)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Found> {
        self.rows.get(key)
    }

    /// Whether the row is known to have been removed by the log.
    pub(super) fn is_gone(&self, key: &[u8]) -> bool {
        self.gone.contains(key)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], &Found)> {
        self.rows.iter().map(|(key, found)| (key.as_slice(), found))
    }

    pub(super) fn beginning_with(&self, prefix: &[u8]) -> impl Iterator<Item = (&[u8], &Found)> {
        let range = self.rows.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        let rows = range.map(|(key, found)| (key.as_slice(), found));
        rows.take_while(move |(key, _)| key.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(list: &[(&str, &str)]) -> Spans {
        let bound = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        let mut spans = Spans::default();
        for (from, to) in list {
            spans.add(bound(from).as_deref(), bound(to).as_deref());
        }
        spans
    }

    #[test]
    fn a_span_holds_its_end_and_not_its_beginning() {
        let lost = spans(&[("", "b"), ("d", "f"), ("f", "h"), ("m", "")]);
        assert_eq!(lost.0.len(), 3, "neighbours are one");
        for (key, is_held) in
            [("a", 1), ("b", 1), ("c", 0), ("d", 0), ("e", 1), ("h", 1), ("m", 0), ("z", 1)]
        {
            assert_eq!(lost.hold(key.as_bytes()), is_held == 1, "{key}");
        }
        let meet = |from: &str, to: &str| {
            let bound = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
            let leak = |text: &str| -> &'static str { String::from(text).leak() };
            lost.meet(bound(leak(from)), bound(leak(to)))
        };
        for (from, to, is_met) in [
            ("", "a", true),
            ("b", "d", false),
            ("b", "e", true),
            ("h", "m", false),
            ("h", "", true),
            ("g", "g1", true),
        ] {
            assert_eq!(meet(from, to), is_met, "{from} to {to}");
        }
    }

    #[test]
    fn what_two_spans_share_is_in_both() {
        let both =
            spans(&[("", "d"), ("k", "")]).and(&spans(&[("b", "c"), ("d", "e"), ("g", "m")]));
        assert_eq!(both.0, spans(&[("b", "c"), ("k", "m")]).0);
        assert!(spans(&[("a", "b")]).and(&spans(&[("b", "c")])).is_empty());
        assert_eq!(Spans::everything().and(&spans(&[("a", "b")])).0, spans(&[("a", "b")]).0);
    }
}
