//! A container of Azure as the job file names it.

use super::super::AzureSource;
use super::*;

fn azure(lines: &str) -> String {
    format!(
        "name = \"n\"\n[source]\nkind = \"azure\"\n{lines}\n[target]\nregion = \"cn-hangzhou\"\n\
         bucket = \"moved\"\ncredentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n"
    )
}

const KEY: &str = "credentials = { from = \"azure-key\", key = \"K\" }";

fn source(lines: &str) -> AzureSource {
    let SourceSpec::Azure(source) = parsed(&azure(lines)).source else { panic!("want azure") };
    source
}

#[test]
fn an_account_names_its_address_and_a_bare_one_names_no_account() {
    let found = source(&format!("account = \"photos1\"\ncontainer = \"raw-files\"\n{KEY}"));
    assert_eq!(found.endpoint, "https://photos1.blob.core.windows.net");
    assert_eq!(found.addressing, Addressing::Virtual);
    let key = Credentials::AzureKey { key: "K".to_owned() };
    assert_eq!(found.credentials, key);
    let lines = "account = \"devstoreaccount1\"\ncontainer = \"$web\"\nprefix = \"a/\"\n\
                 endpoint = \"http://127.0.0.1:10000\"\n\
                 credentials = { from = \"azure-sas\", token = \"SAS\" }";
    let found = source(lines);
    assert_eq!(found.addressing, Addressing::Path);
    assert_eq!(found.credentials, Credentials::AzureSas { token: "SAS".to_owned() });
    let job = parsed(&azure(lines));
    assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
    assert_eq!((job.source.kind(), job.source.listing_order()), ("azure", ListingOrder::Serial));
}

#[test]
fn every_mistake_of_a_container_is_told() {
    let account = "account = \"photos1\"";
    let container = "container = \"raw\"";
    for (lines, key) in [
        (format!("{account}\n{KEY}"), "source.container"),
        (format!("{container}\n{KEY}"), "source.account"),
        (format!("account = \"Photos\"\n{container}\n{KEY}"), "source.account"),
        (format!("{account}\ncontainer = \"a/b\"\n{KEY}"), "source.container"),
        (format!("{account}\n{container}\nbucket = \"b\"\n{KEY}"), "source.bucket"),
        (format!("{account}\n{container}\nendpoint = \"ftp://h\"\n{KEY}"), "source.endpoint"),
        (format!("{account}\n{container}"), "source.credentials"),
        (
            format!("{account}\n{container}\ncredentials = {{ from = \"env\" }}"),
            "source.credentials.from",
        ),
        (
            format!("{account}\n{container}\ncredentials = {{ from = \"azure-key\" }}"),
            "source.credentials.key",
        ),
    ] {
        let found = mistakes(&azure(&lines));
        assert!(found.iter().any(|(_, found)| found == key), "{lines}: {found:?}");
    }
    let deployed = azure(&format!("{account}\n{container}\n{KEY}"))
        + "[state]\nkind = \"aws\"\nstack = \"s\"\n";
    assert!(mistakes(&deployed).iter().any(|(_, key)| key == "source.credentials.from"));
}
