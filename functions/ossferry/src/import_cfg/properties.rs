//! Java properties, the form of ossimport's files: `key=value` lines, each with its number.

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Property {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// Empty where the line has no `=`: what stands there may be a secret.
    pub(super) key: String,
    /// Without blanks around it. `None` where it is not UTF-8.
    pub(super) value: Option<String>,
}

/// Reads a file. Any bytes will do: comments are often written in another encoding.
///
/// Of Java's rules: comments begin with `#` or `!`, a backslash at the end goes on in the next line, and
/// `\t`, `\n`, `\r`, `\f`, `\uXXXX` and `\` before any other character are unfolded. Keys end at `=` only, as
/// they do in every file that ossimport ships; a `:` belongs to paths and addresses.
pub(super) fn read(bytes: &[u8]) -> Vec<Property> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let mut found = Vec::new();
    while let Some((index, line)) = lines.next() {
        let mut whole = trimmed(line).to_vec();
        if whole.is_empty() || whole.starts_with(b"#") || whole.starts_with(b"!") {
            continue;
        }
        while goes_on(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.extend_from_slice(trimmed(next));
        }
        let (key, value) = match whole.iter().position(|byte| *byte == b'=') {
            Some(at) => (unfolded(&whole[..at]).unwrap_or_default(), unfolded(&whole[at + 1..])),
            None => (String::new(), unfolded(&whole)),
        };
        found.push(Property { line: index + 1, key, value });
    }
    found
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}

/// Whether the line ends with a backslash that is not itself escaped.
fn goes_on(line: &[u8]) -> bool {
    line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn unfolded(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits = characters.as_str().get(..4)?;
                plain.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                characters = characters.as_str()[4..].chars();
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Vec<(usize, String, Option<String>)> {
        read(text).into_iter().map(|Property { line, key, value }| (line, key, value)).collect()
    }

    #[test]
    fn properties_are_read_with_their_lines() {
        let text = b"\xef\xbb\xbf# srcType=no\r\n!a=b\r\n\r\n jobName = local_test \r\n\
                     workerMaxThroughput(KB/s)=10\nsrcPrefix=d:/files/a=b/\nempty=\nlong=a\\\n   b\n\
                     name=\\u4e2d\\=\\n\nalone\n";
        let want = [
            (4, "jobName", "local_test"),
            (5, "workerMaxThroughput(KB/s)", "10"),
            (6, "srcPrefix", "d:/files/a=b/"),
            (7, "empty", ""),
            (8, "long", "ab"),
            (10, "name", "中=\n"),
            (11, "", "alone"),
        ]
        .map(|(line, key, value)| (line, key.to_owned(), Some(value.to_owned())));
        assert_eq!(pairs(text), want);
    }

    #[test]
    fn what_is_not_utf8_has_no_value() {
        let read = pairs(b"# \xff\nsrcBucket=\xff\nsrcPrefix=\\ud800\njobName=\\u12");
        assert_eq!(read.len(), 3);
        assert!(read.iter().all(|(_, _, value)| value.is_none()), "{read:?}");
    }
}
