//! The mirror rule in the bucket: beside other rules, over a private origin, and gone without a trace.

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::{SeaweedFs, account};

use super::{OTHERS, mirror};

/// A job from SeaweedFS whose first pass has run.
async fn job_with_a_ledger(objects: usize) -> (Oss, Ossferry, ossferry_tests::s3::S3Bucket) {
    let oss = Oss::start(clock::system()).await;
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    for number in 0..objects {
        let key = Key::from(format!("k/{number}"));
        bucket.put(&key, bytes_of(&key, 0, 50)).await;
    }
    let ossferry = Ossferry::new(&JobFile::from_s3(&bucket, &oss));
    let _ = ossferry.run(&["run", "--job", "job.toml", "--json"]).await.expect(0);
    (oss, ossferry, bucket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_is_fetched_from_a_private_source_and_the_bucket_is_put_back_as_it_was() {
    let (oss, ossferry, bucket) = job_with_a_ledger(1).await;
    let (target, key) = (oss.target(), Key::from("k/later ü+%"));
    let value = bytes_of(&key, 3, 80);
    bucket.put(&key, value.clone()).await;
    for before in [None, Some(OTHERS)] {
        target.set_website(before).await;
        assert_eq!(mirror(&ossferry, &["status"]).await.expect(0).json()["in_bucket"], false);
        let on = ["on", "--yes", "--mirror-auth", "key"];
        let said = mirror(&ossferry, &on).await.expect(0);
        let secret = account().secret_key;
        assert!(!said.stdout.contains(&secret) && !said.stderr.contains(&secret));
        assert!(said.stderr.contains("HEAD") && said.stderr.contains("comes back"), "{said:?}");
        assert_eq!(mirror(&ossferry, &on).await.expect(0).json(), said.json(), "already on");
        let status = mirror(&ossferry, &["status"]).await.expect(0).json();
        assert_eq!((&status["in_bucket"], &status["changed_since"]), (&true.into(), &false.into()));
        let website = target.website().await.unwrap();
        assert!(!website.contains(&secret) && website.contains("<MirrorAuth>"), "{website}");
        assert_eq!(website.contains("<NotKnownHere>x</NotKnownHere>"), before.is_some());

        assert!(target.head(&key).await.is_none(), "a HEAD fetches nothing");
        assert_eq!(target.entries().await.len(), 1, "a listing neither");
        let (status, text) = target.get(&key).await;
        assert_eq!((status.as_u16(), text), (200, String::from_utf8_lossy(&value).into_owned()));
        let stored = target.head(&key).await.expect("it is stored");
        assert!(stored.mirrored);
        assert_eq!(target.get(&Key::from("nowhere")).await.0.as_u16(), 404);

        let _ = mirror(&ossferry, &["off"]).await.expect(0);
        let _ = mirror(&ossferry, &["off"]).await.expect(0);
        assert_eq!(target.website().await.as_deref(), before);
        target.delete(&key).await;
        assert_eq!(target.get(&key).await.0.as_u16(), 404, "the rule is off");
    }
    let ledger = std::fs::read(ossferry.ledger()).unwrap();
    let secret = account().secret_key;
    assert!(!ledger.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_changed_meanwhile_is_never_written_over() {
    let (oss, ossferry, _) = job_with_a_ledger(1).await;
    let target = oss.target();
    let on = ["on", "--yes", "--mirror-auth", "key"];
    target.set_website(Some(OTHERS)).await;
    let _ = mirror(&ossferry, &on).await.expect(0);
    let website = target.website().await.unwrap();
    // The secret is shown masked; whoever edits the document in the console keeps theirs.
    let changed = website.replace("index.html", "start.html");
    target.set_website(Some(&changed)).await;
    let refused = mirror(&ossferry, &["off"]).await.expect(1);
    assert!(refused.stderr.contains("changed by somebody else"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--rule-only"), "{}", refused.stderr);
    let status = mirror(&ossferry, &["status"]).await.expect(0).json();
    assert_eq!((&status["in_bucket"], &status["changed_since"]), (&true.into(), &true.into()));
    let _ = mirror(&ossferry, &["off", "--rule-only"]).await.expect(0);
    let left = target.website().await.unwrap();
    assert_eq!(left, OTHERS.replace("index.html", "start.html"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_cannot_be_written_is_refused_with_the_reason() {
    let (oss, ossferry, _) = job_with_a_ledger(1).await;
    let target = oss.target();
    let rules = |rules: &str| {
        format!("<WebsiteConfiguration><RoutingRules>{rules}</RoutingRules></WebsiteConfiguration>")
    };
    let rule = |number: u32, inside: &str| {
        format!("<RoutingRule><RuleNumber>{number}</RuleNumber>{inside}</RoutingRule>")
    };
    let full: String = (1..=20).map(|number| rule(number, "")).collect();
    let mirrors = "<Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>\
                   </Condition><Redirect><RedirectType>Mirror</RedirectType><MirrorURL>http://o/\
                   </MirrorURL></Redirect>";
    let secret = "<Redirect><MirrorURL>http://o/</MirrorURL><MirrorAuth><AccessKeySecret>s\
                  </AccessKeySecret></MirrorAuth></Redirect>";
    let key = ["--yes", "--mirror-auth", "key"];
    for (website, words, says) in [
        (None, &["--yes"][..], "--mirror-auth"),
        (None, &["--mirror-auth", "key"], "--yes"),
        (None, &["--yes", "--mirror-auth", "role", "--mirror-role", "r"], "buckets of OSS only"),
        (None, &["--yes", "--mirror-auth", "none", "--mirror-url", "http://o"], "no origin"),
        (Some(rules(&full)), &key, "20 routing rules"),
        (Some(rules(&rule(1, mirrors))), &key, "first rule that matches wins"),
        (Some(rules(&rule(3, secret))), &key, "does not show"),
    ] {
        target.set_website(website.as_deref()).await;
        let stood = target.website().await;
        let refused = mirror(&ossferry, &[&["on"], words].concat()).await.expect(1);
        assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
        assert_eq!(target.website().await, stood, "nothing was written");
    }
    let refused = mirror(&ossferry, &["off"]).await.expect(1);
    assert!(refused.stderr.contains("ever turned on"), "{}", refused.stderr);
}
