//! Definitions of jobs, as ledgers keep them: of every version, and of every form that a source has.

use std::collections::BTreeSet;

use ossferry_core::job::Job;

use super::{assert_all_tested, stored};

/// The source of the oldest stored definitions.
const COMPATIBLE: &str = r#"
kind = "s3-compatible"
endpoint = "https://store.example"
region = "eu-central-1"
bucket = "photos"
prefix = "2026/"
etag_is_md5 = false
credentials = { from = "env", access_key = "A", secret_key = "B" }
"#;

const COS: &str = r#"
kind = "cos"
region = "ap-guangzhou"
bucket = "photos-1250000000"
prefix = "2026/"
credentials = { from = "aws-parameter", name = "/ossferry/cos" }
"#;

const HTTP: &str = r#"
kind = "http"
list = "https://lists.example/urls.txt"
url_column = 2
key_column = 3
prefix = "2026/"
allow = ["10.0.0.0/8", "files.intranet"]
redirects_max = 2
host_concurrency_max = 4
"#;

const AZURE: &str = r#"
kind = "azure"
account = "photos1"
container = "raw"
prefix = "2026/"
credentials = { from = "azure-sas", token = "A" }
"#;

const GCS: &str = r#"
kind = "gcs-json"
bucket = "photos1"
prefix = "2026/"
credentials = { from = "gcs-key-file", path = "key.json" }
"#;

const INVENTORY: &str = r#"
kind = "cos"
region = "ap-guangzhou"
bucket = "photos-1250000000"
inventory = "inventory/manifest.json"
credentials = { from = "env", access_key = "A", secret_key = "B" }
"#;

const KEYS: &str = r#"
kind = "cos"
region = "ap-guangzhou"
bucket = "photos-1250000000"
keys = "lists/failed.csv"
credentials = { from = "env", access_key = "A", secret_key = "B" }
"#;

const KODO: &str = r#"
kind = "kodo"
region = "cn-east-1"
bucket = "photos"
listing_order = "bytes"
credentials = { from = "env", access_key = "A", secret_key = "B" }
"#;

/// With the part size that was the default when the first were stored.
fn job(source: &str) -> Job {
    let text = format!(
        "name = \"nightly\"\n[source]{source}[target]\nregion = \"cn-hangzhou\"\nbucket = \"moved\"\n\
         credentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n\
         [limits]\npart_bytes = 16777216\n"
    );
    Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// With rates of each end and by the hour.
fn timed() -> Job {
    let text = format!(
        "name = \"nightly\"\n[source]{COMPATIBLE}[target]\nregion = \"cn-hangzhou\"\n\
         bucket = \"moved\"\n\
         credentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n\
         [limits]\npart_bytes = 33554432\nbytes_per_second = 100000000\n\
         source.requests_per_second = 500\ntime_zone = \"Asia/Shanghai\"\n\
         [[limits.window]]\ndays = [\"mon\", \"fri\"]\nfrom = \"08:00\"\nto = \"20:00\"\n\
         target.bytes_per_second = 20000000\n\
         [[limits.window]]\nfrom = \"23:30\"\nto = \"01:00\"\nclosed = true\n"
    );
    Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// As functions on AWS have it.
fn deployed() -> Job {
    let text = format!(
        "name = \"nightly\"\n[source]{COS}[target]\nregion = \"cn-hangzhou\"\nbucket = \"moved\"\n\
         credentials = {{ from = \"alibaba-oidc\", role = \"acs:ram::1:role/ossferry\", \
         provider = \"acs:ram::1:oidc-provider/aws\", audience = \"ossferry\" }}\n\
         [limits]\npart_bytes = 33554432\n\
         [state]\nkind = \"aws\"\nstack = \"ossferry\"\nregion = \"eu-central-1\"\n"
    );
    Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_definition_of_every_version_is_read() {
    let denied = job(COMPATIBLE);
    let silent = job(&COMPATIBLE.replace("etag_is_md5 = false\n", ""));
    let mut tested = BTreeSet::new();
    for (file, job) in [("v1.json", &denied), ("v1-silent.json", &silent)] {
        let text = stored("definitions", file, &job.to_json());
        assert_eq!(&Job::from_json(&text).unwrap(), job, "{file}");
        tested.insert(file.to_owned());
    }
    for (file, job) in [
        ("v2.json", denied),
        ("v2-aws.json", deployed()),
        ("v2-http.json", job(HTTP)),
        ("v2-kodo.json", job(KODO)),
        ("v2-azure.json", job(AZURE)),
        ("v2-gcs-json.json", job(GCS)),
        ("v2-inventory.json", job(INVENTORY)),
        ("v2-windows.json", timed()),
    ] {
        let now = job.to_json();
        let text = stored("definitions", file, &now);
        assert_eq!(Job::from_json(&text).unwrap(), job, "{file}");
        assert_eq!(text.trim_end(), now, "{file}");
        tested.insert(file.to_owned());
    }
    let mut along = job(COS);
    (along.policy.tags, along.policy.acl) = (true, true);
    for (file, job) in [("v3-along.json", along), ("v4-keys.json", job(KEYS))] {
        let text = stored("definitions", file, &job.to_json());
        assert_eq!(Job::from_json(&text).unwrap(), job, "{file}");
        assert_eq!(text.trim_end(), job.to_json(), "{file}");
        tested.insert(file.to_owned());
    }
    assert_all_tested("definitions", &tested);
}
