//! A role taken with a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ossferry_aliyun::sts::{OidcCredentials, OidcRole, OidcTokens};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::time::Timestamp;
use ossferry_http::{CredentialsProvider, Endpoint, RefreshedCredentials};

use crate::scripted::{Reply, Scripted, answer};
use crate::{NOW, ok};

#[derive(Default)]
struct Numbered(AtomicUsize);

#[async_trait::async_trait]
impl OidcTokens for Numbered {
    async fn token(&self) -> Result<String, PortError> {
        Ok(format!("canary-token.{}", self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

fn provider(server: &Scripted) -> RefreshedCredentials<OidcCredentials> {
    let role = OidcRole {
        role: "acs:ram::1:role/ossferry".to_owned(),
        provider: "acs:ram::1:oidc-provider/aws".to_owned(),
    };
    let endpoint = Endpoint::parse(&server.url).unwrap();
    let fetcher =
        OidcCredentials::new(role, Arc::new(Numbered::default()), endpoint, Arc::new(|| NOW));
    RefreshedCredentials::new(fetcher, Arc::new(|| NOW))
}

fn keys(number: u32, ends_at: Timestamp) -> Reply {
    ok(
        &[],
        &format!(
            "<AssumeRoleWithOIDCResponse><RequestId>r</RequestId><Credentials>\
             <AccessKeyId>STS.{number}</AccessKeyId><AccessKeySecret>canary-secret</AccessKeySecret>\
             <SecurityToken>canary-sts</SecurityToken><Expiration>{ends_at}</Expiration>\
             </Credentials></AssumeRoleWithOIDCResponse>"
        ),
    )
}

#[tokio::test]
async fn a_token_is_exchanged_for_keys_without_a_signature_and_they_are_kept() {
    let hour = std::time::Duration::from_hours(1);
    let server = Scripted::start([keys(1, NOW.plus(hour)), keys(2, NOW.plus(hour))]).await;
    let provider = provider(&server);
    let first = provider.credentials().await.unwrap();
    assert_eq!(first.access_key, "STS.1");
    assert_eq!(first.token.as_deref(), Some("canary-sts"));
    provider.credentials().await.unwrap();
    provider.expired(&first);
    assert_eq!(provider.credentials().await.unwrap().access_key, "STS.2");
    let received = server.received();
    assert_eq!(received.len(), 2);
    let request = &received[0];
    assert_eq!(
        request.line(),
        "POST /?Action=AssumeRoleWithOIDC&Format=XML&Timestamp=2026-09-21T14%3A13%3A20Z&\
         Version=2015-04-01 HTTP/1.1"
    );
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        "OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc-provider%2Faws&OIDCToken=canary-token.0&\
         RoleArn=acs%3Aram%3A%3A1%3Arole%2Fossferry&RoleSessionName=ossferry"
    );
    assert_eq!(request.header("authorization"), None);
    assert!(received[1].body.windows(14).any(|part| part == b"canary-token.1"));
}

#[tokio::test]
async fn a_refusal_says_what_to_look_at_and_repeats_no_secret() {
    let body = "<Error><Code>AuthenticationFail.OIDCToken.Invalid</Code><RequestId>r</RequestId>\
                <Message>canary-token.0 is bad</Message></Error>";
    let throttled = "<Error><Code>Throttling.User</Code></Error>";
    let server = Scripted::start([
        Reply::Answer(answer("400 Bad Request", &[], throttled.as_bytes())),
        Reply::Answer(answer("400 Bad Request", &[], body.as_bytes())),
        ok(
            &[],
            "<AssumeRoleWithOIDCResponse><Credentials><AccessKeyId>canary</AccessKeyId>\
                 </Credentials></AssumeRoleWithOIDCResponse>",
        ),
    ])
    .await;
    let provider = provider(&server);
    let error = provider.credentials().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccountRefused);
    let text = error.to_string();
    assert!(text.contains("OIDCToken.Invalid") && text.contains("trust policy"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(server.received().len(), 2, "throttling is outlasted, a refusal is not repeated");
}
