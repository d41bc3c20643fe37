//! Reads where the ledger is kept, and with it where the work is done.

use super::StateSpec;
use super::mistakes::Mistakes;
use super::section::Section;

/// Where planner and copier run: it decides where credentials and objects may lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host {
    /// On this machine, with its environment, files and disks.
    Machine,
    /// As functions of a cloud, with none of these.
    Function,
}

/// A function's time limit is 300 s: opening, handing back and a slow end need the rest.
const FUNCTION_TASK_SECONDS_MAX: u64 = 240;

impl Host {
    pub(super) fn of(state: &StateSpec) -> Self {
        match state {
            StateSpec::Local { .. } => Self::Machine,
            StateSpec::Aws { .. } => Self::Function,
        }
    }

    /// The longest a task may be planned to take.
    pub(super) fn task_seconds_max(self) -> u64 {
        match self {
            Self::Machine => 86_400,
            Self::Function => FUNCTION_TASK_SECONDS_MAX,
        }
    }
}

/// What a word for `kind` means.
#[derive(Clone, Copy)]
enum Kind {
    Local,
    Aws,
    NotBuilt,
}

pub(super) fn read(
    mut section: Section<'_, '_>,
    job: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> Option<StateSpec> {
    let kinds = [("local", Kind::Local), ("aws", Kind::Aws), ("aliyun", Kind::NotBuilt)];
    let kind = section.word("kind", &kinds, mistakes);
    match kind.as_ref().map_or(Kind::Local, |kind| kind.value) {
        Kind::Local => local(section, job, mistakes),
        Kind::Aws => aws(section, mistakes),
        Kind::NotBuilt => {
            let at = kind.map_or(section.at(), |kind| kind.at);
            let problem = "is not built yet: a ledger is kept on this machine, or on AWS";
            let remedy = "write kind = \"local\" or kind = \"aws\"";
            mistakes.add(at, section.full("kind"), problem, remedy);
            None
        }
    }
}

fn local(
    mut section: Section<'_, '_>,
    job: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> Option<StateSpec> {
    let path = section.text("path", mistakes).filter(|path| !path.value.is_empty());
    section.finish(&[("stack", "kind = \"aws\""), ("region", "kind = \"aws\"")], mistakes);
    let path = match path {
        Some(path) => path.value,
        None => format!("{}.sqlite", job?),
    };
    Some(StateSpec::Local { path })
}

fn aws(mut section: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<StateSpec> {
    let stack = section.required("stack", "ossferry", mistakes);
    let region = section.text("region", mistakes).filter(|region| !region.value.is_empty());
    section.finish(&[("path", "kind = \"local\"")], mistakes);
    let stack = stack?;
    // CreateStack: letters, digits and hyphens, a letter first, at most 128.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_name = stack.value.len() <= 128
        && stack.value.starts_with(|first: char| first.is_ascii_alphabetic())
        && stack.value.bytes().all(allowed);
    if !is_name {
        let remedy = "write the name that `sam deploy` was given as --stack-name";
        mistakes.add(stack.at, section_key("stack"), "is no name of a stack", remedy);
        return None;
    }
    if let Some(region) = &region
        && !region.value.bytes().all(allowed)
    {
        let remedy = "write it as in region = \"eu-central-1\"";
        mistakes.add(region.at, section_key("region"), "is no region of AWS", remedy);
        return None;
    }
    Some(StateSpec::Aws { stack: stack.value, region: region.map(|region| region.value) })
}

fn section_key(name: &str) -> String {
    format!("state.{name}")
}
