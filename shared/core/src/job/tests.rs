//! The job file as users write it.

mod azure;
mod buckets;
mod deployed;
mod gcs;
mod template;
mod url_list;

use super::*;
use crate::object::Entry;
use template::uncommented;

const S3: &str = r#"
name = "photos"
[source]
kind = "s3"
region = "eu-central-1"
bucket = "photos"
prefix = "2026/"
credentials = { from = "env", access_key = "A", secret_key = "B" }
[target]
region = "oss-cn-hangzhou"
bucket = "moved"
prefix = "old/"
credentials = { from = "env", access_key = "C", secret_key = "D", token = "E" }
"#;

fn parsed(text: &str) -> Job {
    Job::parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// (line, key) of every mistake.
fn mistakes(text: &str) -> Vec<(usize, String)> {
    let errors = Job::parse(text).expect_err("the file is wrong");
    for error in &errors.0 {
        assert!(!error.problem.is_empty() && !error.remedy.is_empty(), "{error}");
    }
    errors.0.into_iter().map(|error| (error.line, error.key)).collect()
}

#[test]
fn endpoints_regions_and_addressing_follow_from_the_kind() {
    let job = parsed(S3);
    let SourceSpec::Bucket(source) = &job.source else { panic!("want a bucket") };
    assert_eq!(source.endpoint, "https://s3.eu-central-1.amazonaws.com");
    assert_eq!(source.addressing, Addressing::Virtual);
    assert_eq!(source.listing_order(), ListingOrder::Bytes);
    assert_eq!(job.target.endpoint, "https://oss-cn-hangzhou.aliyuncs.com");
    assert_eq!(job.target.region, "cn-hangzhou");
    assert_eq!(job.state, StateSpec::Local { path: "photos.sqlite".to_owned() });

    let local = S3
        .replace("kind = \"s3\"", "kind = \"s3-compatible\"\nendpoint = \"http://127.0.0.1:8333/\"")
        .replace("region = \"eu-central-1\"", "")
        .replace("\"oss-cn-hangzhou\"", "\"cn-hangzhou\"\nendpoint = \"http://[::1]:9000\"");
    let job = parsed(&local);
    let SourceSpec::Bucket(source) = &job.source else { panic!("want a bucket") };
    assert_eq!(source.endpoint, "http://127.0.0.1:8333");
    assert_eq!((source.region.as_str(), source.list_version), ("us-east-1", 2));
    assert_eq!(source.listing_order(), ListingOrder::Serial);
    assert_eq!((source.addressing, job.target.addressing), (Addressing::Path, Addressing::Path));
    let vouched = local.replace("prefix = \"2026/\"", "listing_order = \"bytes\"");
    let SourceSpec::Bucket(source) = parsed(&vouched).source else { panic!("want a bucket") };
    assert_eq!(source.listing_order(), ListingOrder::Bytes);

    let cos = S3.replace("\"s3\"", "\"cos\"").replace("\"eu-central-1\"", "\"ap-guangzhou\"");
    let SourceSpec::Bucket(source) = parsed(&cos).source else { panic!("want a bucket") };
    assert_eq!(source.endpoint, "https://cos.ap-guangzhou.myqcloud.com");
    assert_eq!(source.list_version, 1);
}

#[test]
fn keys_move_from_prefix_to_prefix_and_back() {
    let job = parsed(S3);
    let key = Key::from("2026//../a");
    assert_eq!(job.target_key(&key), Some(Key::from("old//../a")));
    assert_eq!(job.source_key(&Key::from("old//../a")), Some(key));
    assert_eq!(job.target_key(&Key::from("2025/a")), None);
}

#[test]
fn every_mistake_has_its_line() {
    let text = r#"name = "a job"
typo = 1
[source]
kind = "folder"
path = "/data"
bucket = "photos"
[target]
bucket = "moved"
storage_class = "GLACIER"
credentials = { from = "env", access_key = "C" }
[filter]
modified_since = "yesterday"
include = ["a[", "ok"]
size_min = 10
size_max = 9
[policy]
overwrite = "sometimes"
[limits]
part_bytes = "16MiB"
workers = 0
split_byte = 5
[state]
kind = "redis"
"#;
    let want = [
        (1, "name"),
        (2, "typo"),
        (6, "source.bucket"),
        (7, "target.region"),
        (9, "target.storage_class"),
        (10, "target.credentials.secret_key"),
        (11, "filter.size_max"),
        (12, "filter.modified_since"),
        (13, "filter.include"),
        (17, "policy.overwrite"),
        (19, "limits.part_bytes"),
        (20, "limits.workers"),
        (21, "limits.split_byte"),
        (23, "state.kind"),
    ];
    assert_eq!(mistakes(text), want.map(|(line, key)| (line, key.to_owned())));
    let errors = Job::parse(text).unwrap_err().to_string();
    assert!(errors.contains("line 19: limits.part_bytes: want a whole number of bytes"));
    assert!(errors.contains("part_bytes = 16777216"));
    assert!(errors.contains("did you mean split_bytes?"));
    assert!(errors.contains("it is for the kinds that are buckets"));
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    assert_eq!(mistakes("name = \"a\"\n[source\n"), [(2, String::new())]);
    assert_eq!(
        mistakes(""),
        [(1, ""), (1, "source"), (1, "target")].map(|(line, key)| {
            (line, if key.is_empty() { "name".to_owned() } else { key.to_owned() })
        })
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_repeated() {
    let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
    for (from, to, line, key) in [
        ("\"B\"", format!("\"{secret}\""), 8, "source.credentials.secret_key"),
        ("\"A\"", "\"AKIAIOSFODNN7EXAMPLE\"".to_owned(), 8, "source.credentials.access_key"),
        ("\"E\"", format!("\"{secret}/+=\""), 13, "target.credentials.token"),
        (
            "\"photos\"\nprefix",
            format!("\"photos\"\nsecret_key = \"{secret}\"\nprefix"),
            7,
            "source.secret_key",
        ),
        ("\"old/\"", "\"LTAI5tQTESTwJalrXUtn\"".to_owned(), 12, "target.prefix"),
        (
            "\"eu-central-1\"",
            format!("\"eu\"\nendpoint = \"https://me:{secret}@host\""),
            6,
            "source.endpoint",
        ),
    ] {
        let text = S3.replacen(from, &to, 1);
        assert_ne!(text, S3);
        assert_eq!(mistakes(&text), [(line, key.to_owned())], "{to}");
        let errors = Job::parse(&text).unwrap_err();
        let shown = format!("{errors} {errors:?}");
        assert!(shown.contains("environment variable"), "{shown}");
        assert!(
            !shown.contains(&secret[..8]) && !shown.contains("AKIAI") && !shown.contains("LTAI5")
        );
    }
}

#[test]
fn a_secret_without_quotes_is_not_repeated_either() {
    let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
    let errors = Job::parse(&format!("name = \"x\"\nsecret_key = {secret}\n")).unwrap_err();
    assert_eq!(errors.0[0].line, 2);
    assert!(!format!("{errors} {errors:?}").contains(&secret[..8]));
}

#[test]
fn a_target_that_is_the_source_is_refused_at_any_address() {
    let same = |source_prefix: &str, target_prefix: &str, endpoint: &str| {
        format!(
            r#"name = "x"
[source]
kind = "oss"
region = "cn-hangzhou"
bucket = "photos"
prefix = "{source_prefix}"
credentials = {{ from = "env", access_key = "A", secret_key = "B" }}
[target]
region = "cn-hangzhou"
endpoint = "{endpoint}"
bucket = "photos"
prefix = "{target_prefix}"
credentials = {{ from = "env", access_key = "A", secret_key = "B" }}
"#
        )
    };
    let internal = "https://oss-cn-hangzhou-internal.aliyuncs.com";
    for (source_prefix, target_prefix, endpoint, refused) in [
        ("", "", "oss-cn-hangzhou.aliyuncs.com", true),
        ("", "copy/", internal, true),
        ("a/", "a/b/", internal, true),
        ("a/", "b/", internal, false),
        ("", "", "http://127.0.0.1:9000", false),
    ] {
        let text = same(source_prefix, target_prefix, endpoint);
        let found =
            Job::parse(&text).err().map(|errors| (errors.0[0].line, errors.0[0].key.clone()));
        assert_eq!(found, refused.then(|| (8, "target".to_owned())), "{text}");
    }
}

#[test]
fn credentials_belong_to_their_kinds() {
    for (credentials, good) in [
        ("{ from = \"anonymous\" }", true),
        ("{ from = \"aws-default\" }", true),
        ("{ from = \"aws-profile\", profile = \"work\" }", true),
        ("{ from = \"aws-profile\" }", false),
        ("{ from = \"anonymous\", profile = \"work\" }", false),
        ("{ from = \"aws-profile\", profile = \"work\", token = \"T\" }", false),
        ("{ from = \"env\", access_key = \"lower\", secret_key = \"B\" }", false),
        ("{ from = \"aliyun-secret\", name = \"ossferry/source\" }", false),
        ("{ from = \"anonymous\", name = \"ossferry/source\" }", false),
        ("{ from = \"fc\" }", false),
        ("\"env\"", false),
    ] {
        let text = S3.replacen(
            "{ from = \"env\", access_key = \"A\", secret_key = \"B\" }",
            credentials,
            1,
        );
        assert_eq!(Job::parse(&text).is_ok(), good, "{credentials}");
        let cos = text.replace("\"s3\"", "\"cos\"");
        let of_any_store = credentials.contains("anonymous");
        assert_eq!(Job::parse(&cos).is_ok(), good && of_any_store, "{credentials}");
    }
    let target = S3.replace(
        "{ from = \"env\", access_key = \"C\", secret_key = \"D\", token = \"E\" }",
        "{ from = \"anonymous\" }",
    );
    assert_eq!(mistakes(&target), [(13, "target.credentials.from".to_owned())]);
}

#[test]
fn the_scope_is_what_decides_which_objects_belong() {
    let job = parsed(S3);
    // Stands in ledgers: a scope whose hash changed would be walked from the start again.
    assert_eq!(job.scope_hash(), "b37e4c38b02091e60f01cc4dee0a0045");
    for same in [
        S3.replace("\"A\"", "\"OTHER\""),
        S3.replace("name = \"photos\"", "name = \"other\""),
        format!("{S3}[limits]\nworkers = 9\n"),
        S3.replace(
            "\"oss-cn-hangzhou\"",
            "\"cn-hangzhou\"\nendpoint = \"oss-cn-hangzhou-internal.aliyuncs.com\"",
        ),
    ] {
        let other = parsed(&same);
        assert_eq!(other.scope_hash(), job.scope_hash(), "{same}");
        assert_ne!(other.definition_hash(), job.definition_hash());
    }
    for different in [
        S3.replace("\"2026/\"", "\"2025/\""),
        S3.replace("\"old/\"", "\"older/\""),
        S3.replace("\"moved\"", "\"moved2\""),
        format!("{S3}[filter]\nsize_min = 1\n"),
        format!("{S3}[filter]\ninclude = [\"a\"]\n"),
        format!("{S3}[filter]\nexclude = [\"a\"]\n"),
    ] {
        assert_ne!(parsed(&different).scope_hash(), job.scope_hash(), "{different}");
    }
}

#[test]
fn the_ledger_gives_the_job_back() {
    for job in [parsed(S3), parsed(&uncommented(Job::template()))] {
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        let newer = job.to_json().replacen("\"version\":2", "\"version\":5", 1);
        assert!(matches!(Job::from_json(&newer), Err(BadDefinition::Version(5))));
    }
}

#[test]
fn filters_admit_what_they_say() {
    let filter = |text: &str| parsed(&format!("{S3}[filter]\n{text}\n")).compiled_filter().unwrap();
    let entry = |key: &str, size: u64, time: i64| Entry {
        key: Key::from(key),
        size,
        etag: None,
        last_modified: (time >= 0).then_some(Timestamp(time)),
        storage_class: None,
        archived: false,
    };
    for (text, key, admitted) in [
        ("include = [\"*.jpg\"]", "a.jpg", true),
        ("include = [\"*.jpg\"]", "b/a.jpg", false),
        ("include = [\"**/*.jpg\"]", "b/c/a.jpg", true),
        ("include = [\"**/*.jpg\"]", "a.jpg", true),
        ("include = [\"b/**\"]", "b/c/../a//", true),
        ("include = [\"**/.\"]", "a/.", true),
        ("include = [\"a\\\\*\"]", "a*", true),
        ("include = [\"a\\\\*\"]", "ab", false),
        ("include = [\"a\", \"b\"]", "b", true),
        ("include = [\"**\"]\nexclude = [\"tmp/**\"]", "tmp/x", false),
        ("exclude = [\"tmp/**\"]", "x", true),
    ] {
        assert_eq!(filter(text).admits(&entry(key, 1, 0)), admitted, "{text} {key}");
    }
    let sized = filter("size_min = 2\nsize_max = 3");
    assert_eq!(
        [1, 2, 3, 4].map(|size| sized.admits(&entry("k", size, 0))),
        [false, true, true, false]
    );
    assert!(!sized.admits(&Entry::unknown("k".into())), "a listing tells sizes");
    let keys = S3.replacen("bucket = \"photos\"", "bucket = \"photos\"\nkeys = \"left.csv\"", 1);
    let keys = parsed(&format!("{keys}[filter]\nsize_min = 2\n")).compiled_filter().unwrap();
    assert!(keys.admits(&Entry::unknown("k".into())), "nobody knows that it is small");
    assert!(!keys.admits(&entry("k", 1, 0)) && keys.admits(&entry("k", 2, 0)));
    let dated =
        filter("modified_since = 1970-01-01T00:00:01Z\nmodified_until = \"1970-01-01T00:00:02Z\"");
    let times = [999, 1_000, 1_999, 2_000, -1];
    assert_eq!(
        times.map(|time| dated.admits(&entry("k", 1, time))),
        [false, true, true, false, true]
    );
}

#[test]
fn an_addressing_that_would_not_be_used_is_a_mistake() {
    let with = |kind: &str, bucket: &str, addressing: &str, endpoint: &str| {
        S3.replace("\"s3\"", &format!("\"{kind}\"")).replacen(
            "bucket = \"photos\"",
            &format!("bucket = \"{bucket}\"\naddressing = \"{addressing}\"\n{endpoint}"),
            1,
        )
    };
    let bare = "endpoint = \"http://127.0.0.1:9000\"";
    let named = "endpoint = \"https://store.example\"";
    for (kind, bucket, addressing, endpoint, good) in [
        ("cos", "photos-1250000000", "path", "", false),
        ("cos", "photos-1250000000", "virtual", "", true),
        ("s3", "a.b", "virtual", "", false),
        ("s3", "a.b", "path", "", true),
        ("s3", "ab", "virtual", "", true),
        ("s3", "ab", "virtual", bare, false),
        ("oss", "photos", "virtual", bare, false),
        ("oss", "photos", "path", bare, true),
        ("oss", "photos", "virtual", named, true),
        ("s3-compatible", "a.b", "virtual", named, true),
    ] {
        let text = with(kind, bucket, addressing, endpoint);
        let text = if kind == "oss" { text.replace("\"moved\"", "\"moved2\"") } else { text };
        if good {
            parsed(&text);
        } else {
            assert_eq!(mistakes(&text), [(7, "source.addressing".to_owned())], "{text}");
        }
    }
    let target = S3.replace("bucket = \"moved\"", &format!("bucket = \"moved\"\n{bare}"));
    parsed(&target);
    let target = target.replace(bare, &format!("{bare}\naddressing = \"virtual\""));
    assert_eq!(mistakes(&target), [(13, "target.addressing".to_owned())]);
    let errors = Job::parse(&target).unwrap_err().to_string();
    assert!(errors.contains("or write addressing = \"path\""), "{errors}");
}

#[test]
fn an_s3_compatible_store_may_be_said_to_give_etags_that_are_no_md5s() {
    let compatible =
        S3.replace("\"s3\"", "\"s3-compatible\"\nendpoint = \"https://store.example\"");
    let with = |text: &str, line: &str| text.replacen("[target]", &format!("{line}\n[target]"), 1);
    let denied = with(&compatible, "etag_is_md5 = false");
    for (text, is_md5) in [
        (compatible.clone(), true),
        (denied.clone(), false),
        (with(&compatible, "etag_is_md5 = true"), true),
        (S3.to_owned(), true),
    ] {
        let job = parsed(&text);
        let SourceSpec::Bucket(bucket) = &job.source else { panic!("{text}") };
        assert_eq!(bucket.etag_is_md5, is_md5, "{text}");
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
    }
    let job = parsed(&denied);
    assert_eq!(job.scope_hash(), parsed(&compatible).scope_hash());
    assert_ne!(job.definition_hash(), parsed(&compatible).definition_hash());

    for kind in ["s3", "cos", "oss"] {
        let text = with(&S3.replace("\"s3\"", &format!("\"{kind}\"")), "etag_is_md5 = false");
        assert_eq!(mistakes(&text), [(9, "source.etag_is_md5".to_owned())]);
        let errors = Job::parse(&text).unwrap_err().to_string();
        assert!(errors.contains("it is for kind = \"s3-compatible\""), "{errors}");
    }
    let wrong = with(&compatible, "etag_is_md5 = \"no\"");
    assert_eq!(mistakes(&wrong), [(10, "source.etag_is_md5".to_owned())]);
}
