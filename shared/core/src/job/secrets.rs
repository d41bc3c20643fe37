//! Finds secrets that were written into a job file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistakes;

const REMEDY: &str = "put the secret into an environment variable and name it: \
                      credentials = { from = \"env\", access_key = \"NAME\", secret_key = \"NAME\" }";

/// Notes every value that is a secret by its look or by the name of its key.
pub(super) fn find(table: &DeTable<'_>, path: &str, mistakes: &mut Mistakes<'_>) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let full = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        find_in(key.span().start, name, &full, value, mistakes);
    }
}

fn find_in(
    at: usize,
    name: &str,
    full: &str,
    value: &Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes<'_>,
) {
    match value.get_ref() {
        DeValue::Table(table) => find(table, full, mistakes),
        DeValue::Array(array) => {
            for item in array {
                find_in(item.span().start, name, full, item, mistakes);
            }
        }
        DeValue::String(text) => {
            let literal = names_a_secret(name) && !is_variable_name(text);
            if looks_like_an_access_key(text) || literal || has_userinfo(text) {
                mistakes.add(at, full, "holds a secret itself", REMEDY);
            }
        }
        _ => {}
    }
}

/// The form of a variable's name: capitals, digits and `_`, not beginning with a digit.
pub(super) fn is_variable_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(allowed)
        && !looks_like_an_access_key(text)
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    name.contains("secret")
        || name.contains("password")
        || name.starts_with("access_key")
        || name.ends_with("token")
}

/// Access key ids of AWS (`AKIA`, `ASIA`), Alibaba Cloud (`LTAI`, `STS.`), Tencent Cloud (`AKID`)
/// and Google's HMAC keys (`GOOG1`), each with the long tail they have.
fn looks_like_an_access_key(text: &str) -> bool {
    ["AKIA", "ASIA", "LTAI", "STS.", "AKID", "GOOG1"].iter().any(|mark| {
        text.strip_prefix(mark).is_some_and(|tail| {
            tail.len() >= 12 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    })
}

/// `https://user:secret@host`.
fn has_userinfo(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
    })
}
