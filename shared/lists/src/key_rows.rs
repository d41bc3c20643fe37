//! The forms of a list of keys: what `ossferry report --format csv` and `ossferry inspect --json` write of
//! objects, and one key a line. Keys are spelled as reports spell them.

use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use serde::Deserialize;

use crate::stored;

/// In front of every error.
pub(crate) const WHAT: &str = "list of keys";

/// Columns of a report that are looked for.
const KEY: &str = "key";
const OUTCOME: &str = "outcome";

/// Where a report has its outcome, to know a row that lost its header.
const OUTCOME_COLUMN: usize = 2;

pub(crate) fn unusable(problem: impl std::fmt::Display) -> PortError {
    stored::unusable(WHAT, problem)
}

/// What a line of JSON is read for.
#[derive(Deserialize)]
struct Line {
    key: String,
}

/// Every key of a list, as often and in the order as they stand there. Whatever is no row of its form is
/// refused by its number: a list that was cut, or is of another form, is not half a list.
pub(crate) fn read_keys(text: &[u8]) -> Result<Vec<Key>, PortError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_report = header(text).is_some_and(|names| names.contains(&OUTCOME));
    let is_json = text.first() == Some(&b'{');
    let mut keys = Vec::new();
    if is_report {
        return read_report(text);
    }
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let key = if is_json { of_json(line) } else { of_line(line) };
        keys.push(key.map_err(|what| unusable(format_args!("line {}: {what}", at + 1)))?);
    }
    Ok(keys)
}

/// The names in the first line, where they begin with that of the key.
fn header(text: &[u8]) -> Option<Vec<&str>> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let names = std::str::from_utf8(line).ok()?.trim_end().split(',');
    let names: Vec<&str> = names.map(|name| name.trim_matches('"')).collect();
    (names.first() == Some(&KEY)).then_some(names)
}

fn read_report(text: &[u8]) -> Result<Vec<Key>, PortError> {
    let mut keys = Vec::new();
    let mut rows = csv::Reader::from_reader(text);
    for row in rows.byte_records() {
        let row = row.map_err(unusable)?;
        let line = row.position().map_or(0, csv::Position::line);
        let key = spelled(row.get(0).unwrap_or_default());
        keys.push(key.map_err(|what| unusable(format_args!("line {line}: {what}")))?);
    }
    Ok(keys)
}

fn of_json(line: &[u8]) -> Result<Key, String> {
    let found = serde_json::from_slice::<Line>(line);
    let found = found.map_err(|error| format!("want a JSON object with a key: {error}"))?;
    spelled(found.key.as_bytes())
}

fn of_line(line: &[u8]) -> Result<Key, String> {
    let column = line.split(|byte| *byte == b',').nth(OUTCOME_COLUMN);
    let is_outcome = |word: &[u8]| Outcome::ALL.iter().any(|one| one.as_str().as_bytes() == word);
    if column.is_some_and(is_outcome) {
        return Err("a row of a report without the line of its header: keep that line".to_owned());
    }
    spelled(line)
}

fn spelled(text: &[u8]) -> Result<Key, String> {
    let text = std::str::from_utf8(text);
    let text = text.map_err(|_| "want UTF-8: spell every other byte as %XX".to_owned())?;
    if text.is_empty() {
        return Err("the key is empty".to_owned());
    }
    Ok(Key::from_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "key,size,outcome,proof,crc64_ecma,source_etag,target_etag,reason";

    fn read(text: &str) -> Result<Vec<Key>, String> {
        read_keys(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_gives_its_keys_and_nothing_else() {
        let keys = [&b"a,b \"c\""[..], b"x\n\xff%", "ü {".as_bytes(), b" d "];
        let keys = keys.map(|bytes| Key::new(bytes.to_vec()));
        let report = format!(
            "{HEADER}\n\"a,b \"\"c\"\"\",7,copied,A,1,s,T,\nx%0A%FF%25,7,failed,,,e,,\"put: 403, no\"\n\
             ü {{,,pending,,,,,\n d ,0,gone,,,,,\n"
        );
        let json = "{\"key\":\"a,b \\\"c\\\"\",\"size\":7,\"outcome\":\"copied\"}\n\
                    {\"pass\":\"p\",\"key\":\"x%0A%FF%25\",\"mapped\":[]}\n\
                    {\"key\":\"\\u00fc {\"}\n\n{\"key\":\" d \"}";
        let lines = "a,b \"c\"\nx%0A%FF%25\n\nü {\n d ";
        for text in [report.as_str(), json, lines] {
            for text in [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
                assert_eq!(read(&text).unwrap(), keys, "{text}");
            }
        }
        for nothing in ["", "\n", &format!("{HEADER}\n")] {
            assert_eq!(read(nothing).unwrap(), [], "{nothing}");
        }
        let alike = read("key,first\nkey,second\n").unwrap();
        assert_eq!(alike, ["key,first", "key,second"].map(Key::from), "keys, and no header");
    }

    #[test]
    fn what_is_no_row_of_its_form_is_refused_by_its_number() {
        for (text, said) in [
            (format!("{HEADER}\na,1,failed,,,,,\nb,1,fai"), "line: 3"),
            (format!("{HEADER}\n,1,failed,,,,,\n"), "line 2: the key is empty"),
            ("a\nb,7,failed,,,e,,\n".to_owned(), "line 2: a row of a report without"),
            ("{\"key\":\"a\"}\n{\"key\":\"b".to_owned(), "line 2: want a JSON object with a key"),
            ("{\"task\":\"0/3\"}".to_owned(), "line 1: want a JSON object with a key"),
            ("{\"key\":\"a\"}\nb\n".to_owned(), "line 2: want a JSON object"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.starts_with("list of keys: ") && error.contains(said), "{error}");
        }
        let error = read_keys(b"a\n\xff\n").unwrap_err().to_string();
        assert!(error.contains("line 2: want UTF-8"), "{error}");
    }
}
