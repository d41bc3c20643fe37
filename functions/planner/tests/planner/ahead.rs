//! What the next incremental pass would write over, found without a pass.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::ListingOrder;
use ossferry_planner::{Looked, PlanError, Refusal};

use crate::source::{info_of, source_entry};
use crate::world::{Plan, World};

/// An entry whose `ETag` both stores show as an MD5.
fn plain(key: &str, version: u64) -> Entry {
    Entry { etag: Some(ETag::new(&format!("{version:032x}"))), ..source_entry(key, 7) }
}

#[tokio::test]
async fn copies_that_are_older_than_the_source_are_named_and_nothing_is_written() {
    for order in [ListingOrder::Bytes, ListingOrder::Serial] {
        let keys = ["a", "b", "c", "d", "e"];
        let source: Vec<Entry> = keys.map(|key| plain(key, 1)).into();
        let mut world = World::new(Plan { source, order, page: 2, ..Plan::default() });
        world.job.filter.exclude = vec!["e".to_owned()];
        let refused = world.planner().look_ahead(&world.job, Duration::MAX, &mut |_| {}).await;
        assert!(matches!(refused, Err(PlanError::Refused(Refusal::NoFullPass))), "{refused:?}");
        world.begin("p1", None).await.unwrap();
        world.finish("p1", 1).await;

        // Copied as it was; changed since; never copied; changed, and left out by the filter.
        let at_target = ["a", "b", "c", "e"].map(|key| (Key::from(key), info_of(&plain(key, 1))));
        world.target.script.lock().unwrap().objects.extend(at_target);
        for entry in &mut world.source.script.lock().unwrap().entries {
            let is_changed = ["b", "c", "e"].iter().any(|key| entry.key == Key::from(*key));
            if is_changed {
                entry.etag = plain("", 2).etag;
            }
        }
        let mut stale = Vec::new();
        let mut found = |key| stale.push(key);
        let minute = Duration::from_mins(1);
        let looked = world.planner().look_ahead(&world.job, minute, &mut found).await.unwrap();
        assert_eq!(looked, Looked::Whole);
        assert_eq!(stale, ["b", "c"].map(Key::from), "{order:?}");
        assert_eq!(
            world.ledger.passes(&world.pass("p1").job).await.unwrap().len(),
            1,
            "no pass began"
        );

        world.source.script.lock().unwrap().page_delay = Duration::from_secs(9);
        let short = Duration::from_millis(20);
        let looked = world.planner().look_ahead(&world.job, short, &mut |_| {}).await.unwrap();
        assert!(matches!(&looked, Looked::BrokeOff(reason) if reason.contains("longer than")));
    }
}
