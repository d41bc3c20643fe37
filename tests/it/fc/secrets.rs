//! Nothing that a function writes or answers holds a secret, and each request names its log lines.

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fc::{FcLimits, FcStack};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::wire::{Fault, Rule};
use serde_json::json;

use crate::lambda::passes::PASS_MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_log_or_answer_at_the_deepest_level() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    for name in ["a", "b"] {
        let key = Key::from(name);
        bucket.put(&key, bytes_of(&key, 1, 100)).await;
    }
    let oss = Oss::start(clock::system()).await;
    // An error of each end is logged too.
    oss.wire().rule(Rule::first("PutObject", Fault::Forbidden("AccessDenied")));
    let limits = FcLimits { log: "trace".to_owned(), ..FcLimits::default() };
    let stack = FcStack::deploy(&JobFile::from_s3(&bucket, &oss), &limits).await;
    let secrets = stack.secrets();
    assert_eq!(secrets.len(), 4, "of the role, its session, and both ends");

    let mut said = vec![stack.trigger(json!({"pass": "full", "id": "first"})).await.to_string()];
    stack.until_end(&stack.pass("first"), PASS_MAX).await;
    said.push(format!("{:?}", stack.planner.invoke(&json!({"job": 1})).await));
    said.push(format!("{:?}", stack.copier.invoke(&json!({"sweep": true})).await));
    said.extend([stack.planner.log(), stack.copier.log()]);
    assert!(said[1].starts_with("Failed") && said[2].starts_with("Failed"), "{said:?}");
    assert!(said.iter().any(|text| text.contains("AccessDenied")), "the error is logged");
    let is_deep = |log: String| log.contains(r#""level":"DEBUG""#);
    assert!(is_deep(stack.copier.log()), "more is logged than usual");
    for line in ["FC Initialize Start RequestId: 1-", "FC Invoke End RequestId: 1-"] {
        assert!(stack.planner.log().contains(line), "{line}");
    }
    for secret in &secrets {
        let found = said.iter().flat_map(|text| text.lines()).find(|line| line.contains(secret));
        assert_eq!(found, None, "a secret is written");
    }
}
