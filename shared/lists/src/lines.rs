//! Lists of one line a URL.

use ossferry_core::error::PortError;
use ossferry_core::job::UrlListFormat;
use ossferry_http::percent::{Plus, decode};

use crate::index::{Index, bad_list};
use crate::url::Url;

/// Reads a list in one of the forms that have a line each. Whatever is no such line is refused by its
/// number: a list that was cut, or is of another form, is not half a list.
pub(crate) fn read_lines(text: &[u8], format: UrlListFormat) -> Result<Index, PortError> {
    let mut index = Index::default();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let refused = |what: &str| bad_list(format_args!("line {}: {what}", at + 1));
        let (key, url) = key_and_url(line, format).map_err(refused)?;
        take(&mut index, &key, &url).map_err(|what| match what {
            Refused::Line(what) => refused(&what),
            Refused::List(error) => error,
        })?;
    }
    index.sorted()
}

/// Why a line is not taken.
pub(crate) enum Refused {
    /// Because of what stands in it.
    Line(String),
    /// Because of all that came before.
    List(PortError),
}

/// Puts a line into the index, once its URL is known to be one.
pub(crate) fn take(index: &mut Index, key: &[u8], url: &[u8]) -> Result<(), Refused> {
    if key.is_empty() {
        return Err(Refused::Line("the key is empty".to_owned()));
    }
    Url::parse(url).map_err(|bad| Refused::Line(format!("the url: {bad}")))?;
    index.push(key, url).map_err(Refused::List)
}

fn key_and_url(line: &[u8], format: UrlListFormat) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    match format {
        UrlListFormat::Ossimport { url_column, key_column } => {
            let columns: Vec<&[u8]> =
                line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty()).collect();
            let column = |number: u32| columns.get(number as usize - 1).copied();
            let (url, key) = column(url_column)
                .zip(column(key_column))
                .ok_or("want as many columns as the job file names, with blanks between")?;
            Ok((key.to_vec(), [url, key].concat()))
        }
        UrlListFormat::Tab => {
            let at =
                line.iter().position(|byte| *byte == b'\t').ok_or("want a url, a tab, a key")?;
            Ok((line[at + 1..].to_vec(), line[..at].to_vec()))
        }
        UrlListFormat::Urls => {
            let line = line.trim_ascii();
            let url = Url::parse(line).map_err(|_| "want a url")?;
            let key = decode(&url.path().as_bytes()[1..], Plus::Plus);
            let key = key.ok_or("a % that two hex digits do not follow")?;
            Ok((key, line.to_vec()))
        }
        UrlListFormat::Manifest => Err("a manifest has no lines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OSSIMPORT: UrlListFormat = UrlListFormat::Ossimport { url_column: 1, key_column: 2 };

    fn pairs(text: &str, format: UrlListFormat) -> Result<Vec<(String, String)>, String> {
        let index = read_lines(text.as_bytes(), format).map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(index.range(b"", None).map(|(key, url)| (text(key), text(url))).collect())
    }

    #[test]
    fn each_form_gives_keys_and_urls() {
        let columns = UrlListFormat::Ossimport { url_column: 3, key_column: 1 };
        for (format, line, key, url) in [
            (OSSIMPORT, "http://h/p/ a/b.jpg", "a/b.jpg", "http://h/p/a/b.jpg"),
            (OSSIMPORT, "h/p/\t a/b.jpg more\r", "a/b.jpg", "h/p/a/b.jpg"),
            (columns, "k%20 x http://h/", "k%20", "http://h/k%20"),
            (
                UrlListFormat::Tab,
                "http://h/x?a=b\tfolder/a name ",
                "folder/a name ",
                "http://h/x?a=b",
            ),
            (UrlListFormat::Urls, " http://h/a%20b/c?d ", "a b/c", "http://h/a%20b/c?d"),
            (UrlListFormat::Urls, "http://h//a+b", "/a+b", "http://h//a+b"),
        ] {
            let found = pairs(&format!("\u{feff}{line}\n\n"), format).unwrap();
            assert_eq!(found, [(key.to_owned(), url.to_owned())], "{line}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused_by_its_number() {
        for (format, line, said) in [
            (OSSIMPORT, "http://h/only-one", "want as many columns"),
            (OSSIMPORT, "ftp://h/ a", "want http:// or https://"),
            (UrlListFormat::Tab, "http://h/a a", "a tab"),
            (UrlListFormat::Tab, "http://h/a\t", "the key is empty"),
            (UrlListFormat::Urls, "http://h/", "the key is empty"),
            (UrlListFormat::Urls, "http://h/%zz", "hex digits"),
            (UrlListFormat::Urls, "mailto:a", "the key is empty"),
        ] {
            let good = match format {
                UrlListFormat::Ossimport { .. } => "http://h/ x",
                UrlListFormat::Tab => "http://h/x\tx",
                _ => "http://h/x",
            };
            let error = pairs(&format!("{good}\n{line}\n"), format).unwrap_err();
            assert!(error.starts_with("list: line 2: ") && error.contains(said), "{error}");
        }
    }
}
