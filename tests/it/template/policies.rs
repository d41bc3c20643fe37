//! What each role may do: exactly what is listed here.

use serde_json::{Value, json};

use super::{TEMPLATE, of_type};

/// `policy/statement: actions on resources`, a condition behind it where there is one.
const GRANTED: [&str; 20] = [
    "CopierRole/Log: logs:CreateLogStream logs:PutLogEvents on CopierLogs",
    "CopierRole/Receive: sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes \
     sqs:ReceiveMessage on CopierQueue",
    "OperatorPolicy/Ledger: dynamodb:GetItem dynamodb:PutItem dynamodb:Query on Table",
    "OperatorPolicy/Outputs: cloudformation:DescribeStacks on this stack",
    "OperatorPolicy/Redrive: sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes \
     sqs:ReceiveMessage on PlannerDeadLetterQueue CopierDeadLetterQueue",
    "OperatorPolicy/Send: sqs:GetQueueAttributes sqs:SendMessage on PlannerQueue CopierQueue",
    "OperatorPolicy/Trigger: lambda:InvokeFunction on PlannerFunction",
    "PlannerRole/FailedTriggers: sqs:SendMessage on TriggerDeadLetterQueue",
    "PlannerRole/Log: logs:CreateLogStream logs:PutLogEvents on PlannerLogs",
    "PlannerRole/Receive: sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes \
     sqs:ReceiveMessage on PlannerQueue",
    "SchedulerRole/FailedTriggers: sqs:SendMessage on TriggerDeadLetterQueue",
    "SchedulerRole/Trigger: lambda:InvokeFunction on PlannerFunction",
    "WorkPolicy/Decrypt: kms:Decrypt on KeyArns if StringLike",
    "WorkPolicy/IdentityToken: sts:GetWebIdentityToken on * if ForAllValues:StringEquals Null \
     NumericLessThanEquals",
    "WorkPolicy/Ledger: dynamodb:GetItem dynamodb:PutItem dynamodb:Query on Table",
    "WorkPolicy/ListSource: s3:ListBucket on SourceBucketArns",
    "WorkPolicy/Parameters: ssm:GetParameter on ParameterArns",
    "WorkPolicy/ReadSource: s3:GetObject s3:GetObjectTagging on objects of SourceBucketArns",
    "WorkPolicy/Secrets: secretsmanager:GetSecretValue on SecretArns",
    "WorkPolicy/Send: sqs:SendMessage on PlannerQueue CopierQueue",
];

/// Every statement with its policy. An optional one counts.
fn statements() -> Vec<(String, &'static Value)> {
    let mut all = Vec::new();
    let mut take = |owner: &str, document: &'static Value| {
        for statement in document["Statement"].as_array().expect("a policy has statements") {
            let optional = &statement["Fn::If"];
            if optional.is_array() {
                assert_eq!(optional[2], json!({"Ref": "AWS::NoValue"}), "{owner}");
                all.push((owner.to_owned(), &optional[1]));
            } else {
                all.push((owner.to_owned(), statement));
            }
        }
    };
    for (name, policy) in of_type("AWS::IAM::ManagedPolicy") {
        take(name, &policy["Properties"]["PolicyDocument"]);
    }
    for (name, role) in of_type("AWS::IAM::Role") {
        for policy in role["Properties"]["Policies"].as_array().into_iter().flatten() {
            take(name, &policy["PolicyDocument"]);
        }
    }
    all
}

fn list(value: &'static Value) -> Vec<&'static Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

fn actions(statement: &'static Value) -> Vec<&'static str> {
    list(&statement["Action"]).into_iter().map(|action| action.as_str().unwrap()).collect()
}

fn resource(value: &'static Value) -> String {
    let objects_of = |value: &Value| {
        value["Fn::Split"][1]["Fn::Join"][1][0]["Fn::Join"][1]["Ref"]
            .as_str()
            .map(|name| format!("objects of {name}"))
    };
    let this_stack = |value: &Value| {
        let arn = value["Fn::Sub"].as_str()?;
        arn.ends_with(":stack/${AWS::StackName}/*").then(|| "this stack".to_owned())
    };
    let text = value.as_str().or_else(|| value["Ref"].as_str());
    let text = text.or_else(|| value["Fn::GetAtt"][0].as_str()).map(str::to_owned);
    text.or_else(|| objects_of(value))
        .or_else(|| this_stack(value))
        .unwrap_or_else(|| value.to_string())
}

#[test]
fn no_statement_grants_more_than_is_listed_here() {
    let mut granted: Vec<String> = statements()
        .into_iter()
        .map(|(owner, statement)| {
            assert_eq!(statement["Effect"], "Allow", "{owner}");
            let resources: Vec<String> =
                list(&statement["Resource"]).into_iter().map(resource).collect();
            let sid = statement["Sid"].as_str().unwrap_or("?");
            let mut line = format!(
                "{owner}/{sid}: {} on {}",
                actions(statement).join(" "),
                resources.join(" ")
            );
            if let Some(conditions) = statement["Condition"].as_object() {
                let names: Vec<&str> = conditions.keys().map(String::as_str).collect();
                line = format!("{line} if {}", names.join(" "));
            }
            line
        })
        .collect();
    granted.sort();
    assert_eq!(granted, GRANTED);
}

#[test]
fn nothing_deletes_and_nothing_writes_to_a_source() {
    for (owner, statement) in statements() {
        for action in actions(statement) {
            assert!(!action.contains('*'), "{owner}: {action}");
            let (service, call) = action.split_once(':').unwrap();
            let is_read = call.starts_with("Get") || call.starts_with("List");
            assert!(service != "s3" || is_read, "{owner}: {action}");
            let destroys = ["Delete", "Lifecycle", "Purge", "Untag", "Schedule", "PassRole"];
            let destroys = destroys.iter().any(|word| call.contains(word));
            // A message that was dealt with.
            assert!(!destroys || action == "sqs:DeleteMessage", "{owner}: {action}");
        }
    }
}

#[test]
fn a_role_has_no_other_policies_and_is_taken_only_by_its_service() {
    for (name, role) in of_type("AWS::IAM::Role") {
        let role = &role["Properties"];
        for policy in role["ManagedPolicyArns"].as_array().into_iter().flatten() {
            assert_eq!(*policy, json!({"Ref": "WorkPolicy"}), "{name}");
        }
        let trust = role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap();
        assert_eq!(trust.len(), 1, "{name}");
        let by_scheduler = json!({"Service": "scheduler.amazonaws.com"});
        let condition = &trust[0]["Condition"]["StringEquals"];
        if trust[0]["Principal"] == by_scheduler {
            assert_eq!(condition["aws:SourceArn"]["Fn::GetAtt"][0], "ScheduleGroup", "{name}");
        } else {
            assert_eq!(trust[0]["Principal"], json!({"Service": "lambda.amazonaws.com"}), "{name}");
        }
    }
    let resources = TEMPLATE["Resources"].as_object().unwrap();
    let policies = resources.values().filter(|resource| {
        let kind = resource["Type"].as_str().unwrap();
        kind.contains("Permission") || kind.ends_with("Policy")
    });
    assert_eq!(policies.count(), 2, "WorkPolicy and OperatorPolicy");
}
