//! Names of jobs, passes, slices and tasks, and the two key columns made of them.

use std::fmt;

use ossferry_core::crc::crc64_ecma;
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// A migration, as its job file names it.
    JobName
}
text_id! {
    /// One walk of a job over its source. Sorts by the time it was triggered.
    PassId
}
text_id! {
    /// A key range of a pass: `0` is the root, `0.2` the second range split off it.
    SliceId
}

impl SliceId {
    /// The slice that covers the whole key space when a pass begins.
    pub fn root() -> Self {
        Self("0".to_owned())
    }

    /// The `number`th slice split off this one, from 1.
    #[must_use]
    pub fn child(&self, number: usize) -> Self {
        Self(format!("{}.{number}", self.0))
    }
}

/// A pass of a job.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PassRef {
    /// Which job.
    pub job: JobName,
    /// Which pass of it.
    pub pass: PassId,
}

impl PassRef {
    /// A slice of this pass.
    pub fn slice(&self, slice: SliceId) -> SliceRef {
        SliceRef { pass: self.clone(), slice }
    }
}

/// A slice of a pass.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SliceRef {
    /// Which pass.
    pub pass: PassRef,
    /// Which slice of it.
    pub slice: SliceId,
}

impl SliceRef {
    /// A task of this slice.
    pub fn task(&self, seq: u64) -> TaskRef {
        TaskRef { slice: self.clone(), seq }
    }
}

/// A task of a slice.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TaskRef {
    /// Which slice.
    pub slice: SliceRef,
    /// From 1, in the order of planning.
    pub seq: u64,
}

impl TaskRef {
    /// The pass it belongs to.
    pub fn pass(&self) -> &PassRef {
        &self.slice.pass
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.slice.slice, self.seq)
    }
}

/// Where a row stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RowId {
    /// First key column.
    pub partition: String,
    /// Second key column.
    pub sort: String,
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.partition, self.sort)
    }
}

/// Puts a digest in front, so that partitions spread over a store that orders by the first column.
fn hashed(name: &str) -> String {
    format!("{:08x}.{name}", crc64_ecma(name.as_bytes()) >> 32)
}

fn row(partition: String, sort: impl Into<String>) -> RowId {
    RowId { partition, sort: sort.into() }
}

/// The job's partition: its own row and the index of its passes.
pub fn job_partition(job: &JobName) -> String {
    hashed(&format!("job.{job}"))
}

/// The job's own row.
pub fn job_row(job: &JobName) -> RowId {
    row(job_partition(job), "job")
}

/// How far the job's cutover is.
pub fn cutover_row(job: &JobName) -> RowId {
    row(job_partition(job), "cutover")
}

/// The job's mirror rule.
pub fn mirror_row(job: &JobName) -> RowId {
    row(job_partition(job), "mirror")
}

/// The partition that names every deployed job.
pub fn deployed_partition() -> String {
    hashed("jobs")
}

/// A job in the index of deployed ones.
pub fn deployed_row(job: &JobName) -> RowId {
    row(deployed_partition(), format!("job/{job}"))
}

/// One of the places of a job's copiers, from 0.
pub fn place_row(job: &JobName, place: u32) -> RowId {
    row(job_partition(job), format!("copier/{place:06}"))
}

/// The rates of a job that stand in place of its definition's.
pub fn rates_row(job: &JobName) -> RowId {
    row(job_partition(job), "rate")
}

/// One worker's shares of a job's rates, from 0.
pub fn rate_row(job: &JobName, number: u32) -> RowId {
    row(job_partition(job), format!("rate/{number:06}"))
}

/// A pass in the index of its job.
pub fn pass_index_row(pass: &PassRef) -> RowId {
    row(job_partition(&pass.job), format!("pass/{}", pass.pass))
}

/// The pass's partition: its own row, the directory of its slices, the keys outstanding before it.
pub fn pass_partition(pass: &PassRef) -> String {
    hashed(&format!("pass.{}.{}", pass.job, pass.pass))
}

/// The pass's own row.
pub fn pass_row(pass: &PassRef) -> RowId {
    row(pass_partition(pass), "pass")
}

/// How far a pass was when somebody last saw it move.
pub fn progress_row(pass: &PassRef) -> RowId {
    row(pass_partition(pass), "progress")
}

/// A slice in the directory of its pass: only a cache.
pub fn directory_row(slice: &SliceRef) -> RowId {
    row(pass_partition(&slice.pass), format!("slice/{}", slice.slice))
}

/// A chunk of the keys that earlier passes left outstanding.
pub fn outstanding_row(pass: &PassRef, chunk: u64) -> RowId {
    row(pass_partition(pass), format!("outstanding/{chunk:06}"))
}

/// The slice's partition: its own row and its tasks.
pub fn slice_partition(slice: &SliceRef) -> String {
    hashed(&format!("slice.{}.{}.{}", slice.pass.job, slice.pass.pass, slice.slice))
}

/// The slice's own row.
pub fn slice_row(slice: &SliceRef) -> RowId {
    row(slice_partition(slice), "slice")
}

/// The sort column of a task.
pub fn task_sort(seq: u64) -> String {
    format!("task/{seq:010}")
}

/// A task's own row.
pub fn task_row(task: &TaskRef) -> RowId {
    row(slice_partition(&task.slice), task_sort(task.seq))
}

/// The task's partition: its objects, their results, and the upload of a large one.
pub fn task_partition(task: &TaskRef) -> String {
    let slice = &task.slice;
    hashed(&format!("task.{}.{}.{}.{}", slice.pass.job, slice.pass.pass, slice.slice, task.seq))
}

/// The list of a task's objects.
pub fn objects_row(task: &TaskRef) -> RowId {
    row(task_partition(task), "objects")
}

/// What one claim of a task recorded.
pub fn result_row(task: &TaskRef, fence: u64) -> RowId {
    row(task_partition(task), format!("result/{fence:010}"))
}

/// One attempt at a large object.
pub fn upload_row(task: &TaskRef, generation: u64) -> RowId {
    row(task_partition(task), format!("upload/{generation:04}"))
}

/// The sort column of a range of one attempt at a large object.
pub fn range_sort(generation: u64, number: u64) -> String {
    format!("range/{generation:04}/{number:06}")
}

/// One range of one attempt at a large object.
pub fn range_row(task: &TaskRef, generation: u64, number: u64) -> RowId {
    row(task_partition(task), range_sort(generation, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_kind_sort_by_number_and_partitions_carry_a_digest() {
        let pass = PassRef { job: "j".into(), pass: "p".into() };
        let task = pass.slice(SliceId::root().child(2)).task(9);
        assert!(task_row(&task).sort < task_sort(10));
        assert_eq!(task.to_string(), "0.2/9");
        let partition = task_partition(&task);
        assert!(partition.ends_with(".task.j.p.0.2.9"), "{partition}");
        assert_eq!(partition.find('.'), Some(8));
    }
}
