//! One table of a job file, read key by key, so that every mistake has its line.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistakes;
use crate::time::Timestamp;

/// A value and the byte of the file where it begins.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// Keys of the sections whose headers are easily forgotten or passed over, each of one section only.
pub(super) const HOMES: [(&str, &[&str]); 3] = [
    ("filter", &["include", "exclude", "modified_since", "modified_until", "size_min", "size_max"]),
    ("policy", &["overwrite", "provenance", "tags", "acl"]),
    (
        "limits",
        &[
            "bytes_per_second",
            "requests_per_second",
            "time_zone",
            "workers",
            "concurrency_max",
            "slices_max",
            "task_seconds",
            "task_objects_max",
            "task_bytes_max",
            "split_bytes",
            "part_bytes",
            "window_tasks",
            "failures_max",
        ],
    ),
];

/// A table of the file. Keys that nobody asked for are mistakes.
pub(super) struct Section<'a, 'i> {
    path: String,
    at: usize,
    table: Option<&'a DeTable<'i>>,
    asked: Vec<&'static str>,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(super) fn root(table: &'a DeTable<'i>) -> Self {
        Self { path: String::new(), at: 0, table: Some(table), asked: Vec::new() }
    }

    /// Where the table begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_absent(&self) -> bool {
        self.table.is_none()
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// The key with its sections.
    pub(super) fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn find(&mut self, name: &'static str) -> Option<(usize, &'a Spanned<DeValue<'i>>)> {
        self.asked.push(name);
        let (key, value) = self.table?.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
        Some((key.span().start, value))
    }

    /// A table below this one; an empty one where it is absent.
    pub(super) fn section(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Section<'a, 'i> {
        let path = self.full(name);
        let mut below = Section { path, at: self.at, table: None, asked: Vec::new() };
        if let Some((at, value)) = self.find(name) {
            below.at = at;
            below.table = value.get_ref().as_table();
            if below.table.is_none() {
                mistakes.add(at, self.full(name), "want a table", format!("write [{name}]"));
            }
        }
        below
    }

    /// Every table of an array below this one.
    pub(super) fn sections(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Vec<Section<'a, 'i>> {
        let Some((at, value)) = self.find(name) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|array| array.iter().enumerate());
        let below = items.and_then(|items| {
            let below = items.map(|(index, item)| {
                let path = format!("{}[{index}]", self.full(name));
                let table = Some(item.get_ref().as_table()?);
                Some(Section { path, at: item.span().start, table, asked: Vec::new() })
            });
            below.collect::<Option<Vec<_>>>()
        });
        if below.is_none() {
            let remedy = format!("write [[{}]] above each", self.full(name));
            mistakes.add(at, self.full(name), "want a list of tables", remedy);
        }
        below.unwrap_or_default()
    }

    pub(super) fn text(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Found<String>> {
        let (at, value) = self.find(name)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            let remedy = format!("write {name} = \"…\"");
            mistakes.add(at, self.full(name), "want text in quotes", remedy);
        }
        Some(Found { value: text?.to_owned(), at })
    }

    /// Text that must be there and must not be empty.
    pub(super) fn required(
        &mut self,
        name: &'static str,
        example: &str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Found<String>> {
        let present = self.holds(name);
        let text = self.text(name, mistakes);
        if text.as_ref().is_some_and(|text| !text.value.is_empty()) {
            return text;
        }
        if !present || text.is_some() {
            let at = text.map_or(self.at, |text| text.at);
            let remedy = format!("write {name} = \"{example}\"");
            mistakes.add(at, self.full(name), "is required", remedy);
        }
        None
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Found<T>> {
        let text = self.text(name, mistakes)?;
        let known = words.iter().find(|(word, _)| *word == text.value);
        if known.is_none() {
            let list: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let remedy = format!("write one of {}", list.join(", "));
            mistakes.add(text.at, self.full(name), "is not a word known here", remedy);
        }
        known.map(|(_, value)| Found { value: *value, at: text.at })
    }

    pub(super) fn flag(&mut self, name: &'static str, mistakes: &mut Mistakes<'_>) -> Option<bool> {
        let (at, value) = self.find(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let remedy = format!("write {name} = true or {name} = false");
            mistakes.add(at, self.full(name), "want true or false", remedy);
        }
        flag
    }

    /// A whole number between two others.
    pub(super) fn whole(
        &mut self,
        name: &'static str,
        least: u64,
        most: u64,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Found<u64>> {
        let (at, value) = self.find(name)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        match number {
            Some(value) if (least..=most).contains(&value) => return Some(Found { value, at }),
            Some(_) => {
                let most = if most == u64::MAX { "any".to_owned() } else { most.to_string() };
                let remedy = format!("write a number from {least} to {most}");
                mistakes.add(at, self.full(name), "is out of range", remedy);
            }
            None => {
                let example = meant(value.get_ref()).unwrap_or(least.max(1));
                let unit = name.rsplit('_').find(|word| !matches!(*word, "max" | "min"));
                let problem = format!("want a whole number of {}", unit.unwrap_or(name));
                let remedy = format!("write it without unit or quotes, as in {name} = {example}");
                mistakes.add(at, self.full(name), problem, remedy);
            }
        }
        None
    }

    /// A point in time with its offset, in quotes or not.
    pub(super) fn moment(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Timestamp> {
        let (at, value) = self.find(name)?;
        let time = match value.get_ref() {
            DeValue::Datetime(time) => Timestamp::from_rfc3339(&time.to_string()),
            DeValue::String(text) => Timestamp::from_rfc3339(text),
            _ => None,
        };
        if time.is_none() {
            let remedy = format!("write {name} = \"2026-01-31T00:00:00Z\" (RFC 3339)");
            mistakes.add(at, self.full(name), "want a time with its offset", remedy);
        }
        time
    }

    pub(super) fn texts(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Vec<Found<String>> {
        let Some((at, value)) = self.find(name) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|array| array.iter().collect::<Vec<_>>());
        let texts = items.and_then(|items| {
            let found = items.into_iter().map(|item| {
                let value = item.get_ref().as_str()?.to_owned();
                Some(Found { value, at: item.span().start })
            });
            found.collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            let remedy = format!("write {name} = [\"…\", \"…\"]");
            mistakes.add(at, self.full(name), "want a list of texts", remedy);
        }
        texts.unwrap_or_default()
    }

    /// A table from any names to texts.
    pub(super) fn map(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> BTreeMap<String, Found<String>> {
        let below = self.section(name, mistakes);
        let mut map = BTreeMap::new();
        for (key, value) in below.table.into_iter().flatten() {
            let at = key.span().start;
            if let Some(text) = value.get_ref().as_str() {
                map.insert(key.get_ref().to_string(), Found { value: text.to_owned(), at });
            } else {
                let problem = "want text in quotes";
                mistakes.add(at, below.full(key.get_ref()), problem, "write NAME = \"…\"");
            }
        }
        map
    }

    /// Notes every key that nobody asked for. `elsewhere` names keys that belong to another form of
    /// this section, and says which.
    pub(super) fn finish(self, elsewhere: &[(&str, &str)], mistakes: &mut Mistakes<'_>) {
        for key in self.table.into_iter().flat_map(|table| table.keys()) {
            let name = key.get_ref().as_ref();
            let full = self.full(name);
            if self.asked.contains(&name) || mistakes.know(&full) {
                continue;
            }
            let at = key.span().start;
            if let Some((_, home)) = elsewhere.iter().find(|(other, _)| *other == name) {
                let problem = format!("does not belong here: it is for {home}");
                mistakes.add(at, full, problem, "remove the line");
                continue;
            }
            if let Some((home, _)) = HOMES.iter().find(|(_, keys)| keys.contains(&name)) {
                let remedy = format!("move the line below [{home}]");
                mistakes.add(at, full, format!("belongs in [{home}]"), remedy);
                continue;
            }
            let near = self.asked.iter().min_by_key(|asked| distance(asked, name));
            let remedy = match near {
                Some(near) if distance(near, name) <= 3 => format!("did you mean {near}?"),
                _ => format!("known here: {}", self.asked.join(", ")),
            };
            mistakes.add(at, full, "is not a key known here", remedy);
        }
    }
}

/// The number that a text with a unit means: `"16MiB"` is 16,777,216.
fn meant(value: &DeValue<'_>) -> Option<u64> {
    let text = value.as_str()?.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" | "s" => 1,
        "k" | "ki" | "kib" => 1 << 10,
        "m" | "mi" | "mib" => 1 << 20,
        "g" | "gi" | "gib" => 1 << 30,
        "t" | "ti" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Levenshtein's.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
