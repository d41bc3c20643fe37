//! Which objects belong to the job.

use globset::{GlobBuilder, GlobMatcher};

use super::{FilterSpec, Job, SourceSpec};
use crate::object::Entry;

/// A pattern that is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no glob: {reason}")]
pub struct BadGlob {
    /// What is wrong with it.
    pub reason: String,
}

/// The filter of a job, ready to be asked.
///
/// Globs are matched against the whole key as the source lists it, its prefix included. `*` and `?`
/// stop at `/`; `**` does not; `?` is one byte; `[…]` and `{a,b}` work as in a shell; `\` makes the next
/// character literal.
#[derive(Clone, Debug)]
pub struct Filter {
    spec: FilterSpec,
    /// Whether the source may list keys of which it knows nothing else.
    lists_unknown: bool,
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
}

impl Filter {
    fn new(spec: &FilterSpec, lists_unknown: bool) -> Result<Self, BadGlob> {
        let compiled =
            |globs: &[String]| globs.iter().map(|glob| compile(glob)).collect::<Result<_, _>>();
        let include = compiled(&spec.include)?;
        let exclude = compiled(&spec.exclude)?;
        Ok(Self { spec: spec.clone(), lists_unknown, include, exclude })
    }

    /// Whether a pattern is a glob.
    pub(super) fn check(glob: &str) -> Result<(), BadGlob> {
        compile(glob).map(drop)
    }

    /// Whether an entry of the source belongs. A condition on a date does not hold back an entry
    /// without one, and in a list of keys or URLs none on a size an entry of which only the key is known:
    /// whoever moves it says what became of it.
    pub fn admits(&self, entry: &Entry) -> bool {
        let spec = &self.spec;
        let is_small = spec.size_min.is_some_and(|least| entry.size < least);
        let is_unknown = self.lists_unknown && entry.is_unknown();
        if (is_small && !is_unknown) || spec.size_max.is_some_and(|most| entry.size > most) {
            return false;
        }
        if let Some(time) = entry.last_modified
            && (spec.modified_since.is_some_and(|since| time < since)
                || spec.modified_until.is_some_and(|until| time >= until))
        {
            return false;
        }
        if self.include.is_empty() && self.exclude.is_empty() {
            return true;
        }
        let key = globset::Candidate::from_bytes(entry.key.as_bytes());
        let any = |globs: &[GlobMatcher]| globs.iter().any(|glob| glob.is_match_candidate(&key));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

impl Job {
    /// The job's filter, ready to be asked. Fails only for a job that was not made by
    /// [`Job::parse`].
    pub fn compiled_filter(&self) -> Result<Filter, BadGlob> {
        let is_of_urls = matches!(self.source, SourceSpec::UrlList(_));
        Filter::new(&self.filter, is_of_urls || self.source.keys().is_some())
    }
}

// One matcher a glob, not a GlobSet: a set takes shortcuts by file names, which miss keys that no
// path would have (`a/.`).
fn compile(glob: &str) -> Result<GlobMatcher, BadGlob> {
    GlobBuilder::new(glob)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| BadGlob { reason: error.kind().to_string() })
}
