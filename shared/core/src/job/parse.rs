//! Reads a job file.

use toml::de::DeTable;

use super::filter::Filter;
use super::mistakes::{JobErrors, Mistakes};
use super::section::Section;
use super::state::{self, Host};
use super::{
    FilterSpec, Job, Limits, SourceSpec, WORKERS_MAX, identity, policy, rates, secrets, stores,
};
use crate::layout::{PART_BYTES_MAX, PART_BYTES_MIN, PUT_BYTES_MAX};

impl Job {
    /// Reads a job file and says everything that is wrong with it, each with its line and its remedy.
    pub fn parse(text: &str) -> Result<Self, JobErrors> {
        let mut mistakes = Mistakes::new(text);
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                mistakes.add(at, "", error.message().trim(), "write the file as TOML 1.0");
                return mistakes.or_else(None);
            }
        };
        secrets::find(table.get_ref(), "", &mut mistakes);
        let job = read(Section::root(table.get_ref()), &mut mistakes);
        mistakes.or_else(job)
    }
}

fn read(mut root: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Job> {
    let name = name(&mut root, mistakes);
    let (host, state) = state::read(root.section("state", mistakes), name.as_deref(), mistakes);
    let source = stores::source(root.section("source", mistakes), host, mistakes);
    let target_section = root.section("target", mistakes);
    let target_at = target_section.at();
    let target = stores::target(target_section, host, mistakes);
    let filter = filter(root.section("filter", mistakes), mistakes);
    let policy = policy::read(root.section("policy", mistakes), source.as_ref(), mistakes);
    let limits = limits(root.section("limits", mistakes), host, mistakes);
    root.finish(&[], mistakes);
    let (source, target) = (source?, target?);
    if let SourceSpec::Bucket(bucket) = &source
        && identity::store_of_source(bucket) == identity::store_of_target(&target)
        && overlap(bucket.prefix.as_bytes(), target.prefix.as_bytes())
    {
        let problem = "is the source: the same bucket, and one prefix holds the other";
        let remedy = "name another bucket, or prefixes of which none begins with the other";
        mistakes.add(target_at, "target", problem, remedy);
    }
    Some(Job { name: name?, source, target, filter, policy, limits, state: state? })
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn name(root: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let found = root.required("name", "photos", mistakes)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if found.value.len() > 64 || !found.value.bytes().all(allowed) {
        let remedy = "write letters, digits, - and _, at most 64";
        mistakes.add(found.at, "name", "is no name of a job", remedy);
        return None;
    }
    Some(found.value)
}

fn filter(mut section: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> FilterSpec {
    let mut globs = |name, mistakes: &mut Mistakes<'_>| {
        let mut good = Vec::new();
        for glob in section.texts(name, mistakes) {
            match Filter::check(&glob.value) {
                Ok(()) => good.push(glob.value),
                Err(error) => {
                    let remedy =
                        "write * (not /), ** (any), ?, [abc], {a,b}; \\ before a literal one";
                    mistakes.add(glob.at, section.full(name), error.to_string(), remedy);
                }
            }
        }
        good
    };
    let include = globs("include", mistakes);
    let exclude = globs("exclude", mistakes);
    let modified_since = section.moment("modified_since", mistakes);
    let modified_until = section.moment("modified_until", mistakes);
    let size_min = section.whole("size_min", 0, u64::MAX, mistakes).map(|found| found.value);
    let size_max = section.whole("size_max", 0, u64::MAX, mistakes).map(|found| found.value);
    for (least, most, name) in [
        (modified_since.map(|time| time.0), modified_until.map(|time| time.0), "modified_until"),
        (size_min.map(u64::cast_signed), size_max.map(u64::cast_signed), "size_max"),
    ] {
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            let problem = "lies below its counterpart: no object would belong";
            mistakes.add(section.at(), section.full(name), problem, "exchange the two");
        }
    }
    section.finish(&[], mistakes);
    FilterSpec { include, exclude, modified_since, modified_until, size_min, size_max }
}

fn limits(mut section: Section<'_, '_>, host: Host, mistakes: &mut Mistakes<'_>) -> Limits {
    let mut limits = Limits::default();
    let many = u64::from(u32::MAX);
    {
        let mut whole =
            |name, least, most| section.whole(name, least, most, mistakes).map(|found| found.value);
        for (limit, name, least, most) in [
            (&mut limits.workers, "workers", 1, WORKERS_MAX),
            (&mut limits.concurrency_max, "concurrency_max", 1, 65_536),
            (&mut limits.task_seconds, "task_seconds", 1, host.task_seconds_max()),
            (&mut limits.task_objects_max, "task_objects_max", 1, 10_000),
            (&mut limits.window_tasks, "window_tasks", 1, many),
            (&mut limits.slices_max, "slices_max", 1, 1_024),
        ] {
            if let Some(value) = whole(name, least, most) {
                *limit = u32::try_from(value).unwrap_or(u32::MAX);
            }
        }
        for (limit, name, least, most) in [
            (&mut limits.task_bytes_max, "task_bytes_max", 1, u64::MAX),
            (&mut limits.split_bytes, "split_bytes", 0, PUT_BYTES_MAX),
            (&mut limits.part_bytes, "part_bytes", PART_BYTES_MIN, PART_BYTES_MAX),
            (&mut limits.failures_max, "failures_max", 1, u64::MAX),
        ] {
            if let Some(value) = whole(name, least, most) {
                *limit = value;
            }
        }
    }
    rates::read(&mut section, &mut limits, mistakes);
    section.finish(&[], mistakes);
    limits
}
