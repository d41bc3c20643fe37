//! What is wrong with a job file, each with its line and its remedy.

use std::fmt;

/// One thing wrong with a job file. Never holds the value that stands there: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// From 1.
    pub line: usize,
    /// The key with its sections: `source.credentials.access_key`. Empty where the file is not TOML.
    pub key: String,
    /// What is wrong, a lower-case fragment.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

/// Everything found wrong with a job file, by line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobErrors(pub Vec<JobError>);

impl fmt::Display for JobErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for JobErrors {}

/// Collects what is wrong while the file is read on.
pub(super) struct Mistakes<'a> {
    text: &'a str,
    found: Vec<JobError>,
}

impl<'a> Mistakes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes a mistake at this byte of the file.
    pub(super) fn add(
        &mut self,
        at: usize,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let (key, problem, remedy) = (key.into(), problem.into(), remedy.into());
        self.found.push(JobError { line, key, problem, remedy });
    }

    /// Whether something was already said of this key, so that nothing more need be.
    pub(super) fn know(&self, key: &str) -> bool {
        self.found.iter().any(|error| error.key == key)
    }

    /// The value, if nothing was wrong.
    pub(super) fn or_else<T>(mut self, value: Option<T>) -> Result<T, JobErrors> {
        self.found.sort_by_key(|error| error.line);
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => {
                assert!(!self.found.is_empty(), "a job is missing only where a mistake was noted");
                Err(JobErrors(self.found))
            }
        }
    }
}
