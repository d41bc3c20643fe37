//! Buckets of stores that were not tried, and buckets that are listed by an inventory.

use super::super::ListingPlace;
use super::*;

#[test]
fn stores_that_were_not_tried_are_told_by_the_file_what_is_not_known_of_them() {
    for (kind, region, endpoint, addressing, list_version, order) in [
        ("gcs", None, "https://storage.googleapis.com", Addressing::Path, 2, ListingOrder::Bytes),
        (
            "kodo",
            Some("cn-east-1"),
            "https://s3-cn-east-1.qiniucs.com",
            Addressing::Path,
            2,
            ListingOrder::Serial,
        ),
        (
            "bos",
            Some("bj"),
            "https://s3.bj.bcebos.com",
            Addressing::Virtual,
            1,
            ListingOrder::Serial,
        ),
        (
            "ks3",
            Some("cn-beijing"),
            "https://ks3-cn-beijing.ksyuncs.com",
            Addressing::Virtual,
            1,
            ListingOrder::Serial,
        ),
        (
            "obs",
            Some("cn-north-4"),
            "https://obs.cn-north-4.myhuaweicloud.com",
            Addressing::Virtual,
            1,
            ListingOrder::Serial,
        ),
    ] {
        let place = region.map_or_else(String::new, |region| format!("region = \"{region}\""));
        let text = S3
            .replace("kind = \"s3\"", &format!("kind = \"{kind}\""))
            .replace("region = \"eu-central-1\"", &place);
        let SourceSpec::Bucket(source) = parsed(&text).source else { panic!("want a bucket") };
        assert_eq!(source.endpoint, endpoint);
        assert_eq!((source.addressing, source.list_version), (addressing, list_version));
        assert_eq!((source.listing_order(), source.etag_is_md5), (order, kind == "gcs"), "{kind}");
        let told = "listing_order = \"bytes\"\netag_is_md5 = true\nlist_version = 2\nprefix =";
        let SourceSpec::Bucket(source) = parsed(&text.replacen("prefix =", told, 1)).source else {
            panic!("want a bucket")
        };
        assert_eq!((source.listing_order(), source.etag_is_md5), (ListingOrder::Bytes, true));
        assert_eq!(source.list_version, 2);
        if region.is_some() {
            let named = text.replacen(&place, &format!("endpoint = \"{endpoint}\""), 1);
            let SourceSpec::Bucket(source) = parsed(&named).source else { panic!("want a bucket") };
            assert_eq!(Some(source.region.as_str()), region, "it stands in the endpoint");
            let nowhere = text.replacen(&place, "", 1);
            assert_eq!(mistakes(&nowhere)[0].1, "source.region");
        }
    }
}

#[test]
fn upyun_is_one_store_at_each_of_its_addresses_and_listed_by_folders_whatever_the_file_says() {
    let with = |lines: &str| {
        let kind = format!("kind = \"upyun\"\n{lines}");
        S3.replace("kind = \"s3\"", &kind).replace("region = \"eu-central-1\"\n", "")
    };
    let job = parsed(&with(""));
    let SourceSpec::Bucket(source) = &job.source else { panic!("want a bucket") };
    assert_eq!(source.endpoint, "https://v0.api.upyun.com");
    assert_eq!(
        (source.addressing, source.listing_order()),
        (Addressing::Path, ListingOrder::Serial)
    );
    let elsewhere = parsed(&with("endpoint = \"https://v2.api.upyun.com\""));
    assert_eq!(elsewhere.scope_hash(), job.scope_hash());
    for (line, key) in [
        ("listing_order = \"bytes\"", "source.listing_order"),
        ("list_version = 2", "source.list_version"),
        ("etag_is_md5 = true", "source.etag_is_md5"),
        ("addressing = \"virtual\"", "source.addressing"),
        ("restore = { days = 3, tier = \"Bulk\" }", "source.restore"),
    ] {
        assert!(mistakes(&with(line)).iter().any(|(_, found)| found == key), "{line}");
    }
    let env = "{ from = \"env\", access_key = \"A\", secret_key = \"B\" }";
    let unsigned = with("").replacen(env, "{ from = \"anonymous\" }", 1);
    assert_eq!(mistakes(&unsigned)[0].1, "source.credentials.from");
}

#[test]
fn an_inventory_stands_in_for_a_listing() {
    let with = |lines: &str| S3.replacen("prefix =", &format!("{lines}\nprefix ="), 1);
    for (line, place) in [
        ("inventory = \"inv/manifest.json\"", ListingPlace::Key(Key::from("inv/manifest.json"))),
        ("inventory_file = \"m.json\"", ListingPlace::File("m.json".to_owned())),
    ] {
        let job = parsed(&with(line));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        assert_eq!(job.source.listing_order(), ListingOrder::Serial);
        assert_eq!(job.scope_hash(), parsed(S3).scope_hash(), "the same objects belong");
        let SourceSpec::Bucket(source) = job.source else { panic!("want a bucket") };
        assert_eq!(source.inventory, Some(place));
    }
    for (lines, key) in [
        ("inventory = \"a.json\"\ninventory_file = \"b.json\"", "source.inventory_file"),
        ("inventory = \"inv/\"", "source.inventory"),
        ("inventory = 1", "source.inventory"),
    ] {
        assert!(mistakes(&with(lines)).iter().any(|(_, found)| found == key), "{lines}");
    }
    assert!(!parsed(S3).to_json().contains("inventory"), "what has none is stored as before");
    let deployed = with("inventory_file = \"m.json\"") + "[state]\nkind = \"aws\"\nstack = \"s\"\n";
    assert!(mistakes(&deployed).iter().any(|(_, key)| key == "source.inventory_file"));
}

#[test]
fn a_list_of_keys_is_a_scope_of_its_own() {
    let with = |lines: &str| S3.replacen("prefix =", &format!("{lines}\nprefix ="), 1);
    let mut scopes = std::collections::BTreeSet::from([parsed(S3).scope_hash()]);
    for (line, place) in [
        ("keys = \"lists/failed.csv\"", ListingPlace::Key(Key::from("lists/failed.csv"))),
        ("keys = \"lists/other.csv\"", ListingPlace::Key(Key::from("lists/other.csv"))),
        ("keys_file = \"lists/failed.csv\"", ListingPlace::File("lists/failed.csv".to_owned())),
    ] {
        let job = parsed(&with(line));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        assert_eq!(job.source.listing_order(), ListingOrder::Serial);
        assert_eq!(job.source.keys(), Some(&place));
        assert!(scopes.insert(job.scope_hash()), "{line}: other objects belong");
        assert!(job.to_json().starts_with("{\"version\":4,"), "an older program would move all");
    }
    for (lines, key) in [
        ("keys = \"a\"\nkeys_file = \"b\"", "source.keys_file"),
        ("keys = \"a\"\ninventory = \"m.json\"", "source.keys"),
        ("keys_file = \"a\"\ninventory_file = \"m.json\"", "source.keys_file"),
        ("keys = 1", "source.keys"),
    ] {
        assert!(mistakes(&with(lines)).iter().any(|(_, found)| found == key), "{lines}");
    }
    assert!(
        parsed(S3).to_json().starts_with("{\"version\":2,"),
        "what has none is stored as before"
    );
    let state = "[state]\nkind = \"aws\"\nstack = \"s\"\n";
    let deployed = with("keys_file = \"failed.csv\"") + state;
    assert!(mistakes(&deployed).iter().any(|(_, key)| key == "source.keys_file"));
    let folder = "name = \"j\"\n[source]\nkind = \"folder\"\npath = \"/d\"\nkeys = \"a\"\n";
    assert!(mistakes(folder).iter().any(|(_, key)| key == "source.keys"), "only buckets have one");
}
