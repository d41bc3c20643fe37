//! The mirror rule: a GET of a key that is missing is answered from the origin, and stored.

use std::fmt;

use super::tree::Element;

/// How OSS may read the origin.
#[derive(Clone, PartialEq, Eq)]
pub enum MirrorAuth {
    /// Anybody may.
    None,
    /// By a key of an S3 store, signed as `S3V4`. It is written into the configuration.
    Key {
        /// As signatures name it.
        region: String,
        /// Public half.
        access_key: String,
        /// Private half. OSS masks it where it shows the configuration.
        secret_key: String,
    },
    /// By a role of the bucket's owner: for a private bucket of OSS.
    Role(String),
}

impl fmt::Debug for MirrorAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Key { .. } => "Key",
            Self::Role(_) => "Role",
        })
    }
}

/// A mirror rule: which keys, and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MirrorRule {
    /// Keys of the bucket that begin with it; all where it is empty.
    pub prefix: String,
    /// What stands in its place at the origin.
    pub source_prefix: String,
    /// `https://host/` or `https://host/bucket/`: the key follows.
    pub url: String,
    /// How it is read.
    pub auth: MirrorAuth,
}

impl MirrorRule {
    /// The rule with that number.
    pub(super) fn element(&self, number: u64) -> Element {
        let leaf = |name: &str, text: &str| Element::leaf(name, text);
        let mut condition = Vec::new();
        if !self.prefix.is_empty() {
            condition.push(leaf("KeyPrefixEquals", &self.prefix));
        }
        condition.push(leaf("HttpErrorCodeReturnedEquals", "404"));
        let mut redirect = vec![
            leaf("RedirectType", "Mirror"),
            leaf("MirrorURL", &self.url),
            leaf("MirrorFollowRedirect", "true"),
            leaf("MirrorCheckMd5", "false"),
            leaf("MirrorSaveOssMeta", "true"),
            leaf("MirrorUserLastModified", "true"),
        ];
        if self.prefix.is_empty() && !self.source_prefix.is_empty() {
            redirect.push(leaf("ReplaceKeyWith", &format!("{}${{key}}", self.source_prefix)));
        } else if self.prefix != self.source_prefix {
            redirect.push(leaf("EnableReplacePrefix", "true"));
            redirect.push(leaf("ReplaceKeyPrefixWith", &self.source_prefix));
        }
        match &self.auth {
            MirrorAuth::None => {}
            MirrorAuth::Key { region, access_key, secret_key } => {
                let auth = vec![
                    leaf("AuthType", "S3V4"),
                    leaf("Region", region),
                    leaf("AccessKeyId", access_key),
                    leaf("AccessKeySecret", secret_key),
                ];
                redirect.push(Element::new("MirrorAuth", auth));
            }
            MirrorAuth::Role(role) => {
                redirect.push(leaf("MirrorUsingRole", "true"));
                redirect.push(leaf("MirrorRole", role));
            }
        }
        Element::new(
            "RoutingRule",
            vec![
                leaf("RuleNumber", &number.to_string()),
                Element::new("Condition", condition),
                Element::new("Redirect", redirect),
            ],
        )
    }

    /// Whether the other rule would answer for a missing key before this one.
    pub(super) fn is_shadowed_by(&self, other: &Element) -> bool {
        let code = other.text_at(&["Condition", "HttpErrorCodeReturnedEquals"]);
        let theirs = prefix_of(other);
        let is_for_missing = code.as_deref() == Some("404");
        is_for_missing && (theirs.starts_with(&self.prefix) || self.prefix.starts_with(&theirs))
    }
}

/// The prefix that a rule is for; empty where it names none.
pub(super) fn prefix_of(rule: &Element) -> String {
    rule.text_at(&["Condition", "KeyPrefixEquals"]).unwrap_or_default()
}

/// Whether this is the mirror rule of that number and address.
pub(super) fn is(rule: &Element, number: u64, url: &str) -> bool {
    rule.name == "RoutingRule"
        && rule.text_at(&["RuleNumber"]).is_some_and(|text| text == number.to_string())
        && rule.text_at(&["Redirect", "MirrorURL"]).as_deref() == Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_looked_for_at_the_origin_under_the_prefix_it_has_there() {
        for (prefix, source_prefix, expected) in [
            ("", "", ""),
            ("a/", "a/", ""),
            ("", "old/", "<ReplaceKeyWith>old/${key}</ReplaceKeyWith>"),
            (
                "new/",
                "old/",
                "<EnableReplacePrefix>true</EnableReplacePrefix><ReplaceKeyPrefixWith>old/\
                 </ReplaceKeyPrefixWith>",
            ),
        ] {
            let rule = MirrorRule {
                prefix: prefix.to_owned(),
                source_prefix: source_prefix.to_owned(),
                url: "https://o/".to_owned(),
                auth: MirrorAuth::Role("reader".to_owned()),
            };
            let mut text = String::new();
            rule.element(3).write(&mut text, None);
            assert!(text.contains(expected), "{text}");
            assert_eq!(text.contains("Replace"), !expected.is_empty(), "{text}");
            assert_eq!(text.contains("<KeyPrefixEquals>"), !prefix.is_empty(), "{text}");
            assert!(text.contains("<MirrorRole>reader</MirrorRole>"), "{text}");
        }
    }

    #[test]
    fn a_key_is_in_no_debug_text() {
        let auth = MirrorAuth::Key {
            region: "r".to_owned(),
            access_key: "AK".to_owned(),
            secret_key: "s3cret".to_owned(),
        };
        assert_eq!(format!("{auth:?}"), "Key");
    }
}
