//! Operations on a bucket itself, and the list of buckets.

use std::sync::Arc;

use http::header::{HeaderName, LOCATION};
use http::{HeaderValue, StatusCode};

use crate::RequestBody;
use crate::answer::{Answer, document, empty, insert_text};
use crate::call::Call;
use crate::clock_text::list_date;
use crate::errors::{INVALID_ARGUMENT, MALFORMED_XML, NO_SUCH_WEBSITE, Refusal};
use crate::storage::Bucket;
use crate::xml::{XmlWriter, elements};

/// The id and name of the account that owns every bucket.
pub(crate) const OWNER: &str = "1000000000000001";

/// Most routing rules of a website configuration (manual page of `PutBucketWebsite`, 2021).
const ROUTING_RULES_MAX: usize = 20;

/// Whether OSS takes this as a bucket's name: 3 to 63 of `a-z0-9-`, not at the ends `-`.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// `ListBuckets` (`GetService`).
pub(crate) fn list_buckets(buckets: &[Arc<Bucket>], region: &str, host: &str) -> Answer {
    let mut xml = XmlWriter::new(false);
    xml.within("ListAllMyBucketsResult", |xml| {
        xml.within("Owner", owner);
        xml.within("Buckets", |xml| {
            for bucket in buckets {
                xml.within("Bucket", |xml| bucket_identity(xml, bucket, region, host));
            }
        });
    });
    document(StatusCode::OK, xml.finish())
}

pub(crate) fn owner(xml: &mut XmlWriter) {
    xml.text("ID", OWNER);
    xml.text("DisplayName", OWNER);
}

fn bucket_identity(xml: &mut XmlWriter, bucket: &Bucket, region: &str, host: &str) {
    xml.value("CreationDate", list_date(bucket.created));
    xml.text("ExtranetEndpoint", host);
    xml.text("IntranetEndpoint", host);
    xml.text("Location", &format!("oss-{region}"));
    xml.text("Name", &bucket.name);
    xml.text("Region", region);
    xml.text("StorageClass", "Standard");
}

/// The answer to `PutBucket`.
pub(crate) fn created(name: &str) -> Answer {
    let mut answer = empty(StatusCode::OK);
    insert_text(answer.headers_mut(), LOCATION, &format!("/{name}"));
    answer
}

impl Call<'_> {
    /// `GetBucketInfo`.
    pub(crate) fn info(&self, region: &str) -> Answer {
        let mut xml = XmlWriter::new(false);
        xml.within("BucketInfo", |xml| {
            xml.within("Bucket", |xml| {
                bucket_identity(xml, self.bucket, region, self.host);
                xml.text("DataRedundancyType", "LRS");
                xml.within("Owner", owner);
                xml.within("AccessControlList", |xml| xml.text("Grant", "private"));
                xml.text("AccessMonitor", "Disabled");
                xml.text("TransferAcceleration", "Disabled");
                xml.text("CrossRegionReplication", "Disabled");
            });
        });
        document(StatusCode::OK, xml.finish())
    }

    /// `HEAD` of a bucket: that it is there, and where.
    pub(crate) fn head_bucket(region: &str) -> Answer {
        let mut answer = empty(StatusCode::OK);
        let name = HeaderName::from_static("x-oss-bucket-region");
        if let Ok(region) = HeaderValue::from_str(region) {
            answer.headers_mut().insert(name, region);
        }
        answer
    }

    /// `GetBucketLocation`.
    pub(crate) fn location(region: &str) -> Answer {
        let mut xml = XmlWriter::new(false);
        xml.text("LocationConstraint", &format!("oss-{region}"));
        document(StatusCode::OK, xml.finish())
    }

    /// `GetBucketVersioning`: it was never enabled.
    pub(crate) fn versioning() -> Answer {
        let mut xml = XmlWriter::new(false);
        xml.within("VersioningConfiguration", |_| {});
        document(StatusCode::OK, xml.finish())
    }

    /// `GetBucketAcl`.
    pub(crate) fn acl() -> Answer {
        let mut xml = XmlWriter::new(false);
        xml.within("AccessControlPolicy", |xml| {
            xml.within("Owner", owner);
            xml.within("AccessControlList", |xml| xml.text("Grant", "private"));
        });
        document(StatusCode::OK, xml.finish())
    }

    /// `GetBucketStat`.
    pub(crate) fn stat(&self) -> Answer {
        let state = self.bucket.read();
        let bytes: u64 = state.objects.values().map(|object| object.bytes).sum();
        let multipart: usize = state.objects.values().filter(|object| object.multipart).count();
        let mut xml = XmlWriter::new(false);
        xml.within("BucketStat", |xml| {
            xml.value("Storage", bytes);
            xml.value("ObjectCount", state.objects.len());
            xml.value("MultipartUploadCount", state.uploads.len());
            xml.value("LiveChannelCount", 0);
            xml.value("LastModifiedTime", (self.clock)().0 / 1_000);
            xml.value("StandardStorage", bytes);
            xml.value("StandardObjectCount", state.objects.len());
            xml.value("MultipartPartCount", multipart);
        });
        document(StatusCode::OK, xml.finish())
    }

    /// `PutBucketWebsite`, which replaces the whole configuration.
    pub(crate) async fn put_website(&self, body: &mut RequestBody) -> Result<Answer, Refusal> {
        let body = self.read_document(body).await?;
        check_website(&body)?;
        self.bucket.set_website(Some(String::from_utf8_lossy(&body).into_owned()))?;
        Ok(empty(StatusCode::OK))
    }

    /// `GetBucketWebsite`.
    pub(crate) fn get_website(&self) -> Result<Answer, Refusal> {
        let xml = self.bucket.read().website.clone();
        Ok(document(StatusCode::OK, masked(&xml.ok_or(NO_SUCH_WEBSITE)?)))
    }

    /// `DeleteBucketWebsite`, which succeeds where there is none.
    pub(crate) fn delete_website(&self) -> Result<Answer, Refusal> {
        if self.bucket.read().website.is_some() {
            self.bucket.set_website(None)?;
        }
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

/// The configuration as it is shown: the secrets of origins are not.
fn masked(xml: &str) -> String {
    const TAG: &str = "<AccessKeySecret>";
    let mut pieces = xml.split(TAG);
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find('<').unwrap_or(piece.len());
        shown.extend([TAG, "******", &piece[end..]]);
    }
    shown
}

/// The rules of `PutBucketWebsite` that a mirror configuration can break.
fn check_website(body: &[u8]) -> Result<(), Refusal> {
    const RULE: &str = "WebsiteConfiguration/RoutingRules/RoutingRule";
    let elements = elements(body)?;
    if elements.last().is_none_or(|root| root.path != "WebsiteConfiguration") {
        return Err(MALFORMED_XML.into());
    }
    let rules = elements.iter().filter(|element| element.path == RULE).count();
    if rules > ROUTING_RULES_MAX {
        return Err(INVALID_ARGUMENT.because("The number of routing rules exceeds 20."));
    }
    let number_path = format!("{RULE}/RuleNumber");
    let numbers: Vec<_> =
        elements.iter().filter(|e| e.path == number_path).map(|e| e.text.trim()).collect();
    let positive = |text: &&str| text.parse::<u32>().is_ok_and(|number| number > 0);
    if numbers.len() != rules || !numbers.iter().all(positive) {
        return Err(INVALID_ARGUMENT.because("Every routing rule needs a positive RuleNumber."));
    }
    let mirror_path = format!("{RULE}/Redirect/MirrorURL");
    let mirror = elements.iter().filter(|e| e.path == mirror_path).find(|mirror| {
        let url = mirror.text.trim();
        !url.ends_with('/') || !(url.starts_with("http://") || url.starts_with("https://"))
    });
    match mirror {
        None => Ok(()),
        Some(mirror) => Err(INVALID_ARGUMENT
            .because("MirrorURL must begin with http:// or https:// and end with /.")
            .with("ArgumentValue", mirror.text.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn website(rule: &str, times: usize) -> String {
        let rules = rule.repeat(times);
        format!("<WebsiteConfiguration><RoutingRules>{rules}</RoutingRules></WebsiteConfiguration>")
    }

    #[test]
    fn a_mirror_rule_needs_a_number_and_a_url_that_ends_in_a_slash() {
        let rule = |url: &str| {
            format!(
                "<RoutingRule><RuleNumber>1</RuleNumber><Redirect><MirrorURL>{url}</MirrorURL>\
                 </Redirect></RoutingRule>"
            )
        };
        let good = rule("https://s/");
        for (body, taken) in [
            (website(&good, 1), true),
            (website(&good, 20), true),
            (website(&good, 21), false),
            (website(&rule("https://s"), 1), false),
            (website(&rule("ftp://s/"), 1), false),
            (website("<RoutingRule></RoutingRule>", 1), false),
            ("<Other></Other>".into(), false),
            ("<WebsiteConfiguration>".into(), false),
        ] {
            assert_eq!(check_website(body.as_bytes()).is_ok(), taken, "{body}");
        }
    }

    #[test]
    fn the_secret_of_an_origin_is_not_shown() {
        let xml = "<A><AccessKeySecret>s3cret</AccessKeySecret><B/></A>";
        assert_eq!(masked(xml), "<A><AccessKeySecret>******</AccessKeySecret><B/></A>");
        assert_eq!(masked("<A/>"), "<A/>");
    }

    #[test]
    fn bucket_names_are_those_oss_takes() {
        for (name, taken) in [
            ("abc", true),
            ("a-1", true),
            ("ab", false),
            ("Abc", false),
            ("-abc", false),
            ("abc-", false),
            ("a.c", false),
            ("a/c", false),
        ] {
            assert_eq!(is_bucket_name(name), taken, "{name}");
        }
        assert!(is_bucket_name(&"a".repeat(63)) && !is_bucket_name(&"a".repeat(64)));
    }
}
