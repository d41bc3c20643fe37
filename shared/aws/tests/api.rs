//! The rare calls: what goes out, signed, and what is made of the answers.

#[path = "../../http/tests/scripted/mod.rs"]
mod scripted;

use std::sync::Arc;

use ossferry_aws::api::{AwsApi, SecretCredentials, SecretPlace};
use ossferry_core::error::ErrorKind;
use ossferry_core::time::Timestamp;
use ossferry_http::{
    Credentials, CredentialsProvider as _, FetchCredentials as _, RefreshedCredentials,
    StaticCredentials,
};
use scripted::{Received, Reply, Scripted, answer};
use serde_json::json;

const KEYS: &str = r#"{"access_key":"AK2","secret_key":"canary-secret","token":"canary-token"}"#;

fn api(server: &Scripted) -> AwsApi {
    let credentials = Credentials {
        access_key: "AK".to_owned(),
        secret_key: "canary-own-secret".to_owned(),
        token: Some("canary-session".to_owned()),
    };
    let url = server.url.clone();
    let variable = move |name: &str| (name == "AWS_ENDPOINT_URL").then(|| url.clone());
    let clock = Arc::new(|| Timestamp::from_rfc3339("2026-11-22T10:00:00Z").unwrap());
    let credentials = Arc::new(StaticCredentials::new(credentials));
    AwsApi::new("eu-central-1".to_owned(), credentials, &variable, clock).unwrap()
}

fn ok(body: &str) -> Reply {
    Reply::Answer(answer("200 OK", &[], body.as_bytes()))
}

fn refused(status: &str, body: &str) -> Reply {
    Reply::Answer(answer(status, &[("x-amzn-requestid", "R1")], body.as_bytes()))
}

/// Who signed for which service, and the headers that were signed.
fn scope(request: &Received) -> (String, String) {
    let line = request.header("authorization").unwrap();
    let after = |mark: &str| {
        let rest = line.split_once(mark).unwrap().1;
        rest.split(',').next().unwrap().to_owned()
    };
    (after("Credential="), after("SignedHeaders="))
}

#[tokio::test]
async fn a_stack_gives_its_outputs() {
    let server = Scripted::start([ok(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName>\
         <StackStatus>UPDATE_COMPLETE</StackStatus><Outputs><member><Description>d</Description>\
         <OutputKey>TableName</OutputKey><OutputValue>t</OutputValue></member><member>\
         <OutputKey>Q</OutputKey><OutputValue>https://q?a=1&amp;b</OutputValue></member></Outputs>\
         </member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
    )])
    .await;
    let stack = api(&server).describe_stack("my-stack").await.unwrap();
    assert_eq!(stack.status, "UPDATE_COMPLETE");
    let outputs: Vec<(&str, &str)> =
        stack.outputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(outputs, [("Q", "https://q?a=1&b"), ("TableName", "t")]);
    let request = &server.received()[0];
    assert_eq!(request.line(), "POST / HTTP/1.1");
    let body = String::from_utf8_lossy(&request.body);
    assert_eq!(body, "Action=DescribeStacks&Version=2010-05-15&StackName=my-stack");
    let (credential, signed) = scope(request);
    assert_eq!(credential, "AK/20261122/eu-central-1/cloudformation/aws4_request");
    assert_eq!(signed, "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token");
}

#[tokio::test]
async fn a_function_answers_or_says_how_it_failed() {
    let failure = br#"{"errorType":"PlanError","errorMessage":"no such job"}"#;
    let failed = [("x-amz-function-error", "Unhandled")];
    let server = Scripted::start([
        ok(r#"{"pass":"p"}"#),
        Reply::Answer(answer("200 OK", &failed, failure)),
        refused("429 Too Many", r#"{"Reason":"ConcurrentInvocationLimitExceeded"}"#),
        ok("null"),
    ])
    .await;
    let api = api(&server);
    let asked = json!({ "job": "j" });
    assert_eq!(api.invoke("planner", &asked).await.unwrap().unwrap(), json!({ "pass": "p" }));
    let error = api.invoke("planner", &asked).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "PlanError: no such job");
    assert!(api.invoke("planner", &asked).await.unwrap().unwrap().is_null(), "tried again");
    let request = &server.received()[0];
    assert_eq!(request.line(), "POST /2015-03-31/functions/planner/invocations HTTP/1.1");
    assert_eq!(request.header("x-amz-invocation-type"), Some("RequestResponse"));
    assert_eq!(request.body, br#"{"job":"j"}"#);
}

#[tokio::test]
async fn keys_come_from_a_secret_or_a_parameter_and_stand_in_no_error() {
    let quoted = serde_json::to_string(KEYS).unwrap();
    let secret = ok(&format!(r#"{{"Name":"n","SecretString":{quoted}}}"#));
    let parameter = ok(&format!(r#"{{"Parameter":{{"Name":"n","Value":{quoted}}}}}"#));
    let broken = ok(r#"{"SecretString":"AK2:canary-secret"}"#);
    let missing = refused(
        "400 Bad Request",
        r#"{"__type":"ResourceNotFoundException","Message":"can't find the secret"}"#,
    );
    let server = Scripted::start([secret, parameter, broken, missing]).await;
    let api = Arc::new(api(&server));
    let of = |place| SecretCredentials::new(Arc::clone(&api), place);
    let place = SecretPlace::Secret("oss".to_owned());
    let kept = RefreshedCredentials::new(of(place.clone()), Arc::new(|| Timestamp(0)));
    let found = kept.credentials().await.unwrap();
    assert_eq!((found.access_key.as_str(), found.secret_key.as_str()), ("AK2", "canary-secret"));
    kept.credentials().await.unwrap();
    let parameter = of(SecretPlace::Parameter("/oss".to_owned())).fetch().await.unwrap();
    assert_eq!(parameter.credentials.token.as_deref(), Some("canary-token"));
    let shown = format!("{found:?} {parameter:?}");
    assert!(shown.contains("AK2") && !shown.contains("canary"), "{shown}");

    let text = of(place.clone()).fetch().await.unwrap_err().to_string();
    assert!(text.contains("secret oss") && text.contains("access_key"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    let error = of(place).fetch().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSuchKey);
    assert!(error.to_string().ends_with("can't find the secret (request id R1)"), "{error}");

    let received = server.received();
    assert_eq!(received.len(), 4, "what is kept is not fetched again");
    assert_eq!(received[0].header("x-amz-target"), Some("secretsmanager.GetSecretValue"));
    assert_eq!(received[0].body, br#"{"SecretId":"oss"}"#);
    assert!(scope(&received[0]).0.contains("/secretsmanager/"));
    assert_eq!(received[1].header("x-amz-target"), Some("AmazonSSM.GetParameter"));
    assert_eq!(received[1].body, br#"{"Name":"/oss","WithDecryption":true}"#);
    assert!(scope(&received[1]).0.contains("/ssm/"));
    for request in &received {
        let sent = format!("{}{}", request.head, String::from_utf8_lossy(&request.body));
        assert!(!sent.contains("canary-own-secret"), "{sent}");
    }
}

#[tokio::test]
async fn aws_vouches_for_our_role_by_a_token() {
    let server = Scripted::start([
        ok("<GetWebIdentityTokenResponse><GetWebIdentityTokenResult>\
            <WebIdentityToken>canary.jwt</WebIdentityToken><Expiration>2026-11-22T10:05:00Z\
            </Expiration></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"),
        refused(
            "400 Bad Request",
            "<ErrorResponse><Error><Code>OutboundWebIdentityFederationDisabled</Code>\
             <Message>enable it first</Message></Error></ErrorResponse>",
        ),
    ])
    .await;
    let api = api(&server);
    let token = api.web_identity_token("ossferry").await.unwrap();
    assert_eq!(token.reveal(), "canary.jwt");
    assert!(!format!("{token:?}").contains("canary"));
    let body = String::from_utf8_lossy(&server.received()[0].body).into_owned();
    assert_eq!(
        body,
        "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=ossferry&\
         SigningAlgorithm=RS256&DurationSeconds=300"
    );
    let text = api.web_identity_token("ossferry").await.unwrap_err().to_string();
    assert!(text.contains("OutboundWebIdentityFederationDisabled") && text.contains("enable it"));
}
