//! A job whose work is done by functions.

use super::*;

const AWS: &str = r#"
name = "photos"
[source]
kind = "s3"
region = "eu-central-1"
bucket = "photos"
credentials = { from = "aws-default" }
[target]
region = "cn-hangzhou"
bucket = "moved"
credentials = { from = "aws-secret", id = "ossferry/oss" }
[state]
kind = "aws"
stack = "ossferry"
"#;

const OIDC: &str = "{ from = \"alibaba-oidc\", role = \"acs:ram::1:role/r\", \
                    provider = \"acs:ram::1:oidc-provider/p\", audience = \"a\" }";

fn with_source_credentials(credentials: &str) -> String {
    AWS.replacen("{ from = \"aws-default\" }", credentials, 1)
}

fn with_target_credentials(credentials: &str) -> String {
    AWS.replacen("{ from = \"aws-secret\", id = \"ossferry/oss\" }", credentials, 1)
}

#[test]
fn the_state_may_be_a_stack() {
    let job = parsed(AWS);
    assert_eq!(job.state, StateSpec::Aws { stack: "ossferry".to_owned(), region: None });
    let somewhere = parsed(&format!("{AWS}region = \"eu-west-1\"\n"));
    let StateSpec::Aws { region, .. } = &somewhere.state else { panic!() };
    assert_eq!(region.as_deref(), Some("eu-west-1"));
    assert_eq!(Job::from_json(&somewhere.to_json()).unwrap(), somewhere);
    assert_eq!(somewhere.scope_hash(), job.scope_hash());
}

#[test]
fn a_wrong_stack_is_named_with_its_remedy() {
    for (wrong, key, said) in [
        (AWS.replace("stack = \"ossferry\"", ""), "state.stack", "write stack = \"ossferry\""),
        (AWS.replace("\"ossferry\"\n", "\"oss ferry\"\n"), "state.stack", "--stack-name"),
        (format!("{AWS}region = \"eu_west\"\n"), "state.region", "eu-central-1"),
        (format!("{AWS}path = \"x.sqlite\"\n"), "state.path", "it is for kind = \"local\""),
        (
            AWS.replace("\"aws\"\n", "\"local\"\n"),
            "state.stack",
            "it is for kind = \"aws\" or \"aliyun\"",
        ),
        (format!("{AWS}[limits]\ntask_seconds = 300\n"), "limits.task_seconds", "from 1 to 240"),
    ] {
        let errors = Job::parse(&wrong).expect_err(&wrong);
        assert_eq!(errors.0[0].key, key, "{errors}");
        assert!(errors.to_string().contains(said), "{errors}");
    }
}

#[test]
fn what_lies_on_this_machine_is_not_where_a_function_looks() {
    let env = "{ from = \"env\", access_key = \"A\", secret_key = \"B\" }";
    let profile = "{ from = \"aws-profile\", profile = \"work\" }";
    for (wrong, key, said) in [
        (with_source_credentials(env), "source.credentials.from", "\"aws-default\""),
        (with_source_credentials(profile), "source.credentials.from", "aws-secret"),
        (with_target_credentials(env), "target.credentials.from", "\"alibaba-oidc\""),
    ] {
        let errors = Job::parse(&wrong).expect_err(&wrong);
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].key, key, "{errors}");
        assert!(errors.to_string().contains(said), "{errors}");
        parsed(&wrong.replace("kind = \"aws\"\nstack = \"ossferry\"", ""));
    }
    let folder = "kind = \"folder\"\npath = \"/data\"\n[target]";
    let from = AWS.find("kind = \"s3\"").unwrap();
    let until = AWS.find("[target]").unwrap() + "[target]".len();
    let text = format!("{}{folder}{}", &AWS[..from], &AWS[until..]);
    assert_eq!(mistakes(&text), [(4, "source.kind".to_owned())]);
    let absent = AWS.replace("credentials = { from = \"aws-secret\", id = \"ossferry/oss\" }", "");
    let errors = Job::parse(&absent).unwrap_err().to_string();
    assert!(errors.contains("aws-secret"), "{errors}");
}

#[test]
fn a_reference_to_a_secret_has_the_form_of_one() {
    let arn = "arn:aws:secretsmanager:eu-central-1:1:secret:oss-AbC";
    for good in [
        format!("{{ from = \"aws-secret\", id = \"{arn}\" }}"),
        "{ from = \"aws-parameter\", name = \"/ossferry/oss\" }".to_owned(),
        OIDC.to_owned(),
    ] {
        let job = parsed(&with_target_credentials(&good));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
    }
    for (wrong, key, said) in [
        ("{ from = \"aws-secret\" }", "id", "is required"),
        ("{ from = \"aws-secret\", id = \"{\\\"a\\\":1}\" }", "id", "neither a name nor an ARN"),
        (
            "{ from = \"aws-secret\", name = \"/x\" }",
            "name",
            "from = \"aws-parameter\" or \"aliyun-secret\"",
        ),
        ("{ from = \"aws-parameter\", name = \"a b\" }", "name", "neither a name nor an ARN"),
        (&OIDC.replace("role/r", "user/r"), "role", "acs:ram::ACCOUNT:role/NAME"),
        (&OIDC.replace("provider/p", "provider/"), "provider", "is no ARN of this kind"),
        (&OIDC.replace(", audience = \"a\"", ""), "audience", "is required"),
    ] {
        let errors = Job::parse(&with_target_credentials(wrong)).expect_err(wrong);
        let key = format!("target.credentials.{key}");
        assert!(errors.0.iter().any(|error| error.key == key), "{errors}");
        assert!(errors.to_string().contains(said), "{errors}");
    }
    // A role of Alibaba Cloud opens no bucket elsewhere.
    assert_eq!(
        mistakes(&with_source_credentials(OIDC)),
        [(7, "source.credentials.from".to_owned())]
    );
}

const ALIYUN: &str = r#"
name = "photos"
[source]
kind = "cos"
region = "ap-guangzhou"
bucket = "photos-1250000000"
credentials = { from = "aliyun-secret", name = "ossferry/cos" }
[target]
region = "cn-hangzhou"
bucket = "moved"
credentials = { from = "fc" }
[state]
kind = "aliyun"
region = "cn-hangzhou"
stack = "ossferry"
"#;

#[test]
fn the_state_may_be_a_deployment_on_alibaba_cloud() {
    let job = parsed(ALIYUN);
    let (region, stack) = ("cn-hangzhou".to_owned(), "ossferry".to_owned());
    let outputs = DeploymentOutputs::Stack(stack);
    assert_eq!(job.state, StateSpec::Aliyun { region: region.clone(), outputs });
    assert_eq!(job.target.credentials, Credentials::Fc);
    assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
    let by_terraform = parsed(&ALIYUN.replace("stack = \"ossferry\"", "outputs = \"out.json\""));
    let outputs = DeploymentOutputs::File("out.json".to_owned());
    assert_eq!(by_terraform.state, StateSpec::Aliyun { region, outputs });
    assert_eq!(Job::from_json(&by_terraform.to_json()).unwrap(), by_terraform);
    assert_eq!(by_terraform.scope_hash(), job.scope_hash());
}

#[test]
fn a_deployment_on_alibaba_cloud_that_is_not_said_is_asked_for() {
    let secret = "{ from = \"aliyun-secret\", name = \"ossferry/cos\" }";
    let env = "{ from = \"env\", access_key = \"A\", secret_key = \"B\" }";
    for (wrong, key, said) in [
        (ALIYUN.replace("stack = \"ossferry\"", ""), "state.stack", "terraform output -json"),
        (format!("{ALIYUN}outputs = \"out.json\"\n"), "state.outputs", "stands beside stack"),
        (ALIYUN.replace("\"ossferry\"\n", "\"oss ferry\"\n"), "state.stack", "no name of a stack"),
        (
            ALIYUN.replace("\"cn-hangzhou\"\nstack", "\"cn_x\"\nstack"),
            "state.region",
            "cn-hangzhou",
        ),
        (ALIYUN.replace(secret, env), "source.credentials.from", "aliyun-secret"),
        (ALIYUN.replace("\"fc\"", "\"alibaba-oidc\""), "target.credentials.from", "\"fc\""),
        (
            ALIYUN
                .replace("\"aliyun\"\nregion = \"cn-hangzhou\"\nstack = \"ossferry\"", "\"local\""),
            "source.credentials.from",
            "names of environment variables",
        ),
        (
            AWS.replace("\"aws-default\"", "\"aliyun-secret\""),
            "source.credentials.from",
            "aws-secret",
        ),
    ] {
        let errors = Job::parse(&wrong).expect_err(&wrong);
        assert_eq!(errors.0[0].key, key, "{errors}");
        assert!(errors.to_string().contains(said), "{errors}");
    }
}
