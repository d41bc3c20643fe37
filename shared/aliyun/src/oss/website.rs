//! A bucket's website configuration, and the mirror rule in it.
//!
//! OSS replaces the configuration as a whole, without a condition: whoever changes it reads it right
//! before and looks at it right after. Rules and elements that are not known here stay as they are.
//! Manual page of `PutBucketWebsite`; the elements of a mirror rule as the official Go SDK (v2) has them.

mod rule;
mod tree;

use http::Method;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{LaneBody, retry};

pub use rule::{MirrorAuth, MirrorRule};
use tree::{Element, Node};

use crate::openapi::sign::sha256_hex;
use crate::oss::client::{Call, OssClient};
use crate::xml::unreadable;

/// Most routing rules of one configuration.
pub const ROUTING_RULES_MAX: usize = 20;

/// A secret that an answer masks: writing it back would write the mask.
const SECRET: &str = "AccessKeySecret";

const QUERY: &[(&[u8], &[u8])] = &[(b"website", b"")];

impl OssClient {
    /// `GetBucketWebsite`: the document as it was answered; `None` where there is none.
    pub async fn bucket_website(&self) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetBucketWebsite";
        let asked = retry(self.policy(), || {
            self.document(Call { query: QUERY, ..Call::new(OPERATION, Method::GET, None) })
        });
        match asked.await {
            Ok(document) => {
                let text = String::from_utf8(document.into()).ok();
                text.map(Some).ok_or_else(|| unreadable(OPERATION))
            }
            // A bucket that is not there is another kind.
            Err(error) if error.kind == ErrorKind::NoSuchKey => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `PutBucketWebsite`, in place of whatever stands.
    pub async fn put_bucket_website(&self, document: &str) -> Result<(), PortError> {
        let document = bytes::Bytes::copy_from_slice(document.as_bytes());
        retry(self.policy(), || {
            let body = LaneBody::Bytes(document.clone());
            let call = Call::new("PutBucketWebsite", Method::PUT, None);
            self.document(Call { query: QUERY, body, ..call })
        })
        .await
        .map(drop)
    }

    /// `DeleteBucketWebsite`; none is no error.
    pub async fn delete_bucket_website(&self) -> Result<(), PortError> {
        retry(self.policy(), || {
            let call = Call::new("DeleteBucketWebsite", Method::DELETE, None);
            self.document(Call { query: QUERY, ..call })
        })
        .await
        .map(drop)
    }
}

/// Why a rule cannot be added.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebsiteRefusal {
    /// Not the configuration of a website.
    #[error("the bucket's website configuration cannot be read")]
    Unreadable,
    /// No room.
    #[error(
        "the bucket has {ROUTING_RULES_MAX} routing rules already, which is the most that it takes: \
         remove one"
    )]
    Full,
    /// An answer masks secrets, so that what was read cannot be written again.
    #[error(
        "routing rule {number} holds a secret that OSS does not show (MirrorAuth): writing the \
         configuration again would lose it. Add the mirror rule by hand, in the console"
    )]
    HoldsSecret {
        /// Of the rule.
        number: String,
    },
    /// The first rule that matches wins.
    #[error(
        "routing rule {number} already answers for missing keys below {prefix:?}, and the first rule \
         that matches wins: narrow or remove it"
    )]
    Shadowed {
        /// Of the rule.
        number: String,
        /// Its prefix.
        prefix: String,
    },
}

/// A website configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Website {
    root: Element,
}

impl Website {
    /// Reads a configuration; none is one without anything.
    pub fn read(document: Option<&str>) -> Result<Self, WebsiteRefusal> {
        let root = match document {
            None => Element::new("WebsiteConfiguration", Vec::new()),
            Some(document) => Element::parse(document).ok_or(WebsiteRefusal::Unreadable)?,
        };
        let is_website = root.name == "WebsiteConfiguration";
        is_website.then_some(Self { root }).ok_or(WebsiteRefusal::Unreadable)
    }

    fn rules(&self) -> impl Iterator<Item = &Element> {
        let rules = self.root.child("RoutingRules").into_iter().flat_map(Element::elements);
        rules.filter(|rule| rule.name == "RoutingRule")
    }

    /// Whether nothing is configured.
    pub fn is_empty(&self) -> bool {
        self.root.elements().all(|child| child.name == "RoutingRules" && child.children.is_empty())
    }

    /// How many routing rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules().count()
    }

    /// Adds the rule after all others and answers its number. `self` stays as it is where that is
    /// refused.
    pub fn add(&mut self, rule: &MirrorRule) -> Result<u64, WebsiteRefusal> {
        if self.rule_count() >= ROUTING_RULES_MAX {
            return Err(WebsiteRefusal::Full);
        }
        self.check_secrets()?;
        if let Some(other) = self.rules().find(|other| rule.is_shadowed_by(other)) {
            let prefix = rule::prefix_of(other);
            return Err(WebsiteRefusal::Shadowed { number: number_of(other), prefix });
        }
        let numbers = self.rules().filter_map(|rule| number_of(rule).parse::<u64>().ok());
        let number = numbers.max().unwrap_or(0) + 1;
        if self.root.child("RoutingRules").is_none() {
            self.root.children.push(Node::Element(Element::new("RoutingRules", Vec::new())));
        }
        let rule = Node::Element(rule.element(number));
        self.change_rules(|rules| rules.push(rule));
        Ok(number)
    }

    /// Refuses where a rule holds a secret: written again, it would be the mask that was shown.
    pub fn check_secrets(&self) -> Result<(), WebsiteRefusal> {
        let secret = self.rules().find(|rule| rule.holds(SECRET));
        secret.map_or(Ok(()), |rule| Err(WebsiteRefusal::HoldsSecret { number: number_of(rule) }))
    }

    /// Takes the mirror rule of that number and address out. `false`: it is not there.
    pub fn remove(&mut self, number: u64, url: &str) -> bool {
        let before = self.rule_count();
        self.change_rules(|rules| rules.retain(|node| !is_ours(node, number, url)));
        if self.root.child("RoutingRules").is_some_and(|rules| rules.children.is_empty()) {
            let is_list =
                |node: &Node| matches!(node, Node::Element(list) if list.name == "RoutingRules");
            self.root.children.retain(|node| !is_list(node));
        }
        self.rule_count() < before
    }

    /// Whether the mirror rule of that number and address is there.
    pub fn has(&self, number: u64, url: &str) -> bool {
        self.rules().any(|rule| rule::is(rule, number, url))
    }

    fn change_rules(&mut self, change: impl FnOnce(&mut Vec<Node>)) {
        let list = self.root.children.iter_mut().find_map(|node| match node {
            Node::Element(element) if element.name == "RoutingRules" => Some(element),
            _ => None,
        });
        if let Some(list) = list {
            change(&mut list.children);
        }
    }

    /// The document to be put.
    pub fn document(&self) -> String {
        let mut document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        self.root.write(&mut document, None);
        document
    }

    /// 64 hex digits over everything but secrets and the space between elements: two configurations
    /// that mean the same have the same.
    pub fn digest(&self) -> String {
        let mut text = String::new();
        self.root.write(&mut text, Some(SECRET));
        sha256_hex(text.as_bytes())
    }
}

fn number_of(rule: &Element) -> String {
    rule.text_at(&["RuleNumber"]).unwrap_or_default()
}

fn is_ours(node: &Node, number: u64, url: &str) -> bool {
    matches!(node, Node::Element(rule) if rule::is(rule, number, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: &str = "<?xml version=\"1.0\"?>\n<WebsiteConfiguration>\n<IndexDocument><Suffix>index.html\
        </Suffix></IndexDocument><RoutingRules><RoutingRule><RuleNumber>7</RuleNumber><Condition>\
        <KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><RedirectType>External\
        </RedirectType><New>x</New></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>";

    fn rule(prefix: &str) -> MirrorRule {
        MirrorRule {
            prefix: prefix.to_owned(),
            source_prefix: prefix.to_owned(),
            url: "https://origin/bucket/".to_owned(),
            auth: MirrorAuth::None,
        }
    }

    #[test]
    fn a_rule_that_is_added_and_removed_leaves_everything_else_as_it_was() {
        for before in [None, Some(OTHERS)] {
            let untouched = Website::read(before).unwrap();
            let mut website = untouched.clone();
            let number = website.add(&rule("a/")).unwrap();
            assert_eq!(number, if before.is_some() { 8 } else { 1 });
            let read = Website::read(Some(&website.document())).unwrap();
            assert_eq!(read.digest(), website.digest());
            assert_ne!(read.digest(), untouched.digest());
            assert!(read.has(number, "https://origin/bucket/") && !read.has(number, "https://x/"));
            assert!(!website.remove(number, "https://x/"), "another's rule is not ours");
            assert!(website.remove(number, "https://origin/bucket/"));
            assert_eq!(website, untouched);
            assert_eq!(website.is_empty(), before.is_none());
        }
    }

    #[test]
    fn what_a_rule_would_break_or_be_broken_by_is_refused_by_name() {
        let with = |rules: &str| {
            let document = format!(
                "<WebsiteConfiguration><RoutingRules>{rules}</RoutingRules></WebsiteConfiguration>"
            );
            Website::read(Some(&document)).unwrap()
        };
        let other = |number: u32, condition: &str, redirect: &str| {
            format!(
                "<RoutingRule><RuleNumber>{number}</RuleNumber><Condition>{condition}</Condition>\
                 <Redirect>{redirect}</Redirect></RoutingRule>"
            )
        };
        let full: String = (1..=20).map(|number| other(number, "", "")).collect();
        assert_eq!(with(&full).add(&rule("")), Err(WebsiteRefusal::Full));
        let masked =
            other(3, "", "<MirrorAuth><AccessKeySecret>***</AccessKeySecret></MirrorAuth>");
        let refused = WebsiteRefusal::HoldsSecret { number: "3".to_owned() };
        assert_eq!(with(&masked).add(&rule("")), Err(refused));
        let on_404 = |prefix: &str| {
            let condition = format!(
                "<KeyPrefixEquals>{prefix}</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404\
                 </HttpErrorCodeReturnedEquals>"
            );
            with(&other(2, &condition, "<RedirectType>Mirror</RedirectType>"))
        };
        for (theirs, ours, is_refused) in
            [("a/", "a/b/", true), ("a/b/", "a/", true), ("", "a/", true), ("a/", "b/", false)]
        {
            assert_eq!(on_404(theirs).add(&rule(ours)).is_err(), is_refused, "{theirs} {ours}");
        }
        for document in ["<Other/>", "<WebsiteConfiguration>", ""] {
            assert_eq!(Website::read(Some(document)), Err(WebsiteRefusal::Unreadable));
        }
    }

    #[test]
    fn a_secret_changes_no_digest() {
        let mut keys = ["one", "***"].map(|secret| {
            let auth = MirrorAuth::Key {
                region: "r".to_owned(),
                access_key: "AK".to_owned(),
                secret_key: secret.to_owned(),
            };
            let mut website = Website::read(None).unwrap();
            website.add(&MirrorRule { auth, ..rule("") }).unwrap();
            website
        });
        assert_ne!(keys[0].document(), keys[1].document());
        assert_eq!(keys[0].digest(), keys[1].digest());
        assert!(keys[0].remove(1, "https://origin/bucket/"));
    }
}
