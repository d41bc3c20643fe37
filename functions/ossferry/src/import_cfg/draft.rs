//! A job file on its way.

use std::fmt::Write as _;

use serde::Serialize;

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
    /// What ossimport's files do not say.
    pub(super) blank: Option<Blank>,
}

/// A line that whoever knows it has to write. Until then the job file is none, and is refused for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Blank {
    /// `source.region`.
    pub(super) key: &'static str,
    /// Below its section.
    #[serde(skip)]
    name: &'static str,
    /// What it is, and who says it.
    pub(super) what: &'static str,
    /// One of the values that it has elsewhere.
    pub(super) example: &'static str,
}

impl Blank {
    /// Which region a bucket of Kodo is in.
    pub(super) const KODO_REGION: Self = Self {
        key: "source.region",
        name: "region",
        what: "the region of the bucket, as Qiniu's console shows it",
        example: "cn-east-1",
    };

    /// The line as it is written: empty, and not read before somebody takes the `#` away.
    fn line(self) -> String {
        format!("#{} = \"\"\n", self.name)
    }

    /// The file as it would be with the example.
    pub(super) fn filled_in(self, text: &str) -> String {
        let line = format!("{} = \"{}\"\n", self.name, self.example);
        text.replacen(&self.line(), &line, 1)
    }
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

    /// A line that is to be filled in.
    pub(super) fn blank(&mut self, blank: Blank) {
        let Blank { what, example, .. } = blank;
        let line = blank.line();
        write!(self.0, "# To be filled in: {what}. As in \"{example}\".\n{line}")
            .expect("a text takes any text");
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
