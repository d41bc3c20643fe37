//! A list of URLs as the job file names it.

use super::super::{AllowedHost, UrlListFormat, UrlListSource};
use super::*;

fn http(lines: &str) -> String {
    format!(
        "name = \"n\"\n[source]\nkind = \"http\"\n{lines}\n[target]\nregion = \"cn-hangzhou\"\n\
         bucket = \"moved\"\ncredentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n"
    )
}

fn list(lines: &str) -> UrlListSource {
    let SourceSpec::UrlList(list) = parsed(&http(lines)).source else { panic!("want a list") };
    list
}

#[test]
fn a_list_of_urls_needs_no_more_than_its_place() {
    let usual = list("list = \"urls.txt\"");
    assert_eq!(usual.format, UrlListFormat::Ossimport { url_column: 1, key_column: 2 });
    assert_eq!((usual.redirects_max, usual.host_concurrency_max), (0, 16));
    assert!(usual.allow.is_empty() && !usual.is_fetched());
    let all = list(
        "list = \"https://lists.example/a.txt\"\nformat = \"ossimport\"\nurl_column = 2\n\
         key_column = 3\nprefix = \"2026/\"\nallow = [\"10.0.0.0/8\", \"Files.Intranet\"]\n\
         redirects_max = 3\nhost_concurrency_max = 4",
    );
    assert!(all.is_fetched());
    assert_eq!(all.format, UrlListFormat::Ossimport { url_column: 2, key_column: 3 });
    assert_eq!(all.allow[1], AllowedHost::Name("files.intranet".to_owned()));
    assert_eq!(all.prefix, Key::from("2026/"));
    for (word, format) in [
        ("tab", UrlListFormat::Tab),
        ("urls", UrlListFormat::Urls),
        ("manifest", UrlListFormat::Manifest),
    ] {
        let lines = format!("list = \"u\"\nformat = \"{word}\"");
        assert_eq!(list(&lines).format, format);
        let job = parsed(&http(&lines));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        assert_eq!((job.source.kind(), job.source.listing_order()), ("http", ListingOrder::Bytes));
    }
}

#[test]
fn every_mistake_of_a_list_of_urls_is_told() {
    for (lines, key) in [
        ("", "source.list"),
        ("list = \"https://h/l?Signature=x\"", "source.list"),
        ("list = \"u\"\nformat = \"csv\"", "source.format"),
        ("list = \"u\"\nformat = \"tab\"\nkey_column = 1", "source.key_column"),
        ("list = \"u\"\nurl_column = 2", "source.key_column"),
        ("list = \"u\"\nurl_column = 0", "source.url_column"),
        ("list = \"u\"\nallow = [\"10.0.0.0/40\"]", "source.allow"),
        ("list = \"u\"\nredirects_max = 11", "source.redirects_max"),
        ("list = \"u\"\nbucket = \"b\"", "source.bucket"),
        ("list = \"u\"\npath = \"/b\"", "source.path"),
    ] {
        let found = mistakes(&http(lines));
        assert!(found.iter().any(|(_, found)| found == key), "{lines}: {found:?}");
    }
    let list_of_a_bucket = S3.replacen("prefix =", "list = \"u\"\nprefix =", 1);
    assert_eq!(mistakes(&list_of_a_bucket), [(7, "source.list".to_owned())]);
    let deployed = format!("{}[state]\nkind = \"aws\"\nstack = \"s\"\n", http("list = \"u\""));
    assert!(mistakes(&deployed).contains(&(4, "source.list".to_owned())));
}
