//! What is made of ossimport's files: samples of every kind of source, and every habit.

mod sources;

use std::path::PathBuf;

use ossferry_core::job::{Job, Overwrite, SourceSpec};
use proptest::prelude::*;

use super::cfg::Became;
use super::{Fate, Imported, import, write};
use crate::cli::ImportCfgArguments;
use crate::command_error::CommandError;

/// As ossimport lists them.
const SOURCE_TYPES: [&str; 10] =
    ["local", "oss", "qiniu", "bos", "ks3", "s3", "youpai", "http", "cos", "azure"];

/// A job that is complete.
const WHOLE: &str = "jobName=nightly\nsrcType=oss\nsrcAccessKey=source-id\nsrcSecretKey=source-secret\n\
                     srcDomain=oss-cn-beijing.aliyuncs.com\nsrcBucket=from\ndestAccessKey=target-id\n\
                     destSecretKey=target-secret\ndestDomain=oss-cn-hangzhou.aliyuncs.com\ndestBucket=to\n";

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(sample_path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn sample_path(name: &str) -> PathBuf {
    let folder = "../../tests/testdata/ossimport";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(name)
}

fn of(text: &str) -> Imported {
    import(&[("job.cfg".to_owned(), text.as_bytes().to_vec())])
}

/// With these lines behind those of a complete job.
fn with(lines: &str) -> Imported {
    of(&format!("{WHOLE}{lines}"))
}

fn job(imported: &Imported) -> Job {
    let text = imported.text.as_ref().unwrap_or_else(|| panic!("{:#?}", imported.keys));
    Job::parse(text).unwrap()
}

/// What counts of a key: its last line.
fn fate<'a>(imported: &'a Imported, key: &str) -> &'a Fate {
    imported.keys.iter().rfind(|fate| fate.key == key).unwrap()
}

fn assert_refused(imported: &Imported, key: &str, why: &str) {
    assert_eq!(imported.text, None);
    let refused = |fate: &&Fate| fate.key == key && fate.became == Became::Refused;
    let fate = imported.keys.iter().find(refused).unwrap_or_else(|| panic!("{imported:#?}"));
    assert!(fate.note.contains(why), "{fate:?}");
}

#[test]
fn each_of_the_ten_kinds_of_source_becomes_what_is_stored() {
    for name in SOURCE_TYPES {
        let files = [format!("{name}.cfg"), "sys.properties".to_owned()];
        let files = files.map(|file| (file.clone(), sample(&file)));
        let imported = import(&files);
        let said = imported.for_people("job.toml");
        let found = match &imported.text {
            Some(text) => format!("{text}\n# {}\n", said.replace('\n', "\n# ")),
            None => format!("# {}\n", said.replace('\n', "\n# ")),
        };
        let stored =
            std::fs::read_to_string(sample_path(&format!("{name}.toml"))).unwrap_or_default();
        assert_eq!(found, stored, "{name}: this version makes:\n{found}");
        if imported.text.is_some() {
            assert_parses(&imported, &stored);
        }
        let unsaid = imported.keys.iter().filter(|fate| fate.became == Became::Unknown).count();
        assert_eq!(unsaid, 0, "{name}: every key of ossimport is known");
    }
}

/// It is a job file, or is refused for nothing but the line that has to be written, and is one with it.
fn assert_parses(imported: &Imported, text: &str) {
    let Some(blank) = imported.blank else {
        Job::parse(text).unwrap();
        return;
    };
    let errors = Job::parse(text).unwrap_err().0;
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, [blank.key], "{text}");
    Job::parse(&blank.filled_in(text)).unwrap();
}

#[test]
fn a_secret_appears_nowhere() {
    let secrets = ["S3CRETsource", "S3CRETtarget", "S3CRETworker", "S3CRETalone", "S3CRETid"];
    let imported =
        of("S3CRETalone\nS3CRETsource=1\njobName=nightly\nsrcType=oss\nsrcAccessKey=S3CRETid\n\
         srcSecretKey=S3CRETsource\nsrcSecretkey=S3CRETsource\nsrcSecretKey=S3CRETsource\n\
         srcDomain=oss-cn-beijing.aliyuncs.com\nsrcBucket=from\ndestAccessKey=S3CRETid\n\
         destSecretKey=S3CRETtarget\ndestDomain=oss-cn-hangzhou.aliyuncs.com\ndestBucket=to\n\
         workerPassword=S3CRETworker\n");
    let everything = format!(
        "{}{}{}",
        imported.text.as_ref().unwrap(),
        imported.for_people("job.toml"),
        serde_json::to_string(&imported).unwrap()
    );
    for secret in secrets {
        assert!(!everything.contains(secret), "{secret}: {everything}");
    }
    let variables: Vec<_> = imported.variables.iter().map(|variable| variable.name).collect();
    let want =
        ["SOURCE_ACCESS_KEY", "SOURCE_SECRET_KEY", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"];
    assert_eq!(variables, want);
    assert_eq!(imported.variables[1].from, "job.cfg:8", "the line that counts");
}

#[test]
fn a_secret_in_another_place_is_not_carried_into_the_job_file() {
    let imported = with("srcPrefix=target-secret/\n");
    assert_refused(&imported, "destSecretKey", "stands elsewhere");
    assert!(!imported.for_people("job.toml").contains("target-secret"));
}

#[test]
fn unknown_keys_and_duplicates_are_named_with_their_line() {
    let imported = with("srctype=oss\nnoSuchKey=1\nsrcBucket=other\nworkerTaskThreadNum=1\n");
    let lines = |became| {
        let of = imported.keys.iter().filter(move |fate| fate.became == became);
        of.map(|fate| (fate.line.unwrap(), fate.key.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(lines(Became::Unknown), [(11, "srctype"), (12, "noSuchKey")]);
    assert_eq!(lines(Became::Duplicate), [(6, "srcBucket")]);
    assert!(fate(&imported, "srctype").note.contains("srcType"));
    let SourceSpec::Bucket(bucket) = job(&imported).source else { panic!("a bucket") };
    assert_eq!(bucket.bucket, "other", "the last one counts, as in Java");
}

#[test]
fn a_key_of_both_files_counts_where_the_job_has_it() {
    let job_cfg = format!("{WHOLE}taskObjectCountLimit=700\n");
    let files = [("job.cfg", job_cfg.as_str()), ("sys.properties", "taskObjectCountLimit=800\n")];
    let imported = import(&files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    assert_eq!(job(&imported).limits.task_objects_max, 700);
    assert_eq!(fate(&imported, "taskObjectCountLimit").became, Became::Duplicate);
}

#[test]
fn milliseconds_are_recognised_and_said() {
    for (since, warned) in [("1609459200", false), ("1609459200000", true)] {
        let imported = with(&format!("importSince={since}\n"));
        let modified_since = job(&imported).filter.modified_since.unwrap();
        assert_eq!(modified_since.to_string(), "2021-01-01T00:00:00.000Z");
        assert_eq!(fate(&imported, "importSince").note.contains("warning"), warned);
    }
    assert_eq!(job(&with("importSince=0\n")).filter.modified_since, None);
    assert_refused(&with("importSince=1e9\n"), "importSince", "whole number");
    assert_refused(&with(&format!("importSince={}\n", u64::MAX)), "importSince", "no time");
}

#[test]
fn policy_and_limits_are_carried() {
    let imported = with(
        "isSkipExistFile=true\ntaskObjectCountLimit=50000\ntaskObjectSizeLimit=5\n\
         workerMaxThroughput(KB/s)=10240\nworkerTaskThreadNum=30\nmultipartUploadThreshold=1g\n\
         multipartUploadPartSize=10k\nisServerSideEncryption=true\ndestPrefix=moved\n",
    );
    let made = job(&imported);
    assert_eq!(made.policy.overwrite, Some(Overwrite::SizeAndTime));
    assert_eq!(made.limits.task_objects_max, 10_000);
    assert_eq!(made.limits.task_bytes_max, 5);
    assert_eq!(made.limits.bytes_per_second, Some(10_240_000));
    assert_eq!(made.limits.concurrency_max, 30);
    assert_eq!(made.limits.split_bytes, 1 << 30);
    assert_eq!(made.limits.part_bytes, 100 << 10);
    assert!(fate(&imported, "destPrefix").note.contains("does not end with /"));
    for shipped in ["0", "100000000"] {
        let imported =
            with(&format!("workerMaxThroughput(KB/s)={shipped}\nisSkipExistFile=false\n"));
        assert_eq!(job(&imported).limits.bytes_per_second, None);
        assert_eq!(job(&imported).policy.overwrite, Some(Overwrite::SourceWins));
    }
}

#[test]
fn what_cannot_be_carried_is_refused_with_its_cause() {
    for (lines, key, why) in [
        ("jobType=move\n", "jobType", "neither import nor audit"),
        ("srcType=OSS\n", "srcType", "spelled as ossimport has it: oss"),
        ("srcType=gcs\n", "srcType", "none of local, oss"),
        ("srcBucket=\n", "srcBucket", "required"),
        ("srcSecretKey=\n", "srcSecretKey", "other half"),
        ("srcBucket=a/b\n", "srcBucket", "no name of a bucket"),
        ("destPrefix=/a/\n", "destPrefix", "begin with /"),
        ("destDomain=to.oss-cn-hangzhou.aliyuncs.com\n", "destDomain", "holds the bucket"),
        ("destDomain=files.example.com\n", "destDomain", "names no region"),
        ("destDomain=oss-accelerate.aliyuncs.com\n", "destDomain", "names no region"),
        ("isSkipExistFile=maybe\n", "isSkipExistFile", "neither true nor false"),
        ("isUseExpressTunnel=true\n", "isUseExpressTunnel", "no such proxy"),
        ("multipartUploadPartSize=much\n", "multipartUploadPartSize", "no size"),
        ("srcType=cos\nsrcDomain=ap-guangzhou\n", "appId", "NAME-APPID"),
        ("srcType=cos\nsrcDomain=x/y\nappId=1250000000\n", "srcDomain", "no region of COS"),
        ("srcType=youpai\nsrcDomain=photos.example.com\n", "srcDomain", "of UPYUN's interface"),
        ("srcType=youpai\nsrcDomain=\nsrcSecretKey=\n", "srcSecretKey", "other half"),
        ("srcType=s3\nsrcDomain=from.s3.eu-central-1.amazonaws.com\n", "srcDomain", "no region"),
    ] {
        assert_refused(&with(lines), key, why);
    }
    assert_refused(&of(""), "srcType", "is required: one of local");
    let not_utf8 = import(&[("job.cfg".to_owned(), b"srcType=\xff".to_vec())]);
    assert_refused(&not_utf8, "srcType", "not UTF-8");
}

#[test]
fn a_job_file_is_written_once_and_only_where_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("job.cfg"), WHOLE).unwrap();
    std::fs::write(at("refused.cfg"), format!("{WHOLE}jobType=move\n")).unwrap();
    let ask = |cfg: &str, output: &str| {
        write(&ImportCfgArguments {
            job_cfg: at(cfg),
            sys_properties: None,
            output: Some(at(output)),
            json: true,
        })
    };
    assert_eq!(ask("refused.cfg", "job.toml").unwrap(), 1);
    assert!(!at("job.toml").exists());
    assert_eq!(ask("job.cfg", "job.toml").unwrap(), 0);
    let written = std::fs::read_to_string(at("job.toml")).unwrap();
    Job::parse(&written).unwrap();
    let error = ask("job.cfg", "job.toml").unwrap_err();
    assert!(matches!(error, CommandError::FileExists(_)), "{error}");
    assert_eq!(std::fs::read_to_string(at("job.toml")).unwrap(), written);
}

/// Keys and values that mean something, in any order and mixture.
fn lines() -> impl Strategy<Value = String> {
    let keys = [
        "jobName",
        "jobType",
        "srcType",
        "srcDomain",
        "srcBucket",
        "srcPrefix",
        "appId",
        "srcAccessKey",
        "srcSecretKey",
        "destAccessKey",
        "destSecretKey",
        "destDomain",
        "destBucket",
        "destPrefix",
        "importSince",
        "isIncremental",
        "incrementalModeInterval",
        "isSkipExistFile",
        "taskObjectCountLimit",
        "taskObjectSizeLimit",
        "workerTaskThreadNum",
        "workerMaxThroughput(KB/s)",
        "multipartUploadThreshold",
        "multipartUploadPartSize",
        "isServerSideEncryption",
        "noSuchKey",
    ];
    let values = prop_oneof![
        proptest::sample::select(&SOURCE_TYPES[..]).prop_map(str::to_owned),
        proptest::sample::select(
            &[
                "true",
                "false",
                "import",
                "0",
                "1",
                "/",
                "a/",
                "50m",
                "oss-cn-x.aliyuncs.com",
                "s3.amazonaws.com",
                "cos.",
                "ap-x",
                "99999999999999",
                "\\",
                "\"",
                "\u{0}"
            ][..]
        )
        .prop_map(str::to_owned),
        any::<String>(),
        any::<u64>().prop_map(|number| number.to_string()),
    ];
    let line = (proptest::sample::select(keys.to_vec()), values)
        .prop_map(|(key, value)| format!("{key}={value}\n"));
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn no_input_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let imported = import(&[("job.cfg".to_owned(), bytes)]);
        prop_assert_eq!(imported.text, None);
    }

    #[test]
    fn what_is_written_is_a_job_and_else_something_is_refused(
        behind in lines(),
        whole in any::<bool>(),
    ) {
        let imported = if whole { with(&behind) } else { of(&behind) };
        let refused = imported.keys.iter().any(|fate| fate.became == Became::Refused);
        prop_assert_eq!(imported.text.is_none(), refused);
        if let Some(text) = &imported.text {
            let whole = imported.blank.map_or_else(|| text.clone(), |blank| blank.filled_in(text));
            prop_assert!(Job::parse(&whole).is_ok(), "{whole}");
            prop_assert_eq!(Job::parse(text).is_ok(), imported.blank.is_none());
        }
    }

    #[test]
    fn no_secret_passes_through(secret in "[A-Za-z0-9/+]{12,40}", key in 0..6_usize) {
        let keys = ["srcAccessKey", "srcSecretKey", "destAccessKey", "destSecretKey",
                    "workerPassword", "expressTunnelAuthToken"];
        let imported = with(&format!("{}={secret}\n{secret}\n{secret}=x\n", keys[key]));
        let text = imported.text.clone().unwrap_or_default();
        let said = serde_json::to_string(&imported).unwrap() + &imported.for_people("job.toml") + &text;
        prop_assert!(!said.contains(&secret), "{said}");
    }
}
