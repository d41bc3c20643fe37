//! A job file on its way.

use std::fmt::Write as _;

/// Sections of a job file, as lines.
#[derive(Default)]
pub(super) struct Draft {
    /// The job's name.
    pub(super) name: String,
    /// `[source]`.
    pub(super) source: Lines,
    /// `[target]`.
    pub(super) target: Lines,
    /// `[filter]`.
    pub(super) filter: Lines,
    /// `[policy]`.
    pub(super) policy: Lines,
    /// `[limits]`.
    pub(super) limits: Lines,
    /// Variables that the job file names, and where the value stands that belongs into each.
    pub(super) variables: Vec<(&'static str, String)>,
}

/// `key = value` lines of a section.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A text, quoted as TOML has it.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &toml::Value::from(value).to_string());
    }

    /// A whole number. TOML's go to 2^63.
    pub(super) fn whole(&mut self, key: &str, value: u64) {
        self.raw(key, &value.min(i64::MAX.cast_unsigned()).to_string());
    }

    /// As it is.
    pub(super) fn raw(&mut self, key: &str, value: &str) {
        writeln!(self.0, "{key} = {value}").expect("a text takes any text");
    }
}

impl Draft {
    /// The file.
    pub(super) fn text(&self) -> String {
        let mut text =
            "# From a configuration of ossimport. What else may stand here: ossferry init\n"
                .to_owned();
        let mut name = Lines::default();
        name.text("name", &self.name);
        text.push_str(&name.0);
        for (section, lines) in [
            ("source", &self.source),
            ("target", &self.target),
            ("filter", &self.filter),
            ("policy", &self.policy),
            ("limits", &self.limits),
        ] {
            if !lines.0.is_empty() {
                write!(text, "\n[{section}]\n{}", lines.0).expect("a text takes any text");
            }
        }
        let mut path = Lines::default();
        path.text("path", &format!("{}.sqlite", self.name));
        write!(text, "\n# The ledger, a file of this machine.\n[state]\n{}", path.0)
            .expect("a text takes any text");
        text
    }
}
