//! The lines of a preflight.

use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Nothing to do.
    Ok,
    /// The job runs; read it.
    Warn,
    /// The job would not run, or not well.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// Prints each finding as it is made, and counts.
#[derive(Default)]
pub(super) struct Findings {
    warnings: u64,
    failures: u64,
}

impl Findings {
    /// Nothing to do.
    pub(super) fn ok(&mut self, what: &str, text: impl fmt::Display) {
        self.note(what, (Level::Ok, text));
    }

    /// The job runs; read it.
    pub(super) fn warn(&mut self, what: &str, text: impl fmt::Display) {
        self.note(what, (Level::Warn, text));
    }

    /// The job would not run.
    pub(super) fn fail(&mut self, what: &str, text: impl fmt::Display) {
        self.note(what, (Level::Fail, text));
    }

    /// As it was judged.
    pub(super) fn note(&mut self, what: &str, (level, text): (Level, impl fmt::Display)) {
        match level {
            Level::Ok => {}
            Level::Warn => self.warnings += 1,
            Level::Fail => self.failures += 1,
        }
        println!("{}", line(level, what, &text));
    }

    /// Says what it comes to; answers the exit status.
    pub(super) fn conclude(&self) -> u8 {
        let (warnings, failures) = (self.warnings, self.failures);
        println!("{failures} FAIL, {warnings} warn; nothing was written at source or target");
        u8::from(failures > 0)
    }
}

fn line(level: Level, what: &str, text: &dyn fmt::Display) -> String {
    format!("{level:<4}  {what:<17}  {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_and_a_failure_decides_the_exit_status() {
        assert_eq!(line(Level::Ok, "source", &"listed"), "ok    source             listed");
        assert_eq!(line(Level::Fail, "target encryption", &"x"), "FAIL  target encryption  x");
        let mut findings = Findings::default();
        findings.warn("a", "b");
        assert_eq!(findings.conclude(), 0);
        findings.fail("a", "b");
        assert_eq!(findings.conclude(), 1);
    }
}
