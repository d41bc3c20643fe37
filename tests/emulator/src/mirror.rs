//! Mirror rules: a GET of a key that is missing is answered from the rule's origin, and stored.
//!
//! As the manual has it ("Mirroring-based back-to-origin", 2024): the first matching rule wins; 200 of
//! the origin is stored and answered with `x-oss-tag: MIRROR`, 404 stays a 404, anything else is a 424.
//! HEAD and listings never fetch, and what was fetched once is never refreshed.

use futures::TryStreamExt;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_TYPE, EXPIRES, HOST, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ossferry_aws::sigv4::{self, CanonicalParts, Scope, SigningKey, UNSIGNED_PAYLOAD};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::time::Timestamp;
use ossferry_http::percent::encode_key;
use ossferry_http::{
    Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, LaneResponse, parse_http_date,
};

use crate::answer::Answer;
use crate::call::{ObjectCall, PUT_BYTES_MAX};
use crate::errors::{MIRROR_FAILED, NO_SUCH_KEY, Refusal};
use crate::objects::whole_object;
use crate::storage::object::Metadata;
use crate::storage::{ChangeError, receive};
use crate::xml::{Element, elements};
use crate::{BodyError, RequestBody};

/// Says of an object that a rule fetched it.
pub(crate) const MIRROR_TAG: HeaderName = HeaderName::from_static("x-oss-tag");

/// What is kept of the origin's answer, beside user metadata.
const KEPT: [HeaderName; 6] =
    [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES];

const RULE: &str = "WebsiteConfiguration/RoutingRules/RoutingRule";

/// A routing rule that mirrors.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct MirrorRule {
    number: u64,
    prefix: String,
    suffix: String,
    code: String,
    kind: String,
    url: String,
    replace_prefix: Option<String>,
    replaces_prefix: bool,
    replace_key: Option<String>,
    keeps_metadata: bool,
    keeps_last_modified: bool,
    region: String,
    access_key: String,
    secret_key: String,
}

impl MirrorRule {
    /// Takes over one element of the rule.
    fn learn(&mut self, element: Element) {
        let Some(path) = element.path.strip_prefix(RULE) else { return };
        let is_true = element.text.trim() == "true";
        let text = element.text;
        match path {
            "/RuleNumber" => self.number = text.trim().parse().unwrap_or(0),
            "/Condition/KeyPrefixEquals" => self.prefix = text,
            "/Condition/KeySuffixEquals" => self.suffix = text,
            "/Condition/HttpErrorCodeReturnedEquals" => self.code = text,
            "/Redirect/RedirectType" => self.kind = text,
            "/Redirect/MirrorURL" => text.trim().clone_into(&mut self.url),
            "/Redirect/ReplaceKeyPrefixWith" => self.replace_prefix = Some(text),
            "/Redirect/EnableReplacePrefix" => self.replaces_prefix = is_true,
            "/Redirect/ReplaceKeyWith" => self.replace_key = Some(text),
            "/Redirect/MirrorSaveOssMeta" => self.keeps_metadata = is_true,
            "/Redirect/MirrorUserLastModified" => self.keeps_last_modified = is_true,
            "/Redirect/MirrorAuth/Region" => self.region = text,
            "/Redirect/MirrorAuth/AccessKeyId" => self.access_key = text,
            "/Redirect/MirrorAuth/AccessKeySecret" => self.secret_key = text,
            _ => {}
        }
    }

    fn is_for(&self, key: &Key) -> bool {
        self.kind == "Mirror"
            && self.code == "404"
            && key.as_bytes().starts_with(self.prefix.as_bytes())
            && key.as_bytes().ends_with(self.suffix.as_bytes())
    }

    /// The key at the origin.
    fn origin_key(&self, key: &Key) -> Vec<u8> {
        let key = key.as_bytes();
        if let Some((before, after)) =
            self.replace_key.as_ref().and_then(|pattern| pattern.split_once("${key}"))
        {
            return [before.as_bytes(), key, after.as_bytes()].concat();
        }
        match &self.replace_prefix {
            Some(prefix) if self.replaces_prefix => {
                [prefix.as_bytes(), &key[self.prefix.len()..]].concat()
            }
            _ => key.to_vec(),
        }
    }
}

/// The mirror rules of a website configuration, in the order in which they are tried.
fn mirror_rules(website: &str) -> Vec<MirrorRule> {
    let (mut rules, mut rule) = (Vec::new(), MirrorRule::default());
    for element in elements(website.as_bytes()).unwrap_or_default() {
        if element.path == RULE {
            rules.push(std::mem::take(&mut rule));
        } else {
            rule.learn(element);
        }
    }
    rules.sort_by_key(|rule| rule.number);
    rules
}

/// Fetches from the origins of mirror rules.
pub(crate) struct Origins(Lane);

impl Origins {
    /// Without a connection.
    pub(crate) fn new() -> Self {
        Self(Lane::new(&LaneOptions::default()))
    }

    async fn ask(
        &self,
        rule: &MirrorRule,
        key: &Key,
        now: Timestamp,
    ) -> Result<LaneResponse, Refusal> {
        let failed = |why: &str| MIRROR_FAILED.because(why.to_owned());
        let address = rule.url.split_once("://").ok_or_else(|| failed("no scheme"))?;
        let (authority, base) = address.1.split_once('/').unwrap_or((address.1, ""));
        let endpoint = Endpoint::parse(&format!("{}://{authority}", address.0));
        let endpoint = endpoint.ok_or_else(|| failed("no address"))?;
        let path_and_query = format!("/{base}{}", encode_key(&rule.origin_key(key)));
        let mut headers = HeaderMap::new();
        if !rule.access_key.is_empty() {
            sign(rule, &endpoint, &path_and_query, now, &mut headers)
                .ok_or_else(|| failed("the key is no header text"))?;
        }
        let request = LaneRequest {
            operation: "mirror",
            method: Method::GET,
            endpoint: &endpoint,
            path_and_query,
            headers,
            body: LaneBody::Empty,
        };
        let asked = self.0.send(request, &Meter::default()).await;
        asked.map_err(|error| failed(&error.to_string()))
    }
}

fn sign(
    rule: &MirrorRule,
    endpoint: &Endpoint,
    path: &str,
    now: Timestamp,
    headers: &mut HeaderMap,
) -> Option<()> {
    let date = sigv4::amz_date(now);
    let scope = Scope { date: &date[..8], region: &rule.region, service: "s3" };
    let signed = [
        ("host", endpoint.authority()),
        ("x-amz-content-sha256", UNSIGNED_PAYLOAD),
        ("x-amz-date", date.as_str()),
    ];
    let (method, query, payload) = ("GET", "", UNSIGNED_PAYLOAD);
    let parts = CanonicalParts { method, path, query, headers: &signed, payload };
    let names = parts.signed_headers();
    let text = sigv4::string_to_sign(&date, scope, &sigv4::canonical_request(&parts, &names));
    let signature = SigningKey::derive(&rule.secret_key, scope).signature(&text);
    let line = sigv4::authorization(&rule.access_key, scope, &names, &signature);
    headers.insert(HOST, HeaderValue::from_str(endpoint.authority()).ok()?);
    headers.insert("x-amz-content-sha256", HeaderValue::from_static(UNSIGNED_PAYLOAD));
    headers.insert("x-amz-date", HeaderValue::from_str(&date).ok()?);
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&line).ok()?);
    Some(())
}

impl ObjectCall<'_> {
    /// `GetObject`, after a mirror rule has fetched what is missing.
    pub(crate) async fn get_or_mirror(&self, origins: &Origins) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        if call.bucket.object(key).is_none() {
            let website = call.bucket.read().website.clone();
            let rules = website.as_deref().map(mirror_rules).unwrap_or_default();
            if let Some(rule) = rules.iter().find(|rule| rule.is_for(key)) {
                self.fetch(rule, origins).await?;
            }
        }
        self.get()
    }

    async fn fetch(&self, rule: &MirrorRule, origins: &Origins) -> Result<(), Refusal> {
        let Self { call, key } = self;
        let response = origins.ask(rule, key, (call.clock)()).await?;
        match response.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(NO_SUCH_KEY.into()),
            status => return Err(MIRROR_FAILED.because(format!("the origin answered {status}"))),
        }
        let bytes = response.content_length();
        let bytes = bytes.ok_or_else(|| MIRROR_FAILED.because("no length of the origin"))?;
        let metadata = stored_metadata(rule, &response.headers)?;
        let last_modified = response.header(LAST_MODIFIED.as_str()).and_then(parse_http_date);
        let frames = response.into_object_body(bytes).map_ok(Frame::data);
        let frames = frames.map_err(|error| -> BodyError { Box::new(error) });
        let mut body: RequestBody = StreamBody::new(frames).boxed_unsync();
        let received = receive(&call.bucket.bodies, &mut body, PUT_BYTES_MAX).await?;
        let mut object = whole_object(received, metadata, call);
        if let Some(time) = last_modified.filter(|_| rule.keeps_last_modified) {
            object.modified = time;
        }
        match call.bucket.put(key.clone(), object, true) {
            // Written by somebody meanwhile: that is what stands.
            Ok(_) | Err(ChangeError::Exists) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn stored_metadata(rule: &MirrorRule, answer: &HeaderMap) -> Result<Metadata, Refusal> {
    let mut kept = HeaderMap::new();
    for (name, value) in answer {
        let is_user = name.as_str().starts_with("x-oss-meta-");
        if KEPT.contains(name) || (is_user && rule.keeps_metadata) {
            kept.insert(name.clone(), value.clone());
        }
    }
    let mut metadata = Metadata::from_headers(&kept)?;
    metadata.headers.push((MIRROR_TAG, HeaderValue::from_static("MIRROR")));
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: u32, condition: &str, redirect: &str) -> String {
        format!(
            "<RoutingRule><RuleNumber>{number}</RuleNumber><Condition>{condition}\
             <HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect>\
             <RedirectType>Mirror</RedirectType>{redirect}</Redirect></RoutingRule>"
        )
    }

    #[test]
    fn the_first_rule_by_number_that_matches_says_where_a_key_is_looked_for() {
        let rules = [
            rule(9, "", "<MirrorURL>http://last/</MirrorURL>"),
            rule(
                2,
                "<KeyPrefixEquals>a/</KeyPrefixEquals>",
                "<MirrorURL>http://moved/b/</MirrorURL><EnableReplacePrefix>true\
                 </EnableReplacePrefix><ReplaceKeyPrefixWith>old/</ReplaceKeyPrefixWith>",
            ),
            rule(
                3,
                "<KeySuffixEquals>.jpg</KeySuffixEquals>",
                "<MirrorURL>http://named/</MirrorURL><ReplaceKeyWith>p-${key}</ReplaceKeyWith>",
            ),
        ];
        let website = format!(
            "<WebsiteConfiguration><RoutingRules>{}</RoutingRules></WebsiteConfiguration>",
            rules.concat()
        );
        let rules = mirror_rules(&website);
        let found = |key: &str| {
            let key = Key::from(key);
            let rule = rules.iter().find(|rule| rule.is_for(&key)).unwrap();
            (rule.url.as_str(), String::from_utf8(rule.origin_key(&key)).unwrap())
        };
        assert_eq!(found("a/x.jpg"), ("http://moved/b/", "old/x.jpg".to_owned()));
        assert_eq!(found("b.jpg"), ("http://named/", "p-b.jpg".to_owned()));
        assert_eq!(found("b"), ("http://last/", "b".to_owned()));
    }
}
