//! What services say of a refusal in their own words.

/// Characters of the service's own sentence that are kept.
pub(crate) const CHARS_MAX: usize = 150;

/// The sentence in one short line; none that gives the request's access key back.
pub(crate) fn short(sentence: &str, access_key: Option<&str>) -> Option<String> {
    if access_key.is_some_and(|key| !key.is_empty() && sentence.contains(key)) {
        return None;
    }
    let words: Vec<&str> = sentence
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    let line = line.trim_end_matches('.');
    let cut: String = line.chars().take(CHARS_MAX).collect();
    let end = if cut.len() < line.len() { "…" } else { "" };
    (!cut.is_empty()).then(|| format!("\"{cut}{end}\""))
}
