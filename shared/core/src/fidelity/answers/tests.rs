//! Every kind of source has an answer for every property.

use super::*;
use crate::job::StoreKind;

const BUCKET: &str = r#"
region = "r"
endpoint = "https://store.example"
bucket = "photos-1250000000"
credentials = { from = "env", access_key = "A", secret_key = "B" }
"#;

/// A job of each kind of source, by how the job file spells it.
fn jobs(more: &str) -> Vec<Job> {
    let bucket = |kind: StoreKind| format!("kind = \"{}\"{BUCKET}", kind.as_str());
    let mut sources: Vec<String> = StoreKind::ALL.into_iter().map(bucket).collect();
    sources.push("kind = \"folder\"\npath = \"/data\"\n".to_owned());
    sources.push("kind = \"http\"\nlist = \"urls.txt\"\nformat = \"urls\"\n".to_owned());
    let azure = "kind = \"azure\"\naccount = \"photos1\"\ncontainer = \"raw\"\n\
                 credentials = { from = \"azure-key\", key = \"A\" }\n";
    sources.push(azure.to_owned());
    let gcs = "kind = \"gcs-json\"\nbucket = \"raw\"\n\
               credentials = { from = \"gcs-key\", key = \"A\" }\n";
    sources.push(gcs.to_owned());
    let job = |source: &String| {
        let text = format!(
            "name = \"nightly\"\n[source]\n{source}[target]\nregion = \"cn-hangzhou\"\n\
             bucket = \"moved\"\ncredentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n\
             {more}"
        );
        Job::parse(&text)
    };
    sources.iter().filter_map(|source| job(source).ok()).collect()
}

fn fates(job: &Job) -> String {
    let letter = |answer: &Answer| match answer.fate {
        Fate::Kept => 'k',
        Fate::Mapped => 'm',
        Fate::Dropped => 'd',
        Fate::Absent => '-',
    };
    answers(job).iter().map(letter).collect()
}

#[test]
fn every_kind_of_source_has_an_answer_for_every_property() {
    let table: Vec<(&str, String)> =
        jobs("").iter().map(|job| (job.source.kind(), fates(job))).collect();
    // Headers, metadata, tags, ACL, class, encryption, date, versions, redirect, lock.
    let expected = [
        ("s3", "kmdddddddd"),
        ("cos", "kmdddddddd"),
        ("s3-compatible", "kmdddddddd"),
        ("oss", "kmdddddd-d"),
        ("gcs", "km-ddddddd"),
        ("kodo", "kmdddddddd"),
        ("bos", "kmdddddddd"),
        ("ks3", "kmdddddddd"),
        ("obs", "kmdddddddd"),
        ("upyun", "kmdddddd-d"),
        ("folder", "m-----d---"),
        ("http", "k-----d---"),
        ("azure", "kmd-dddd-d"),
        ("gcs-json", "km-ddddd-d"),
    ];
    assert_eq!(table, expected.map(|(kind, fates)| (kind, fates.to_owned())));
    for job in jobs("") {
        for answer in answers(&job) {
            assert!(!answer.note.is_empty(), "{answer:?}");
            let is_counted = answer.is_counted && answer.fate == Fate::Absent;
            assert!(!is_counted, "what there is not is not counted: {answer:?}");
        }
    }
}

#[test]
fn what_a_job_asks_for_changes_the_answers() {
    let of = |more: &str, kind: &str| {
        let jobs = jobs(more);
        jobs.iter().find(|job| job.source.kind() == kind).map(fates)
    };
    let copied = "[policy]\ntags = \"copy\"\n";
    assert_eq!(of(copied, "azure").unwrap(), "kmk-dddd-d");
    let copied = "[policy]\ntags = \"copy\"\nacl = \"copy\"\n";
    assert_eq!(of(copied, "s3").unwrap(), "kmkkdddddd");
    let read_only =
        ["folder", "http", "azure", "gcs-json", "gcs", "kodo", "bos", "ks3", "obs", "upyun"];
    for kind in read_only {
        assert_eq!(of(copied, kind), None, "{kind}: refused");
    }
    let kept = "keep_last_modified = true\nencryption = \"KMS\"\nstorage_class = \"IA\"\n";
    assert_eq!(of(kept, "cos").unwrap(), "kmddmmmddd");
}
