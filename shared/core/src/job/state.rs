//! Reads where the ledger is kept, and with it where the work is done.

use super::mistakes::Mistakes;
use super::section::Section;
use super::{DeploymentOutputs, StateSpec};

/// Where planner and copier run: it decides where credentials and objects may lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host {
    /// On this machine, with its environment, files and disks.
    Machine,
    /// As functions of AWS, with none of these.
    Lambda,
    /// As functions of Alibaba Cloud.
    FunctionCompute,
}

/// A function's time limit is 300 s: opening, handing back and a slow end need the rest.
const FUNCTION_TASK_SECONDS_MAX: u64 = 240;

impl Host {
    /// The longest a task may be planned to take.
    pub(super) fn task_seconds_max(self) -> u64 {
        match self {
            Self::Machine => 86_400,
            Self::Lambda | Self::FunctionCompute => FUNCTION_TASK_SECONDS_MAX,
        }
    }
}

/// Whose every key is, beside `kind`.
const HOMES: [(&str, &str); 4] = [
    ("path", "kind = \"local\""),
    ("stack", "kind = \"aws\" or \"aliyun\""),
    ("region", "kind = \"aws\" or \"aliyun\""),
    ("outputs", "kind = \"aliyun\""),
];

/// The host is known where the rest is wrong, so that credentials are not measured by another.
pub(super) fn read(
    mut section: Section<'_, '_>,
    job: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> (Host, Option<StateSpec>) {
    let kinds =
        [("local", Host::Machine), ("aws", Host::Lambda), ("aliyun", Host::FunctionCompute)];
    let host = section.word("kind", &kinds, mistakes).map_or(Host::Machine, |kind| kind.value);
    let state = match host {
        Host::Machine => local(section, job, mistakes),
        Host::Lambda => aws(section, mistakes),
        Host::FunctionCompute => aliyun(section, mistakes),
    };
    (host, state)
}

fn local(
    mut section: Section<'_, '_>,
    job: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> Option<StateSpec> {
    let path = section.text("path", mistakes).filter(|path| !path.value.is_empty());
    section.finish(&HOMES, mistakes);
    let path = match path {
        Some(path) => path.value,
        None => format!("{}.sqlite", job?),
    };
    Some(StateSpec::Local { path })
}

fn aws(mut section: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<StateSpec> {
    let stack = section.required("stack", "ossferry", mistakes);
    let region = section.text("region", mistakes).filter(|region| !region.value.is_empty());
    section.finish(&HOMES, mistakes);
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
        && !is_region(&region.value)
    {
        let remedy = "write it as in region = \"eu-central-1\"";
        mistakes.add(region.at, section_key("region"), "is no region of AWS", remedy);
        return None;
    }
    Some(StateSpec::Aws { stack: stack.value, region: region.map(|region| region.value) })
}

fn aliyun(mut section: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<StateSpec> {
    const REMEDY: &str = "write stack = \"NAME\" for a stack of ROS, or for Terraform \
                          outputs = \"FILE\", which `terraform output -json` has written";
    let region = section.required("region", "cn-hangzhou", mistakes);
    let stack = section.text("stack", mistakes).filter(|stack| !stack.value.is_empty());
    let file = section.text("outputs", mistakes).filter(|file| !file.value.is_empty());
    let at = section.at();
    section.finish(&HOMES, mistakes);
    let region = region?;
    if !is_region(&region.value) {
        let remedy = "write it as in region = \"cn-hangzhou\"";
        mistakes.add(region.at, section_key("region"), "is no region of Alibaba Cloud", remedy);
        return None;
    }
    let outputs = match (stack, file) {
        (Some(stack), None) if is_ros_name(&stack.value) => DeploymentOutputs::Stack(stack.value),
        (Some(stack), None) => {
            let remedy = "write the name under which the stack was created";
            mistakes.add(stack.at, section_key("stack"), "is no name of a stack", remedy);
            return None;
        }
        (None, Some(file)) => DeploymentOutputs::File(file.value),
        (Some(_), Some(file)) => {
            mistakes.add(file.at, section_key("outputs"), "stands beside stack", REMEDY);
            return None;
        }
        (None, None) => {
            mistakes.add(at, section_key("stack"), "is required, or outputs", REMEDY);
            return None;
        }
    };
    Some(StateSpec::Aliyun { region: region.value, outputs })
}

/// `CreateStack` of ROS: letters, digits, `_` and `-`, a letter or digit first, at most 255.
fn is_ros_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= 255
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(allowed)
}

fn is_region(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn section_key(name: &str) -> String {
    format!("state.{name}")
}
