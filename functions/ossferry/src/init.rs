//! `init`: a commented job file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use ossferry_core::job::Job;

use crate::command_error::CommandError;

/// Writes the template, never over a file that is there.
pub(crate) fn write_template(path: &Path) -> Result<(), CommandError> {
    write_new(path, Job::template())
}

/// Writes a job file, never over a file that is there.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => CommandError::FileExists(path.to_owned()),
        _ => CommandError::File { what: "write", path: path.to_owned(), error },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_valid_job_and_never_written_over_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.toml");
        write_template(&path).unwrap();
        Job::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        std::fs::write(&path, "mine").unwrap();
        let error = write_template(&path).unwrap_err();
        assert!(matches!(error, CommandError::FileExists(_)), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
