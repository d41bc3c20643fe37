//! The template: a job as it is, and with its settings taken into use.

use super::super::section::HOMES;
use super::*;

pub(super) fn uncommented(text: &str) -> String {
    let setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = text.lines().map(|line| if setting(line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_template_is_a_job_and_stays_one_uncommented() {
    let job = parsed(Job::template());
    assert_eq!(job.limits, Limits::default());
    assert_eq!(
        job.policy,
        PolicySpec { overwrite: None, provenance: true, tags: false, acl: false }
    );
    let whole = parsed(&uncommented(Job::template()));
    assert_eq!(
        whole.limits,
        Limits {
            bytes_per_second: Some(100_000_000),
            requests_per_second: Some(1_000),
            time_zone: crate::rates::TimeZone::named("Asia/Shanghai"),
            ..Limits::default()
        }
    );
    assert_eq!(whole.policy.overwrite, Some(Overwrite::SourceWins));
    assert_eq!(whole.filter.include.len(), 2);
    assert_eq!(whole.target.storage_class_for(Some("ONEZONE_IA")), Some("IA"));
    assert_eq!(whole.target.storage_class_for(None), Some("Standard"));
}

#[test]
fn any_one_setting_of_the_template_can_be_uncommented_alone() {
    let lines: Vec<&str> = Job::template().lines().collect();
    let mut tried = 0;
    for (index, line) in lines.iter().enumerate() {
        let Some(setting) = line.strip_prefix('#').filter(|rest| rest.contains(" = ")) else {
            continue;
        };
        if setting.starts_with(' ') {
            continue;
        }
        let mut one = lines.clone();
        one[index] = setting;
        let job = Job::parse(&one.join("\n"));
        assert!(job.is_ok(), "{setting}: {}", job.unwrap_err());
        tried += 1;
    }
    assert!(tried > 20, "{tried} settings");
}

#[test]
fn a_key_of_another_section_is_told_where_it_belongs() {
    let lines: Vec<&str> = Job::template().lines().collect();
    let mut section = "";
    let mut tried = 0;
    for line in lines {
        if line.starts_with('[') {
            section = line;
        }
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        let Some(setting) = setting.filter(|rest| rest.contains(" = ")) else { continue };
        if !matches!(section, "[filter]" | "[policy]" | "[limits]") {
            continue;
        }
        let errors = Job::parse(&format!("{setting}\n{S3}")).unwrap_err();
        let said = errors.0[0].to_string();
        assert!(said.contains(&format!("belongs in {section}")), "{said}");
        tried += 1;
    }
    assert_eq!(tried, HOMES.iter().map(|(_, keys)| keys.len()).sum::<usize>());
}
