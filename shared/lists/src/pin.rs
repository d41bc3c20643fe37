//! By what an object's bytes are known to be those of one state of it.
//!
//! A strong `ETag` is taken as it is. Servers also give weak ones, which `If-Match` refuses by its
//! definition (RFC 9110, 13.1.1), or none: then the date, with the size beside it, stands in, or the
//! size alone. What stands in begins with `~`.

use http::header::{ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED};
use http::{HeaderMap, HeaderName};
use ossferry_core::object::ETag;
use ossferry_http::{format_http_date, parse_http_date};

use ossferry_core::time::Timestamp;

/// What a server gives to tell the states of an object apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// A strong `ETag`, without its quotes.
    Strong(String),
    /// A weak one.
    Weak(String),
    /// Whole seconds since 1970, and the size.
    Dated { seconds: i64, bytes: u64 },
    /// Only the size.
    Sized { bytes: u64 },
}

const STRONG: &str = "~etag:";
const WEAK: &str = "~weak:";
const DATED: &str = "~date:";

impl State {
    /// What an answer says of an object of `bytes`.
    pub(crate) fn of(headers: &HeaderMap, bytes: u64) -> Self {
        let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).map(str::trim);
        match etag {
            Some(etag) if etag.starts_with("W/") => return Self::Weak(bare(etag)),
            Some(etag) if !bare(etag).is_empty() => return Self::Strong(bare(etag)),
            _ => {}
        }
        match last_modified(headers) {
            Some(date) => Self::Dated { seconds: date.0.div_euclid(1_000), bytes },
            None => Self::Sized { bytes },
        }
    }

    /// As listings and pins carry it.
    pub(crate) fn to_etag(&self) -> ETag {
        match self {
            Self::Strong(etag) if etag.starts_with('~') => ETag::new(&format!("{STRONG}{etag}")),
            Self::Strong(etag) => ETag::new(etag),
            Self::Weak(etag) => ETag::new(&format!("{WEAK}{etag}")),
            Self::Dated { seconds, bytes } => ETag::new(&format!("{DATED}{seconds}:{bytes}")),
            Self::Sized { bytes } => ETag::of_size(*bytes),
        }
    }

    /// The way back of [`Self::to_etag`].
    pub(crate) fn of_etag(etag: &ETag) -> Self {
        let text = etag.as_str();
        if let Some(etag) = text.strip_prefix(STRONG) {
            return Self::Strong(etag.to_owned());
        }
        if let Some(etag) = text.strip_prefix(WEAK) {
            return Self::Weak(etag.to_owned());
        }
        let dated = || {
            let (seconds, bytes) = text.strip_prefix(DATED)?.split_once(':')?;
            Some(Self::Dated { seconds: seconds.parse().ok()?, bytes: bytes.parse().ok()? })
        };
        let sized = || {
            let bytes = text.rsplit_once(':')?.1.parse().ok()?;
            etag.is_size_alone().then_some(Self::Sized { bytes })
        };
        dated().or_else(sized).unwrap_or_else(|| Self::Strong(text.to_owned()))
    }

    /// The condition that a server is asked under, so that it sends no bytes of another state.
    pub(crate) fn condition(&self) -> Option<(HeaderName, String)> {
        match self {
            Self::Strong(etag) => Some((IF_MATCH, format!("\"{etag}\""))),
            Self::Dated { seconds, .. } => {
                let date = format_http_date(Timestamp(seconds.saturating_mul(1_000)));
                Some((IF_UNMODIFIED_SINCE, date))
            }
            Self::Weak(_) | Self::Sized { .. } => None,
        }
    }

    /// Whether an answer about an object of `bytes` is of this state. Compared by what the pin is made
    /// of: a server may give more in one answer than in another.
    pub(crate) fn is_of(&self, headers: &HeaderMap, bytes: u64) -> bool {
        match self {
            Self::Strong(_) | Self::Weak(_) => Self::of(headers, bytes) == *self,
            Self::Dated { seconds, bytes: pinned } => {
                let date = last_modified(headers).map(|date| date.0.div_euclid(1_000));
                date == Some(*seconds) && bytes == *pinned
            }
            Self::Sized { bytes: pinned } => bytes == *pinned,
        }
    }

    /// How many bytes there are, where the state tells.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Dated { bytes, .. } | Self::Sized { bytes } => Some(*bytes),
            Self::Strong(_) | Self::Weak(_) => None,
        }
    }
}

fn bare(etag: &str) -> String {
    ETag::new(etag).as_str().to_owned()
}

pub(crate) fn last_modified(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(LAST_MODIFIED)?.to_str().ok().and_then(parse_http_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_from_the_pin_that_carries_it() {
        for state in [
            State::Strong("abc".to_owned()),
            State::Strong("~date:1:2".to_owned()),
            State::Strong("a:b".to_owned()),
            State::Weak("5f-1".to_owned()),
            State::Dated { seconds: 784_111_777, bytes: 7 },
            State::Dated { seconds: -1, bytes: 0 },
            State::Sized { bytes: 9 },
        ] {
            assert_eq!(State::of_etag(&state.to_etag()), state);
        }
        assert!(State::Sized { bytes: 9 }.to_etag().is_size_alone());
    }

    #[test]
    fn the_best_that_a_server_gives_is_the_pin() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let headers = |etag: Option<&str>, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(ETAG, etag), (LAST_MODIFIED, date)] {
                headers.extend(value.map(|value| (name, value.parse().unwrap())));
            }
            headers
        };
        let dated = State::Dated { seconds: 784_111_777, bytes: 7 };
        for (etag, modified, state, condition) in [
            (Some("\"a\""), Some(date), State::Strong("a".to_owned()), Some("\"a\"")),
            (Some("W/\"a\""), Some(date), State::Weak("a".to_owned()), None),
            (Some("\"\""), Some(date), dated.clone(), Some(date)),
            (None, Some(date), dated, Some(date)),
            (None, None, State::Sized { bytes: 7 }, None),
        ] {
            let given = headers(etag, modified);
            let found = State::of(&given, 7);
            assert_eq!(found, state);
            assert_eq!(found.condition().map(|(_, value)| value).as_deref(), condition);
            assert!(found.is_of(&given, 7), "{found:?}");
            let another = headers(Some("\"b\""), Some("Mon, 07 Nov 1994 08:49:37 GMT"));
            assert!(!found.is_of(&another, 8), "{found:?}");
        }
        // What a HEAD did not tell and a GET does.
        let dated = State::Dated { seconds: 784_111_777, bytes: 7 };
        assert!(dated.is_of(&headers(Some("\"a\""), Some(date)), 7));
    }
}
