//! Tables of Tablestore for one test, over the emulator.

use std::sync::Arc;

use ossferry_aliyun::TablestoreTable;
use ossferry_aliyun::tablestore::TablestoreOptions;
use ossferry_core::time::Clock;
use ossferry_http::{Credentials, Endpoint, Lane, LaneOptions, StaticCredentials};
use smq_tablestore_emulator::tablestore::Instance;
use smq_tablestore_emulator::{Faults, RunningEmulator, TablestoreEmulator};

use crate::clock;
use crate::smq::{account, credentials, quick_retry};

/// The emulator's region.
pub const REGION: &str = "cn-hangzhou";

/// The emulator's instance.
pub const INSTANCE: &str = "ferries";

/// A table as the product wants it.
pub const TABLE: &str = "ledger";

/// An endpoint of Tablestore with one empty table.
pub struct Tablestore {
    emulator: TablestoreEmulator,
    running: RunningEmulator,
}

impl Tablestore {
    /// Starts one that takes both signatures.
    pub async fn start() -> Self {
        Self::start_taking(true).await
    }

    /// Starts one that takes V4, or does not.
    pub async fn start_taking(takes_v4: bool) -> Self {
        let (name, region) = (INSTANCE.to_owned(), REGION.to_owned());
        let instance = Instance { account: account(), name, region, takes_v4 };
        let emulator = TablestoreEmulator::new(instance, clock::system());
        emulator.create_table(TABLE, &["partition", "sort"]);
        let running = emulator.serve().await;
        Self { emulator, running }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.running.endpoint()
    }

    /// Faults to put on requests.
    pub fn faults(&self) -> &Faults {
        self.emulator.faults()
    }

    /// The table as the product reaches it.
    pub fn table(&self) -> TablestoreTable {
        self.reach(TABLE, &credentials(), clock::system())
    }

    /// A table that may be there, for whoever signs so by this clock.
    pub fn reach(&self, table: &str, credentials: &Credentials, clock: Clock) -> TablestoreTable {
        TablestoreTable::new(TablestoreOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: Endpoint::parse(&self.endpoint()).expect("an endpoint"),
            instance: INSTANCE.to_owned(),
            region: REGION.to_owned(),
            table: table.to_owned(),
            credentials: Arc::new(StaticCredentials::new(credentials.clone())),
            clock,
            retry: quick_retry(),
        })
    }
}
