//! No item reaches the 400 KB that `DynamoDB` refuses: a pass over the worst keys, in its own table.

use std::sync::Arc;

use bytes::Bytes;
use ossferry_aws::DynamoTable;
use ossferry_conformance::memory::MemoryBucket;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::ports::Table;
use ossferry_ledger::rows::PassState;
use ossferry_tests::billed::BilledTable;
use ossferry_tests::drive::{Drive, Weather};
use ossferry_tests::dynamodb_local::DynamoDbLocal;
use ossferry_tests::faulty::Fates;
use ossferry_tests::world::World;

/// What the service refuses.
const ITEM_BYTES_MAX: usize = 400 << 10;

/// A key of the greatest length that nothing compresses, in bytes that are written as they are.
fn incompressible(number: usize) -> Key {
    let mut bytes = format!("{number:05}/").into_bytes();
    let plain = |_| {
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[fastrand::usize(0..64)]
    };
    bytes.extend((bytes.len()..1_023).map(plain));
    Key::new(bytes)
}

/// A key of the greatest length whose every byte is escaped.
fn escaped(number: usize) -> Key {
    let mut bytes = format!("{number:05}/").into_bytes();
    bytes.extend((bytes.len()..1_023).map(|_| fastrand::u8(0x80..)));
    Key::new(bytes)
}

#[tokio::test]
async fn lists_of_the_worst_keys_fit_the_items_of_dynamodb() {
    for (name, key) in
        [("incompressible", incompressible as fn(usize) -> Key), ("escaped", escaped)]
    {
        let world = World::empty().await;
        let mut job = world.job.clone();
        job.limits.task_objects_max = 10_000;
        let (source, target) =
            (MemoryBucket::new(world.clock.clock()), MemoryBucket::new(world.clock.clock()));
        for number in 0..800 {
            let headers = ObjectHeaders::default();
            source.write(&key(number), Bytes::from_static(b"x"), &headers);
        }
        let server = DynamoDbLocal::shared();
        let table = server.fresh_table().await;
        let table: Arc<dyn Table> = Arc::new(DynamoTable::new(server.client(), table));
        let table = Arc::new(BilledTable::new(table, Arc::default()));
        let mut drive = Drive::over(
            Arc::clone(&table) as Arc<dyn Table>,
            job,
            Arc::new(source),
            Arc::new(target),
            &world.clock,
            &Fates::kind(),
            Weather::default(),
        );
        let pass = drive.begin("p1", None).await;
        let row = drive.until_end(&pass).await;
        assert_eq!(row.state, PassState::Finished, "{name}: {row:?}");
        let largest = table.largest_item();
        println!("{name}: the largest item takes {largest} of {ITEM_BYTES_MAX} bytes");
        assert!(largest < ITEM_BYTES_MAX, "{name}");
        assert!(largest > 100_000, "{name}: {largest} bytes are no worst case");
    }
}
