//! Alarms, logs and the dashboard.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{TEMPLATE, named, of_type, property, quoted};

/// What the functions count themselves, beside what AWS counts.
const OWN: &str = "ossferry";

#[test]
fn every_alarm_tells_somebody_and_is_quiet_where_nothing_happens() {
    for (name, alarm) in of_type("AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        let told =
            json!([{"Fn::If": ["MakesTopic", {"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]}]);
        assert_eq!(alarm["AlarmActions"], told, "{name}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
}

#[test]
fn what_must_not_go_unseen_for_a_month_has_an_alarm() {
    let alarms = of_type("AWS::CloudWatch::Alarm").into_iter();
    let watched: BTreeSet<String> = alarms
        .map(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            let of = named(&alarm["Dimensions"][0]["Value"]);
            format!("{} of {of}", alarm["MetricName"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "ApproximateAgeOfOldestMessage of CopierQueue",
        "ApproximateAgeOfOldestMessage of PlannerQueue",
        "ApproximateNumberOfMessagesVisible of CopierDeadLetterQueue",
        "ApproximateNumberOfMessagesVisible of PlannerDeadLetterQueue",
        "ApproximateNumberOfMessagesVisible of TriggerDeadLetterQueue",
        "Errors of CopierFunction",
        "Errors of PlannerFunction",
        "Panics of CopierFunction",
        "Panics of PlannerFunction",
        "Refusals of CopierFunction",
        "Refusals of PlannerFunction",
        "StandsStill of PlannerFunction",
        "Throttles of CopierFunction",
        "Throttles of PlannerFunction",
        "WriteThrottleEvents of Table",
    ];
    assert_eq!(watched, expected.map(str::to_owned).into());
}

#[test]
fn what_is_watched_of_the_functions_own_numbers_is_what_they_count() {
    let counted = quoted(&["shared/host/src"], "");
    assert!(counted.contains_key(OWN), "no function names the namespace");
    let mut watched = BTreeSet::new();
    for (_, alarm) in of_type("AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        if alarm["Namespace"] == OWN {
            assert_eq!(alarm["Dimensions"][0]["Name"], "Function");
            watched.insert(alarm["MetricName"].as_str().unwrap().to_owned());
        }
    }
    for metric in dashboard_metrics() {
        // A dot repeats what stands above it.
        if metric[0] == OWN {
            watched.insert(metric[1].as_str().unwrap().to_owned());
        }
    }
    assert!(watched.len() > 5, "{watched:?}");
    for metric in watched {
        assert!(counted.contains_key(&metric), "no function counts {metric}");
    }
}

/// The metrics of each widget, with what dots repeat filled in.
fn dashboard_metrics() -> Vec<Vec<Value>> {
    let [(_, dashboard)] = of_type("AWS::CloudWatch::Dashboard")[..] else { panic!("one") };
    let body = dashboard["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).expect("the dashboard is JSON");
    let mut all = Vec::new();
    for widget in body["widgets"].as_array().unwrap() {
        let mut above: Vec<Value> = Vec::new();
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let mut metric = metric.as_array().unwrap().clone();
            metric.retain(Value::is_string);
            if metric.is_empty() {
                continue;
            }
            if metric[0] == "..." {
                let kept = above.len() - (metric.len() - 1);
                metric.splice(..1, above[..kept].iter().cloned());
            }
            for (at, part) in metric.iter_mut().enumerate() {
                if part == "." {
                    *part = above[at].clone();
                }
            }
            above.clone_from(&metric);
            all.push(metric);
        }
    }
    all
}

#[test]
fn the_dashboard_shows_resources_that_are_there() {
    let resources = TEMPLATE["Resources"].as_object().unwrap();
    for metric in dashboard_metrics() {
        let of = metric.last().and_then(Value::as_str).unwrap();
        let name = of.trim_start_matches("${").split(['.', '}']).next().unwrap();
        assert!(resources.contains_key(name), "{metric:?}");
    }
}

#[test]
fn a_function_logs_to_a_group_that_forgets() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        let logging = &function["Properties"]["LoggingConfig"];
        let group = named(&logging["LogGroup"]);
        assert_eq!(*property(group, "RetentionInDays"), json!({"Ref": "LogRetentionDays"}));
        // Another level drops the functions' own numbers, which have none.
        assert_eq!(
            (&logging["LogFormat"], &logging["ApplicationLogLevel"]),
            (&json!("JSON"), &json!("TRACE")),
            "{name}"
        );
    }
}
