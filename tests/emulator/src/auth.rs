//! Who asks: signatures V4 and V1, in a header or in the query, and the rules about time.

use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use ossferry_aliyun::oss::sign::{
    self, ALGORITHM, Scope, Signable, SigningKeys, UNSIGNED_PAYLOAD, additional_headers,
    canonical_request, string_to_sign,
};
use ossferry_aliyun::oss::sign_v1;
use ossferry_core::time::Timestamp;

use crate::clock_text::{from_http_date, from_signing_date, list_date};
use crate::errors::{
    ACCESS_DENIED, ANONYMOUS, BAD_AUTHORIZATION, BAD_PAYLOAD_HASH, EXPIRED, INVALID_ACCESS_KEY_ID,
    INVALID_TOKEN, Refusal, SIGNATURE_V1, SIGNATURE_V4, TIME_TOO_SKEWED,
};
use crate::metadata::text;
use crate::request::Target;

/// How far a request's clock may be off (error page 0002-00000504).
const SKEW_MAX: Duration = Duration::from_mins(15);

/// The longest a V4 presigned request may be valid, in seconds: seven days.
const PRESIGNED_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// The one account that the emulator knows.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// Where there is one, every request must carry it.
    pub(crate) security_token: Option<String>,
    /// `cn-hangzhou`, without `oss-`.
    pub(crate) region: String,
    pub(crate) keys: SigningKeys,
}

impl Account {
    /// Refuses a request that the account has not signed, or not for now.
    pub(crate) fn authenticate(
        &self,
        parts: &Parts,
        target: &Target,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let query: Vec<(&[u8], &[u8])> =
            target.query.pairs().map(|(name, value)| (name.as_bytes(), value)).collect();
        let request = Signable {
            method: parts.method.as_str(),
            bucket: target.bucket.as_deref(),
            key: target.key.as_ref().map(ossferry_core::key::Key::as_bytes),
            query: &query,
            headers: &parts.headers,
        };
        let parameter = |name: &str| target.query.text(name);
        if let Some(given) = parts.headers.get(http::header::AUTHORIZATION) {
            let given = given.to_str().map_err(|_| BAD_AUTHORIZATION)?;
            if let Some(fields) = given.strip_prefix(ALGORITHM) {
                return self.check_v4(&request, fields, now);
            }
            let (access_key, signature) = given
                .strip_prefix("OSS ")
                .and_then(|fields| fields.trim().split_once(':'))
                .ok_or(BAD_AUTHORIZATION)?;
            return self.check_v1(&request, access_key, signature, now);
        }
        if parameter("x-oss-signature-version").is_some() || parameter("x-oss-signature").is_some()
        {
            return self.check_v4_presigned(&request, target, now);
        }
        match (parameter("OSSAccessKeyId"), parameter("Expires"), parameter("Signature")) {
            (Some(access_key), Some(expires), Some(signature)) => {
                self.check_v1_presigned(&request, [access_key, expires, signature], target, now)
            }
            (None, _, None) => Err(ANONYMOUS.into()),
            _ => Err(ACCESS_DENIED.because(
                "Query-string authentication requires the Signature, Expires and OSSAccessKeyId \
                 parameters",
            )),
        }
    }

    fn check_v4(
        &self,
        request: &Signable<'_>,
        fields: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if text(request.headers, "x-oss-content-sha256") != Some(UNSIGNED_PAYLOAD) {
            return Err(BAD_PAYLOAD_HASH.into());
        }
        let field = |name: &str| {
            let pairs = fields.split(',').filter_map(|field| field.trim().split_once('='));
            pairs.filter(|(given, _)| *given == name).map(|(_, value)| value).next()
        };
        let credential = field("Credential").ok_or(BAD_AUTHORIZATION)?;
        let signature = field("Signature").ok_or(BAD_AUTHORIZATION)?;
        let date = text(request.headers, "x-oss-date").ok_or(BAD_AUTHORIZATION)?;
        let additional = field("AdditionalHeaders").unwrap_or_default();
        let time = self.check_scope(credential, date)?;
        require_close(time, now)?;
        self.check_token(header_token(request.headers))?;
        self.check_v4_signature(request, date, additional, signature)
    }

    fn check_v4_presigned(
        &self,
        request: &Signable<'_>,
        target: &Target,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let parameter = |name: &'static str| {
            let value = target.query.text(name);
            value.ok_or_else(|| BAD_AUTHORIZATION.because(format!("{name} is missing")))
        };
        if parameter("x-oss-signature-version")? != ALGORITHM {
            return Err(BAD_AUTHORIZATION.because("Invalid x-oss-signature-version."));
        }
        let (credential, date) = (parameter("x-oss-credential")?, parameter("x-oss-date")?);
        let signature = parameter("x-oss-signature")?;
        let seconds = parameter("x-oss-expires")?.parse().ok();
        let seconds = seconds.filter(|seconds| (1..=PRESIGNED_SECONDS_MAX).contains(seconds));
        let seconds = seconds.ok_or_else(|| BAD_AUTHORIZATION.because("Invalid x-oss-expires."))?;
        let additional = target.query.text("x-oss-additional-headers").unwrap_or_default();
        let time = self.check_scope(credential, date)?;
        if time > now.plus(SKEW_MAX) {
            return Err(skewed(time, now));
        }
        require_unexpired(time.plus(Duration::from_secs(seconds)), now)?;
        self.check_token(target.query.text("x-oss-security-token"))?;
        self.check_v4_signature(request, date, additional, signature)
    }

    /// Checks access key, date, region and product of a credential; returns the time of `date`.
    fn check_scope(&self, credential: &str, date: &str) -> Result<Timestamp, Refusal> {
        let (access_key, scope) = credential.split_once('/').ok_or(BAD_AUTHORIZATION)?;
        self.check_access_key(access_key)?;
        let time = from_signing_date(date)
            .ok_or_else(|| BAD_AUTHORIZATION.because("Invalid x-oss-date."))?;
        let expected = Scope { date: &date[..8], region: &self.region }.to_string();
        if scope == expected {
            Ok(time)
        } else {
            Err(BAD_AUTHORIZATION
                .because("Invalid date, region or product in the credential.")
                .with("ExpectedScope", expected))
        }
    }

    fn check_v4_signature(
        &self,
        request: &Signable<'_>,
        date: &str,
        additional: &str,
        signature: &str,
    ) -> Result<(), Refusal> {
        let wanted: Vec<&str> = additional.split(';').filter(|name| !name.is_empty()).collect();
        let additional = additional_headers(&wanted, request.headers);
        let canonical = canonical_request(request, &additional);
        let scope = Scope { date: &date[..8], region: &self.region };
        let to_sign = string_to_sign(date, &scope, &canonical);
        let expected = sign::signature(&self.keys.get(&self.secret_key, &scope), &to_sign);
        if expected == signature {
            return Ok(());
        }
        Err(SIGNATURE_V4
            .with("OSSAccessKeyId", self.access_key.as_str())
            .with("SignatureProvided", signature)
            .with("StringToSign", to_sign)
            .with("CanonicalRequest", String::from_utf8_lossy(&canonical)))
    }

    fn check_v1(
        &self,
        request: &Signable<'_>,
        access_key: &str,
        signature: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_access_key(access_key)?;
        let date = text(request.headers, "x-oss-date").or_else(|| text(request.headers, "date"));
        let time = date
            .and_then(from_http_date)
            .ok_or_else(|| ACCESS_DENIED.because("OSS authentication requires a valid Date."))?;
        require_close(time, now)?;
        self.check_token(header_token(request.headers))?;
        self.check_v1_signature(&sign_v1::string_to_sign(request), signature)
    }

    fn check_v1_presigned(
        &self,
        request: &Signable<'_>,
        [access_key, expires, signature]: [&str; 3],
        target: &Target,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_access_key(access_key)?;
        let seconds: i64 = expires
            .parse()
            .map_err(|_| ACCESS_DENIED.because("Invalid date (should be seconds since epoch)"))?;
        require_unexpired(Timestamp(seconds.saturating_mul(1_000)), now)?;
        self.check_token(target.query.text("security-token"))?;
        let to_sign = sign_v1::presigned_string_to_sign(request, expires);
        self.check_v1_signature(&to_sign, signature)
    }

    fn check_v1_signature(&self, to_sign: &[u8], signature: &str) -> Result<(), Refusal> {
        if sign_v1::signature(&self.secret_key, to_sign) == signature {
            return Ok(());
        }
        Err(SIGNATURE_V1
            .with("OSSAccessKeyId", self.access_key.as_str())
            .with("SignatureProvided", signature)
            .with("StringToSign", String::from_utf8_lossy(to_sign)))
    }

    fn check_access_key(&self, access_key: &str) -> Result<(), Refusal> {
        if access_key == self.access_key {
            Ok(())
        } else {
            Err(INVALID_ACCESS_KEY_ID.with("OSSAccessKeyId", access_key))
        }
    }

    fn check_token(&self, given: Option<&str>) -> Result<(), Refusal> {
        match &self.security_token {
            Some(token) if given != Some(token) => Err(INVALID_TOKEN.into()),
            _ => Ok(()),
        }
    }
}

/// The V2 Python SDK calls the V1 signature's token `security-token`.
fn header_token(headers: &HeaderMap) -> Option<&str> {
    text(headers, "x-oss-security-token").or_else(|| text(headers, "security-token"))
}

fn require_close(time: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let off = time.since(now).max(now.since(time));
    if off > SKEW_MAX { Err(skewed(time, now)) } else { Ok(()) }
}

fn skewed(time: Timestamp, now: Timestamp) -> Refusal {
    TIME_TOO_SKEWED
        .with("MaxAllowedSkewMilliseconds", SKEW_MAX.as_millis().to_string())
        .with("RequestTime", list_date(time))
        .with("ServerTime", list_date(now))
}

fn require_unexpired(end: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if now <= end {
        return Ok(());
    }
    Err(EXPIRED.with("Expires", list_date(end)).with("ServerTime", list_date(now)))
}
