//! The arithmetic of an estimate, the tutorial's case as it is printed, and a sample of a real listing.

use std::sync::Arc;

use ossferry_core::job::Job;
use proptest::prelude::*;

use super::cost::Trust;
use super::work::classes;
use super::*;
use crate::amount::{bytes, rate};

const TUTORIAL_BYTES: u64 = 500_000_000_000_000;
const WEEK: u64 = 7 * DAY_SECONDS;

fn known(objects: u64, bytes: u64, from: Store) -> Known {
    let arguments = EstimateArguments {
        total_bytes: Some(bytes),
        objects: Some(objects),
        from: Some(from),
        ..EstimateArguments::default()
    };
    of_totals(&arguments)
}

fn estimate(objects: u64, bytes: u64, from: Store) -> Estimate {
    Estimate::new(known(objects, bytes, from), WEEK, None, None)
}

#[test]
fn the_case_of_the_tutorial_is_estimated_as_it_is_stored() {
    let arguments = EstimateArguments {
        total_bytes: Some(bytes("500TB").unwrap()),
        objects: Some(50_000_000),
        line: Some(rate("200Mbit/s").unwrap()),
        from: Some(Store::Cos),
        days: 7,
        ..EstimateArguments::default()
    };
    let found = format!("{}\n", Estimate::new(of_totals(&arguments), WEEK, None, None));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/testdata/estimate/tutorial.txt");
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, stored, "this version says:\n{found}");
}

#[test]
fn the_tutorial_s_machines_are_counted_as_it_counts_them() {
    let estimate = estimate(50_000_000, TUTORIAL_BYTES, Store::Cos);
    assert_eq!(estimate.fleet.ossimport.machines, 36);
    assert_eq!(estimate.fleet.ossimport.vcpu_seconds, 43_545_600);
    assert_eq!(estimate.fleet.functions, 34);
}

#[test]
fn a_price_by_hearsay_is_in_no_sum_and_a_given_one_is() {
    let by_hearsay = estimate(1_000, 1_000_000_000_000, Store::Cos).source;
    assert_eq!(by_hearsay.items[0].trust, Trust::Unverified);
    assert!(by_hearsay.sum.abs() < f64::EPSILON);
    let known = known(1_000, 1_000_000_000_000, Store::Cos);
    let given = Estimate::new(known, WEEK, None, Some(0.5)).source;
    assert_eq!(given.items[0].trust, Trust::Given);
    assert!((given.sum - 500.0).abs() < 1e-6);
}

#[test]
fn what_is_archived_is_estimated_by_class_where_the_job_restores_it() {
    let of_class = |class: &str| Restored {
        class: class.to_owned(),
        tier: "Bulk".to_owned(),
        objects: 1_000,
        bytes: 1_000 << 30,
        price: None,
    };
    let restored = vec![of_class("DEEP_ARCHIVE"), of_class("of another store")];
    for (from, retrieval) in [(Store::S3, Some(0.025 + 2.5)), (Store::Cos, None)] {
        let archive = Some(Archive { restored: restored.clone(), days: 3 });
        let known = Known { archive, ..known(4_000, 4_000 << 30, from) };
        let bill = Estimate::new(known, WEEK, None, None).source;
        let amounts = |name: &str| -> Vec<Option<f64>> {
            bill.items.iter().filter(|item| item.name == name).map(|item| item.amount).collect()
        };
        let near = |found: Option<f64>, want: Option<f64>| match (found, want) {
            (Some(found), Some(want)) => (found - want).abs() < 1e-9,
            (found, want) => found.is_none() && want.is_none(),
        };
        assert!(near(amounts("restoring")[0], retrieval), "{bill:?}");
        let copies = retrieval.map(|_| 3.0 * 1_000.0 * 0.023 / 30.0);
        assert!(near(amounts("restored copies")[0], copies), "{bill:?}");
        assert_eq!(amounts("restoring")[1], None, "no price of it is known");
    }
}

#[test]
fn traffic_out_of_aws_is_paid_once() {
    let out = |bill: &Bill| {
        let traffic = bill.items.iter().find(|item| item.name == "traffic out");
        traffic.and_then(|item| item.amount)
    };
    let from_s3 = estimate(1_000, 1_000_000_000_000, Store::S3);
    assert!((out(&from_s3.source).unwrap() - 90.0).abs() < 1e-6);
    assert_eq!(out(&from_s3.on_aws), None);
    let from_cos = estimate(1_000, 1_000_000_000_000, Store::Cos);
    assert!((out(&from_cos.on_aws).unwrap() - 90.0).abs() < 1e-6);
    assert_eq!(out(&from_cos.on_alibaba), None);
}

#[test]
fn what_a_quota_does_not_allow_is_said() {
    let known = known(1_000, TUTORIAL_BYTES, Store::Cos);
    let text = Estimate::new(known, DAY_SECONDS, Some(400), None).to_string();
    assert!(text.contains("420 instances of 300: ASK FOR MORE"), "{text}");
    assert!(text.contains("410 invocations at once of 1,000"), "{text}");
}

#[tokio::test]
async fn a_sample_shows_sizes_from_several_places_and_reads_no_more_than_it_says() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..2_500_u32 {
        let name = format!("f{number:04}");
        let length = if number % 2 == 0 { 10 } else { 3_000 };
        std::fs::write(folder.path().join(name), vec![1; length]).unwrap();
    }
    let job = Job::parse(&format!(
        "name = \"j\"\n[source]\nkind = \"folder\"\npath = {}\n[target]\nregion = \"cn-hangzhou\"\n\
         bucket = \"b\"\ncredentials = {{ from = \"env\", access_key = \"A\", secret_key = \"S\" }}\n\
         [filter]\nexclude = [\"f0000\"]\n",
        toml::Value::from(folder.path().to_str().unwrap())
    ))
    .unwrap();
    let clock: ossferry_core::time::Clock = Arc::new(|| std::time::SystemTime::now().into());
    let source = ossferry_local::FolderSource::open(folder.path(), clock).unwrap();
    let source: Arc<dyn ossferry_core::ports::Source> = Arc::new(source);
    let sample = sample::take(&job, &source, 3, 4).await.unwrap();
    let seen = u64::try_from(sample.sizes.len()).unwrap();
    assert_eq!((sample.objects, sample.filtered, sample.reads), (seen, 1, 4));
    assert!(sample.pages <= 3 && sample.bytes_read == 12_000, "the largest: {sample:?}");
    assert_eq!(sample.bytes_per_second, None, "too little to tell a rate");
    let arguments = EstimateArguments::default();
    if sample.is_whole {
        assert_eq!(totals(&sample, &arguments).unwrap().0, 2_499);
    } else {
        let error = totals(&sample, &arguments).unwrap_err().to_string();
        assert!(error.contains("--objects"), "{error}");
    }
    let given = EstimateArguments { objects: Some(1_000_000), ..arguments };
    let (objects, bytes) = totals(&sample, &given).unwrap();
    assert_eq!(objects, 1_000_000);
    assert!((1_000_000_000..2_000_000_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_rate_is_given_or_measured_or_assumed() {
    let given = EstimateArguments { line: Some(7), ..EstimateArguments::default() };
    assert_eq!(rate_of(&given, Some(9)).expected, 7);
    let measured = rate_of(&EstimateArguments::default(), Some(9));
    assert_eq!((measured.low, measured.expected, measured.high), (4, 9, 18));
    let assumed = rate_of(&EstimateArguments::default(), None);
    assert_eq!(assumed.expected, BYTES_PER_SECOND);
    assert!(assumed.basis.contains("assumed"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn more_bytes_never_take_or_cost_less(
        objects in 1..1_000_000_000_u64,
        bytes in 0..1_000_000_000_000_000_u64,
        more in 0..1_000_000_000_000_000_u64,
    ) {
        for from in [Store::S3, Store::Cos, Store::Other] {
            let (small, large) = (estimate(objects, bytes, from), estimate(objects, bytes + more, from));
            prop_assert!(small.fleet.function_seconds <= large.fleet.function_seconds);
            prop_assert!(small.fleet.functions <= large.fleet.functions);
            prop_assert!(small.work.parts <= large.work.parts);
            prop_assert!(small.work.tasks <= large.work.tasks);
            for (small, large) in [
                (&small.source, &large.source),
                (&small.on_alibaba, &large.on_alibaba),
                (&small.on_aws, &large.on_aws),
            ] {
                prop_assert!(small.sum <= large.sum + 1e-9, "{small:?} {large:?}");
            }
        }
    }

    #[test]
    fn sums_are_of_what_can_be_relied_on_and_times_have_an_order(
        objects in 1..1_000_000_000_u64,
        bytes in 0..1_000_000_000_000_000_u64,
    ) {
        let estimate = estimate(objects, bytes, Store::Cos);
        for bill in [&estimate.source, &estimate.on_alibaba, &estimate.on_aws, &estimate.target] {
            let listed = bill.items.iter().filter(|item| item.trust == Trust::Listed);
            let sum: f64 = listed.filter_map(|item| item.amount).sum();
            prop_assert!((sum - bill.sum).abs() < 1e-9);
            prop_assert!(bill.items.iter().all(|item| !item.source.is_empty()));
        }
        let finish = &estimate.fleet.finish;
        prop_assert!(finish.earliest <= finish.expected && finish.expected <= finish.latest);
        prop_assert!(finish.expected <= WEEK.max(bytes / estimate.fleet.target_bytes_per_second_max + 1));
        prop_assert_eq!(estimate.work.objects, objects);
        prop_assert_eq!(estimate.work.bytes, bytes);
        prop_assert!(!estimate.to_string().is_empty());
    }

    #[test]
    fn a_scaled_sample_keeps_the_totals(
        sizes in proptest::collection::vec(0..10_000_000_000_u64, 1..200),
        objects in 1..1_000_000_000_u64,
        bytes in 0..1_000_000_000_000_000_u64,
    ) {
        let classes = classes(&sizes, objects, bytes);
        prop_assert_eq!(classes.iter().map(|class| class.objects).sum::<u64>(), objects);
        prop_assert_eq!(classes.iter().map(|class| class.bytes).sum::<u64>(), bytes);
    }
}

#[test]
fn what_is_asked_beside_each_object_is_among_the_source_s_requests() {
    let mut job = Job::parse(Job::template()).unwrap();
    let requests = |job: &Job| {
        let known = Known { policy: Some(job.policy.clone()), ..known(1_000, 5_000, Store::S3) };
        Estimate::new(known, WEEK, None, None).work.source_requests
    };
    assert_eq!(requests(&job).get("GetObjectTagging"), None);
    (job.policy.tags, job.policy.acl) = (true, true);
    let asked = requests(&job);
    assert_eq!((asked["GetObjectTagging"], asked["GetObjectAcl"]), (1_000, 1_000));
}

#[test]
fn metadata_that_no_answer_with_bytes_has_is_a_request_more_for_each_object() {
    let google = "name = \"n\"\n[source]\nkind = \"gcs-json\"\nbucket = \"photos\"\n\
                  credentials = { from = \"gcs-key\", key = \"KEY\" }\n\
                  [target]\nregion = \"cn-hangzhou\"\nbucket = \"moved\"\n\
                  credentials = { from = \"env\", access_key = \"C\", secret_key = \"D\" }\n";
    for (text, heads) in [(Job::template(), 0), (google, 1_000)] {
        let job = Job::parse(text).unwrap();
        let asks_metadata = job.source.tells_metadata_apart();
        let known = Known { asks_metadata, ..known(1_000, 5_000, Store::Other) };
        let asked = Estimate::new(known, WEEK, None, None).work.source_requests;
        assert_eq!((asked["HeadObject"], asked["GetObject"]), (heads, 1_000));
    }
}
