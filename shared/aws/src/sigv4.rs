//! AWS Signature Version 4, in the stages of the specification.
//!
//! Pure: no clock, no key store, no HTTP. Paths and queries come in already encoded and are signed
//! as they come: S3 neither encodes a path twice nor folds `.`, `..` and `//`. The other services
//! encode a path twice; what is asked of them here has paths that encoding leaves as they are.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use ossferry_core::time::Timestamp;
use sha2::{Digest, Sha256};

/// Stands where the digest of the request's body would: the body is not part of what is signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signing key is good for: one day, one region, one service.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `YYYYMMDD`, UTC.
    pub date: &'a str,
    /// As the service names it, e.g. `us-east-1`.
    pub region: &'a str,
    /// As signatures name it, e.g. `s3`.
    pub service: &'a str,
}

impl Scope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct CanonicalParts<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Percent-encoded, begins with `/`: the bytes of the request line.
    pub path: &'a str,
    /// Percent-encoded, sorted by name, each name with its `=`; empty without a query.
    pub query: &'a str,
    /// Lower-case names in ascending order, values without blanks around them.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body in hex, or [`UNSIGNED_PAYLOAD`].
    pub payload: &'a str,
}

impl CanonicalParts<'_> {
    /// The names of the signed headers, joined by `;`.
    pub fn signed_headers(&self) -> String {
        let mut names = String::with_capacity(96);
        for (name, _) in self.headers {
            if !names.is_empty() {
                names.push(';');
            }
            names.push_str(name);
        }
        names
    }
}

/// Stage 1: the request in the one spelling that both sides hash.
pub fn canonical_request(parts: &CanonicalParts<'_>, signed_headers: &str) -> String {
    let mut text = String::with_capacity(512);
    for line in [parts.method, parts.path, parts.query] {
        text.push_str(line);
        text.push('\n');
    }
    for (name, value) in parts.headers {
        text.push_str(name);
        text.push(':');
        text.push_str(value);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(signed_headers);
    text.push('\n');
    text.push_str(parts.payload);
    text
}

/// Stage 2: the text that the signature covers. `amz_date` is that of [`amz_date`].
pub fn string_to_sign(amz_date: &str, scope: Scope<'_>, canonical: &str) -> String {
    let digest = hex(&Sha256::digest(canonical));
    format!("{ALGORITHM}\n{amz_date}\n{}\n{digest}", scope.text())
}

/// Stage 3: the secret, narrowed to one scope. Costs four HMACs, so it is kept while the day lasts.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// The key of one secret for one scope.
    pub fn derive(secret: &str, scope: Scope<'_>) -> Self {
        let seed = format!("AWS4{secret}");
        let mut key = keyed(seed.as_bytes());
        for text in [scope.date, scope.region, scope.service, "aws4_request"] {
            key.update(text.as_bytes());
            key = keyed(&key.finalize().into_bytes());
        }
        Self(key)
    }

    /// Stage 4: the signature, 64 lower-case hex digits.
    pub fn signature(&self, string_to_sign: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(string_to_sign.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

/// The value of the `Authorization` header.
pub fn authorization(
    access_key: &str,
    scope: Scope<'_>,
    signed_headers: &str,
    signature: &str,
) -> String {
    let scope = scope.text();
    format!(
        "{ALGORITHM} Credential={access_key}/{scope},SignedHeaders={signed_headers},\
         Signature={signature}"
    )
}

/// `YYYYMMDDTHHMMSSZ`, UTC; its first eight characters are the scope's date.
pub fn amz_date(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(1_000);
    let (year, month, day) = civil_date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of a count of days since 1970-01-01 in the Gregorian calendar.
///
/// The year begins in March here, so that the leap day is its last.
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil_date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("hmac takes a key of any length")
}

/// What stands as the payload of a request whose body is signed.
pub fn payload_digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every text");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of no bytes, which AWS's examples sign.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const DATE: &str = "20130524T000000Z";
    const SCOPE: Scope<'_> = Scope { date: "20130524", region: "us-east-1", service: "s3" };
    const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");

    fn sign(path: &str, query: &str, headers: &[(&str, &str)]) -> (String, String, String) {
        let parts = CanonicalParts { method: "GET", path, query, headers, payload: EMPTY };
        let canonical = canonical_request(&parts, &parts.signed_headers());
        let text = string_to_sign(DATE, SCOPE, &canonical);
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SCOPE);
        (canonical, key.signature(&text), text)
    }

    #[test]
    fn the_get_object_example_of_aws_is_signed_as_printed() {
        let headers =
            [HOST, ("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY), ("x-amz-date", DATE)];
        let (canonical, signature, text) = sign("/test.txt", "", &headers);
        assert_eq!(
            canonical,
            format!(
                "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n\
                 x-amz-content-sha256:{EMPTY}\nx-amz-date:{DATE}\n\n\
                 host;range;x-amz-content-sha256;x-amz-date\n{EMPTY}"
            )
        );
        assert_eq!(
            text,
            "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n\
             7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
        );
        assert_eq!(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        assert_eq!(
            authorization(
                "AKIAIOSFODNN7EXAMPLE",
                SCOPE,
                "host;range;x-amz-content-sha256;x-amz-date",
                &signature
            ),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn the_examples_of_aws_with_a_query_are_signed_as_printed() {
        let headers = [HOST, ("x-amz-content-sha256", EMPTY), ("x-amz-date", DATE)];
        for (query, printed) in [
            ("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (
                "max-keys=2&prefix=J",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            assert_eq!(sign("/", query, &headers).1, printed, "{query}");
        }
    }

    /// The example of the guide for requests to any service.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
    #[test]
    fn the_key_for_another_service_is_derived_as_printed() {
        let scope = Scope { date: "20150830", region: "us-east-1", service: "iam" };
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let parts = CanonicalParts {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &headers,
            payload: &payload_digest(b""),
        };
        let canonical = canonical_request(&parts, &parts.signed_headers());
        let text = string_to_sign("20150830T123600Z", scope, &canonical);
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope);
        assert_eq!(
            key.signature(&text),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn dates_are_written_as_the_signature_wants_them() {
        for (rfc3339, written) in [
            ("2013-05-24T00:00:00Z", "20130524T000000Z"),
            ("1970-01-01T00:00:00Z", "19700101T000000Z"),
            ("2000-02-29T23:59:59.999Z", "20000229T235959Z"),
            ("2026-12-31T12:34:56Z", "20261231T123456Z"),
            ("2100-03-01T00:00:00Z", "21000301T000000Z"),
            ("1969-12-31T23:59:59Z", "19691231T235959Z"),
        ] {
            assert_eq!(amz_date(Timestamp::from_rfc3339(rfc3339).unwrap()), written);
        }
    }
}
