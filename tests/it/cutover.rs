//! A live application moves over: the mirror rule, T2, and the command that leads through both.

mod live;
mod mirror;
mod refusing;
mod resuming;
mod stacks;
mod switched;

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry, Said};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::{Oss, OssBucket};
use serde_json::Value;

/// A website configuration that is somebody else's.
const OTHERS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<WebsiteConfiguration><IndexDocument>\
                      <Suffix>index.html</Suffix></IndexDocument><RoutingRules><RoutingRule>\
                      <RuleNumber>4</RuleNumber><Condition><KeyPrefixEquals>old/</KeyPrefixEquals>\
                      </Condition><Redirect><RedirectType>External</RedirectType><HostName>new.test\
                      </HostName><NotKnownHere>x</NotKnownHere></Redirect></RoutingRule>\
                      </RoutingRules></WebsiteConfiguration>";

/// A job between the emulator's buckets, with some objects at the source.
async fn small_job(objects: u64) -> (Oss, Ossferry) {
    let oss = Oss::start(clock::system()).await;
    fill(&oss.origin(), objects).await;
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss));
    (oss, ossferry)
}

async fn fill(bucket: &OssBucket, objects: u64) {
    for number in 0..objects {
        let key = Key::from(format!("k/{number:03}"));
        bucket.put(&key, &bytes_of(&key, 0, 64)).await;
    }
}

/// A call of `mirror`.
async fn mirror(ossferry: &Ossferry, words: &[&str]) -> Said {
    let (action, more) = words.split_first().expect("an action");
    ossferry.run(&[&["mirror", action, "--job", "job.toml", "--json"], more].concat()).await
}

/// A call of the command.
async fn cutover(ossferry: &Ossferry, more: &[&str]) -> Said {
    let arguments = ["cutover", "--job", "job.toml", "--yes", "--json"];
    ossferry.run(&[&arguments[..], more].concat()).await
}

/// Up to the switch: T2 is recorded.
async fn until_switch(ossferry: &Ossferry, more: &[&str]) -> Value {
    let waiting = cutover(ossferry, more).await.expect(3).json();
    assert_eq!(waiting["waiting_for"], "switch", "{waiting}");
    waiting
}
