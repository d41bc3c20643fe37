//! Which bytes a `Range` header asks for, as OSS reads it.
//!
//! By default OSS answers a range that it cannot give exactly with the whole object and 200. With
//! `x-oss-range-behavior: standard` it clips the end and refuses with 416 what lies outside
//! (help.aliyun.com, "Use HTTP Range requests to get OSS resources in segments", 2026).

/// The part of an object that is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    /// Everything, with 200.
    Whole,
    /// The bytes from `first` up to and including `last`, with 206.
    Part {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte, below the object's size.
        last: u64,
    },
    /// Nothing: 416.
    Unsatisfiable,
}

impl Selection {
    /// The selection of a request that carries this `Range` header.
    pub(crate) fn of(range: Option<&str>, object_bytes: u64, standard: bool) -> Self {
        let Some(spec) = range.and_then(Spec::parse) else { return Self::Whole };
        let exact = spec.within(object_bytes);
        match (exact, standard) {
            (Some((first, last)), _) => Self::Part { first, last },
            (None, false) => Self::Whole,
            (None, true) => match spec.clipped(object_bytes) {
                Some((first, last)) => Self::Part { first, last },
                None => Self::Unsatisfiable,
            },
        }
    }
}

/// One `bytes=` range as it is spelled.
#[derive(Clone, Copy)]
enum Spec {
    Between(u64, u64),
    From(u64),
    Last(u64),
}

impl Spec {
    /// Reads `bytes=a-b`, `bytes=a-` or `bytes=-n`; of several ranges the first.
    fn parse(text: &str) -> Option<Self> {
        let list = text.trim().strip_prefix("bytes=")?;
        let first = list.split(',').next()?.trim();
        let (start, end) = first.split_once('-')?;
        match (start.is_empty(), end.is_empty()) {
            (false, false) => {
                let (start, end) = (start.parse().ok()?, end.parse().ok()?);
                (start <= end).then_some(Self::Between(start, end))
            }
            (false, true) => Some(Self::From(start.parse().ok()?)),
            (true, false) => Some(Self::Last(end.parse().ok()?)),
            (true, true) => None,
        }
    }

    /// The range where all of it lies in the object.
    fn within(self, object_bytes: u64) -> Option<(u64, u64)> {
        let end = object_bytes.checked_sub(1)?;
        match self {
            Self::Between(first, last) => (last <= end).then_some((first, last)),
            Self::From(first) => (first <= end).then_some((first, end)),
            Self::Last(bytes) => {
                (bytes > 0 && bytes <= object_bytes).then(|| (object_bytes - bytes, end))
            }
        }
    }

    /// What of the range lies in the object, as RFC 9110 has it.
    fn clipped(self, object_bytes: u64) -> Option<(u64, u64)> {
        let end = object_bytes.checked_sub(1)?;
        match self {
            Self::Between(first, last) => (first <= end).then_some((first, last.min(end))),
            Self::From(first) => (first <= end).then_some((first, end)),
            Self::Last(bytes) => (bytes > 0).then(|| (object_bytes.saturating_sub(bytes), end)),
        }
    }
}

/// Reads `x-oss-copy-source-range`, which must lie in the object.
pub(crate) fn copy_range(text: &str, object_bytes: u64) -> Option<(u64, u64)> {
    Spec::parse(text)?.within(object_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Selection = Selection::Whole;
    const OUTSIDE: Selection = Selection::Unsatisfiable;

    fn part(first: u64, last: u64) -> Selection {
        Selection::Part { first, last }
    }

    #[test]
    fn a_range_that_cannot_be_given_is_the_whole_object_unless_the_standard_is_asked_for() {
        // The table of the OSS manual for an object of 1,000 bytes.
        for (range, by_default, standard) in [
            ("bytes=0-499", part(0, 499), part(0, 499)),
            ("bytes=500-", part(500, 999), part(500, 999)),
            ("bytes=-500", part(500, 999), part(500, 999)),
            ("bytes=0-", part(0, 999), part(0, 999)),
            ("bytes=999-999", part(999, 999), part(999, 999)),
            ("bytes=0-99,200-299", part(0, 99), part(0, 99)),
            ("bytes=0-1000", WHOLE, part(0, 999)),
            ("bytes=500-2000", WHOLE, part(500, 999)),
            ("bytes=1000-2000", WHOLE, OUTSIDE),
            ("bytes=1000-", WHOLE, OUTSIDE),
            ("bytes=-2000", WHOLE, part(0, 999)),
            ("bytes=-0", WHOLE, OUTSIDE),
            ("byte=0-499", WHOLE, WHOLE),
            ("bytes=9-3", WHOLE, WHOLE),
            ("bytes=-", WHOLE, WHOLE),
            ("bytes=a-b", WHOLE, WHOLE),
        ] {
            assert_eq!(Selection::of(Some(range), 1_000, false), by_default, "{range}");
            assert_eq!(Selection::of(Some(range), 1_000, true), standard, "{range}, standard");
        }
        assert_eq!(Selection::of(None, 1_000, true), WHOLE);
    }

    #[test]
    fn an_empty_object_has_no_range() {
        assert_eq!(Selection::of(Some("bytes=0-"), 0, false), WHOLE);
        assert_eq!(Selection::of(Some("bytes=0-"), 0, true), OUTSIDE);
    }
}
