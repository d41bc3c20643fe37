//! The vectors of the official SDKs (access key `ak`, secret `sk`).

use super::*;
use http::{HeaderName, HeaderValue};

const HANGZHOU: &str = "cn-hangzhou";
const KEY: &[u8] = b"1234+-/123/1.txt";
const QUERY: [(&[u8], &[u8]); 6] = [
    (b"param1", b"value1"),
    (b"+param1", b"value3"),
    (b"|param1", b"value4"),
    (b"+param2", b""),
    (b"|param2", b""),
    (b"param2", b""),
];

fn headers(extra: &[(&'static str, &'static str)]) -> HeaderMap {
    [("x-oss-head1", "value"), ("abc", "value"), ("zabc", "value"), ("xyz", "value")]
        .iter()
        .chain(extra)
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn put(headers: &HeaderMap) -> Signable<'_> {
    Signable { method: "PUT", bucket: Some("bucket"), key: Some(KEY), query: &QUERY, headers }
}

fn at(seconds: i64) -> String {
    date_time(Timestamp(seconds * 1_000))
}

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key: "ak".to_owned(),
        secret_key: "sk".to_owned(),
        token: token.map(str::to_owned),
    }
}

/// Signs as a client does, and gives the `Authorization` header and its string to sign.
fn sign(seconds: i64, token: Option<&'static str>, wanted: &[&str]) -> (String, String, Vec<u8>) {
    let date_time = at(seconds);
    let mut headers =
        headers(&[("content-type", "text/plain"), ("x-oss-content-sha256", UNSIGNED_PAYLOAD)]);
    headers.insert("x-oss-date", date_time.parse().unwrap());
    if let Some(token) = token {
        headers.insert("x-oss-security-token", HeaderValue::from_static(token));
    }
    let additional = additional_headers(wanted, &headers);
    let canonical = canonical_request(&put(&headers), &additional);
    let scope = Scope { date: &date_time[..8], region: HANGZHOU };
    let text = string_to_sign(&date_time, &scope, &canonical);
    let signature = signature(&signing_key("sk", &scope), &text);
    (authorization("ak", &scope, &additional, &signature), text, canonical)
}

#[test]
fn each_stage_of_a_signed_request_is_as_the_sdks_have_it() {
    let (authorization, text, canonical) = sign(1_702_743_657, None, &[]);
    assert_eq!(
        String::from_utf8(canonical).unwrap(),
        "PUT\n/bucket/1234%2B-/123/1.txt\n%2Bparam1=value3&%2Bparam2&%7Cparam1=value4&%7Cparam2\
         &param1=value1&param2\ncontent-type:text/plain\nx-oss-content-sha256:UNSIGNED-PAYLOAD\n\
         x-oss-date:20231216T162057Z\nx-oss-head1:value\n\n\nUNSIGNED-PAYLOAD"
    );
    assert_eq!(
        text,
        "OSS4-HMAC-SHA256\n20231216T162057Z\n20231216/cn-hangzhou/oss/aliyun_v4_request\n\
         f4613657f1b108998e8dbd10a1aa5da621dc2c6e02c9ddec0f163664848704c4"
    );
    assert_eq!(
        authorization,
        "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,\
         Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"
    );
}

#[test]
fn a_token_is_signed() {
    let (authorization, ..) = sign(1_702_784_856, Some("token"), &[]);
    assert_eq!(
        authorization,
        "OSS4-HMAC-SHA256 Credential=ak/20231217/cn-hangzhou/oss/aliyun_v4_request,\
         Signature=b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"
    );
}

#[test]
fn additional_headers_are_signed_and_named() {
    let wanted = ["zabc", "abc", "x-oss-head1", "not-there"];
    let (authorization, ..) = sign(1_702_747_512, None, &wanted);
    assert_eq!(
        authorization,
        "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,\
         AdditionalHeaders=abc;zabc,\
         Signature=4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"
    );
}

#[test]
fn a_presigned_request_carries_the_same_signature_as_the_sdks() {
    type Case = (i64, u64, Option<&'static str>, &'static [&'static str], &'static str);
    let cases: [Case; 4] = [
        (
            1_702_781_677,
            599,
            None,
            &[],
            "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe",
        ),
        (
            1_702_785_388,
            599,
            Some("token"),
            &[],
            "3817ac9d206cd6dfc90f1c09c00be45005602e55898f26f5ddb06d7892e1f8b5",
        ),
        (
            1_702_783_809,
            599,
            None,
            &["abc", "zabc"],
            "6bd984bfe531afb6db1f7550983a741b103a8c58e5e14f83ea474c2322dfa2b7",
        ),
        (
            1_702_781_677,
            432_000,
            None,
            &[],
            "31029123dc7732d2d2cfd4006ea4fdb6cf86da6478f813e2bf8f87877c7b9fec",
        ),
    ];
    for (seconds, expires, token, additional, expected) in cases {
        let headers = headers(&[("content-type", "application/octet-stream")]);
        let request = put(&headers);
        let credentials = credentials(token);
        let added =
            presigned_pairs(&request, additional, &credentials, HANGZHOU, &at(seconds), expires);
        assert_eq!(added.last().unwrap(), &("x-oss-signature", expected.to_owned()));
        assert!(added.contains(&("x-oss-expires", expires.to_string())));

        // Who receives it verifies with the same stages, the signature still in the query.
        let mut query = QUERY.to_vec();
        query.extend(added.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let canonical = canonical_request(&Signable { query: &query, ..request }, additional);
        let date_time = at(seconds);
        let scope = Scope { date: &date_time[..8], region: HANGZHOU };
        let text = string_to_sign(&date_time, &scope, &canonical);
        assert_eq!(signature(&signing_key("sk", &scope), &text), expected);
    }
}

#[test]
fn a_signing_key_is_derived_step_by_step_and_kept_for_the_day() {
    let hex = |bytes: &[u8]| {
        let mut text = String::new();
        push_hex(&mut text, bytes);
        text
    };
    let date = sha256(b"aliyun_v4sk", b"20231216");
    assert_eq!(hex(&date), "151acc75ab7203acc219c35ef7415d0c604d059c7140665fe78233ec8ae7f9ea");
    let region = sha256(&date, HANGZHOU.as_bytes());
    assert_eq!(hex(&region), "cd7fb718a1d15d167938c1ea34698de973b43added106b102eba0973c9aad028");
    let product = sha256(&region, b"oss");
    assert_eq!(hex(&product), "fde9c360ae5165f5a84690330c8bc545e6bde502ba8ba4972db81e5a2ea80bec");
    let scope = Scope { date: "20231216", region: HANGZHOU };
    let key = "b412a03b134ebddd720f5167b5de6db66620ebb3b01cff4d49e3ccb09f8de97f";
    assert_eq!(hex(&signing_key("sk", &scope)), key);

    let keys = SigningKeys::default();
    for _ in 0..2 {
        assert_eq!(hex(&keys.get("sk", &scope)), key);
    }
    let tomorrow = Scope { date: "20231217", region: HANGZHOU };
    assert_eq!(keys.get("sk", &tomorrow), signing_key("sk", &tomorrow));
    assert_eq!(keys.get("other", &tomorrow), signing_key("other", &tomorrow));
    assert!(!format!("{keys:?}").contains("sk"));
}

#[test]
fn a_bucket_stands_in_the_path_and_a_service_request_has_none() {
    let headers = HeaderMap::new();
    let get = |bucket, key| {
        let request = Signable { method: "GET", bucket, key, query: &[], headers: &headers };
        String::from_utf8(canonical_request(&request, &[])).unwrap()
    };
    assert_eq!(get(None, None), "GET\n/\n\n\n\nUNSIGNED-PAYLOAD");
    assert_eq!(get(Some("b"), None), "GET\n/b/\n\n\n\nUNSIGNED-PAYLOAD");
    assert_eq!(get(Some("b"), Some(b"../a//b/")), "GET\n/b/../a//b/\n\n\n\nUNSIGNED-PAYLOAD");
}
