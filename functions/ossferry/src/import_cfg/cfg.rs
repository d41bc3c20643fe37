//! The keys of ossimport's two files, and what became of each.

use serde::Serialize;

use super::properties::{self, Property};

/// Keys whose values are secret, or part of one.
const SECRETS: [&str; 6] = [
    "srcAccessKey",
    "srcSecretKey",
    "destAccessKey",
    "destSecretKey",
    "workerPassword",
    "expressTunnelAuthToken",
];

/// Shorter values are no keys of any cloud, and stand by chance in any text.
const SECRET_LENGTH_MIN: usize = 6;

/// What became of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Became {
    /// Stands in the job file as it was.
    Kept,
    /// Stands in the job file, or beside it, in other words.
    Mapped,
    /// Does not say what the job file needs in its place: whoever knows it has to write it there.
    ToFillIn,
    /// Nothing is to be made of it.
    NotNeeded,
    /// Stands in the way of a job file.
    Refused,
    /// Is no key of ossimport that is known here.
    Unknown,
    /// Stands again further on, where it counts.
    Duplicate,
}

impl Became {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Mapped => "mapped",
            Self::ToFillIn => "to be filled in",
            Self::NotNeeded => "no longer needed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What became of one line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Fate {
    /// The file as it was named; `None` where the key stands in none.
    pub(super) file: Option<String>,
    /// From 1; `None` where the key is missing.
    pub(super) line: Option<usize>,
    /// As the file has it.
    pub(super) key: String,
    /// What became of it.
    pub(super) became: Became,
    /// Why, or where it stands now. Never holds a text of the files.
    pub(super) note: String,
}

/// A line, in which file, and what became of it.
struct Setting {
    file: String,
    property: Property,
    fate: Option<(Became, String)>,
}

/// Both files.
pub(super) struct Cfg {
    settings: Vec<Setting>,
    /// Keys that are missing, and why they may not be.
    missing: Vec<(String, String)>,
}

impl Cfg {
    /// Reads files, each with its name. Of a key that stands twice the last one in the first file that
    /// has it counts.
    pub(super) fn read(files: &[(String, Vec<u8>)]) -> Self {
        let mut settings: Vec<Setting> = Vec::new();
        for (file, bytes) in files {
            for property in properties::read(bytes) {
                let same = |known: &&mut Setting| {
                    known.property.key == property.key && known.fate.is_none()
                };
                let known = settings.iter_mut().rev().find(same);
                let mut setting = Setting { file: file.clone(), property, fate: None };
                match known {
                    Some(_) if setting.property.key.is_empty() => {}
                    Some(known) if known.file == *file => known.outdo_by(&setting),
                    Some(known) => setting.outdo_by(known),
                    None => {}
                }
                settings.push(setting);
            }
        }
        Self { settings, missing: Vec::new() }
    }

    fn counting(&self, key: &str) -> Option<&Setting> {
        let counts = |setting: &&Setting| {
            setting.property.key == key && !matches!(setting.fate, Some((Became::Duplicate, _)))
        };
        self.settings.iter().find(counts)
    }

    /// The value of a key; `None` where it is missing or empty. One that is not text is refused.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.counting(key)?.property.value.clone();
        if value.is_none() {
            self.refuse(key, "is not UTF-8; write the file in that encoding");
        }
        value.filter(|value| !value.is_empty())
    }

    /// The value of a key that must be there.
    pub(super) fn required(&mut self, key: &str, remedy: &str) -> Option<String> {
        let text = self.text(key);
        if text.is_none() {
            self.refuse(key, remedy);
        }
        text
    }

    /// A whole number; anything else is refused.
    pub(super) fn whole(&mut self, key: &str) -> Option<u64> {
        let number = self.text(key)?.parse();
        if number.is_err() {
            self.refuse(key, "is no whole number");
        }
        number.ok()
    }

    /// `true` or `false`; anything else is refused.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = match self.text(key)?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        if flag.is_none() {
            self.refuse(key, "is neither true nor false");
        }
        flag
    }

    /// Says what became of a key, unless that was said before. Nothing where the key is missing.
    pub(super) fn became(&mut self, key: &str, became: Became, note: impl Into<String>) {
        let counts = |setting: &&mut Setting| setting.property.key == key && setting.fate.is_none();
        if let Some(setting) = self.settings.iter_mut().find(counts) {
            setting.fate = Some((became, note.into()));
        }
    }

    /// Says why there can be no job file as long as this key stands as it does, or is missing.
    pub(super) fn refuse(&mut self, key: &str, why: impl Into<String>) {
        if self.counting(key).is_some() {
            self.became(key, Became::Refused, why);
        } else if !self.missing.iter().any(|(known, _)| known == key) {
            self.missing.push((key.to_owned(), why.into()));
        }
    }

    /// Forgets what became of a key.
    pub(super) fn take_back(&mut self, key: &str) {
        let counts = |setting: &&mut Setting| {
            let became = setting.fate.as_ref().map(|(became, _)| *became);
            setting.property.key == key
                && !matches!(became, Some(Became::Duplicate | Became::Refused))
        };
        if let Some(setting) = self.settings.iter_mut().find(counts) {
            setting.fate = None;
        }
    }

    /// Where a key stands: `job.cfg:7`.
    pub(super) fn place(&self, key: &str) -> Option<String> {
        let setting = self.counting(key)?;
        Some(format!("{}:{}", setting.file, setting.property.line))
    }

    /// Keys of which nothing was said yet.
    pub(super) fn unsaid(&self) -> Vec<String> {
        let unsaid = self.settings.iter().filter(|setting| setting.fate.is_none());
        unsaid.map(|setting| setting.property.key.clone()).collect()
    }

    /// Whether something stands in the way of a job file.
    pub(super) fn is_refused(&self) -> bool {
        let refused = |setting: &Setting| matches!(setting.fate, Some((Became::Refused, _)));
        !self.missing.is_empty() || self.settings.iter().any(refused)
    }

    /// The key whose secret this text holds.
    pub(super) fn secret_in(&self, text: &str) -> Option<&'static str> {
        // A storage account's name is public: every address of its blobs holds it.
        let kind = self.counting("srcType").and_then(|kind| kind.property.value.as_deref());
        let is_account = |key: &str| key == "srcAccessKey" && kind == Some("azure");
        SECRETS.into_iter().filter(|key| !is_account(key)).find(|key| {
            self.settings.iter().any(|setting| {
                let value = setting.property.value.as_deref().unwrap_or_default();
                setting.property.key == **key
                    && value.len() >= SECRET_LENGTH_MIN
                    && text.contains(value)
            })
        })
    }

    /// What became of everything, by file and line; what is missing last.
    pub(super) fn fates(&self) -> Vec<Fate> {
        let shown = |key: &str| match key {
            "" => "(a line without =)".to_owned(),
            key if self.secret_in(key).is_some() => "(a secret)".to_owned(),
            key => key.to_owned(),
        };
        let stand = self.settings.iter().map(|setting| {
            let (became, note) = setting.fate.clone().unwrap_or((Became::Unknown, String::new()));
            Fate {
                file: Some(setting.file.clone()),
                line: Some(setting.property.line),
                key: shown(&setting.property.key),
                became,
                note,
            }
        });
        let missing = self.missing.iter().map(|(key, why)| Fate {
            file: None,
            line: None,
            key: key.clone(),
            became: Became::Refused,
            note: why.clone(),
        });
        stand.chain(missing).collect()
    }
}

impl Setting {
    /// Another line has the same key, and counts.
    fn outdo_by(&mut self, other: &Self) {
        let place = format!("{}:{}", other.file, other.property.line);
        self.fate = Some((Became::Duplicate, format!("stands again at {place}, which counts")));
    }
}
