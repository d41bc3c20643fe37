//! A bucket of Google by its JSON interface, as the job file names it.

use super::super::GcsSource;
use super::*;

fn gcs(lines: &str) -> String {
    format!(
        "name = \"n\"\n[source]\nkind = \"gcs-json\"\n{lines}\n[target]\nregion = \"cn-hangzhou\"\n\
         bucket = \"moved\"\ncredentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n"
    )
}

const BUCKET: &str = "bucket = \"photos\"";
const KEY: &str = "credentials = { from = \"gcs-key-file\", path = \"key.json\" }";

fn source(lines: &str) -> GcsSource {
    let SourceSpec::Gcs(source) = parsed(&gcs(lines)).source else { panic!("want gcs-json") };
    source
}

#[test]
fn a_bucket_and_a_key_are_all_that_google_needs() {
    let found = source(&format!("{BUCKET}\n{KEY}"));
    assert_eq!(found.endpoint, "https://storage.googleapis.com");
    let file = Credentials::GcsKeyFile { path: "key.json".to_owned() };
    assert_eq!(found.credentials, file);
    for endpoint in ["http://127.0.0.1:4443", "http://localhost:1", "http://[::1]:1"] {
        let lines = format!(
            "{BUCKET}\nprefix = \"a/\"\nendpoint = \"{endpoint}\"\n\
             credentials = {{ from = \"gcs-key\", key = \"KEY\" }}"
        );
        let found = source(&lines);
        assert_eq!(found.endpoint, endpoint);
        assert_eq!(found.credentials, Credentials::GcsKey { key: "KEY".to_owned() });
        let job = parsed(&gcs(&lines));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        assert_eq!(
            (job.source.kind(), job.source.listing_order()),
            ("gcs-json", ListingOrder::Bytes)
        );
    }
}

#[test]
fn a_bucket_is_the_same_by_both_interfaces() {
    let xml = gcs(&format!(
        "{BUCKET}\ncredentials = {{ from = \"env\", access_key = \"A\", secret_key = \"B\" }}"
    ))
    .replace("gcs-json", "gcs");
    let json = parsed(&gcs(&format!("{BUCKET}\n{KEY}")));
    assert_eq!(json.scope_hash(), parsed(&xml).scope_hash());
    let other = parsed(&gcs(&format!("bucket = \"other\"\n{KEY}")));
    assert_ne!(json.scope_hash(), other.scope_hash());
}

#[test]
fn every_mistake_of_a_bucket_of_google_is_told() {
    for (lines, key) in [
        (KEY.to_owned(), "source.bucket"),
        (format!("bucket = \"a/b\"\n{KEY}"), "source.bucket"),
        (format!("{BUCKET}\nregion = \"eu\"\n{KEY}"), "source.region"),
        (format!("{BUCKET}\nrestore = {{ days = 1, tier = \"Bulk\" }}\n{KEY}"), "source.restore"),
        (format!("{BUCKET}\nendpoint = \"https://storage.example\"\n{KEY}"), "source.endpoint"),
        (
            format!("{BUCKET}\nendpoint = \"http://storage.googleapis.com\"\n{KEY}"),
            "source.endpoint",
        ),
        (format!("{BUCKET}\nendpoint = \"http://10.0.0.1\"\n{KEY}"), "source.endpoint"),
        (format!("{BUCKET}\nendpoint = \"ftp://localhost\"\n{KEY}"), "source.endpoint"),
        (BUCKET.to_owned(), "source.credentials"),
        (
            format!(
                "{BUCKET}\ncredentials = {{ from = \"env\", access_key = \"A\", secret_key = \"B\" }}"
            ),
            "source.credentials.from",
        ),
        (
            format!("{BUCKET}\ncredentials = {{ from = \"gcs-key-file\" }}"),
            "source.credentials.path",
        ),
        (
            format!("{BUCKET}\ncredentials = {{ from = \"gcs-key\", key = \"key.json\" }}"),
            "source.credentials.key",
        ),
    ] {
        let found = mistakes(&gcs(&lines));
        assert!(found.iter().any(|(_, found)| found == key), "{lines}: {found:?}");
    }
}

#[test]
fn a_function_is_told_to_keep_the_key_in_a_secret() {
    for form in ["\"gcs-key-file\", path = \"key.json\"", "\"gcs-key\", key = \"KEY\""] {
        let lines = gcs(&format!("{BUCKET}\ncredentials = {{ from = {form} }}"));
        for (state, secret) in [
            ("kind = \"aws\"\nstack = \"s\"", "aws-secret"),
            ("kind = \"aliyun\"\nregion = \"cn-hangzhou\"\nstack = \"s\"", "aliyun-secret"),
        ] {
            let error = Job::parse(&format!("{lines}[state]\n{state}\n")).unwrap_err().to_string();
            assert!(error.contains("the text of the service account's key file"), "{error}");
            assert!(error.contains(secret), "{error}");
        }
    }
}
