//! What the host asks for a pass, by a dated list of prices.

mod alibaba;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::meter::{OperationCounts, Requests};
use crate::restored::{Restored, RestoredPrice};
use crate::usage;

pub use self::alibaba::{AlibabaCost, AlibabaPrices};

/// The prices that stand in the program.
const AWS_US_EAST_1: &str = include_str!("prices/aws-us-east-1.toml");

/// Objects that an estimate is for, each of [`ESTIMATE_BYTES`].
pub const ESTIMATE_OBJECTS: u64 = 1_000_000;

/// Bytes of each object that an estimate is for.
pub const ESTIMATE_BYTES: u64 = 10_000;

/// As S3 bills storage.
const GIGABYTE: f64 = 1_073_741_824.0;

/// As the price of a month is told.
const DAYS_OF_A_MONTH: f64 = 30.0;

/// Prices in USD for one of each.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Whose they are.
    pub place: String,
    /// When they were read.
    pub date: String,
    /// Writing 1 KB to the table.
    pub write_unit: f64,
    /// Reading 4 KB from it.
    pub read_unit: f64,
    /// A request to a queue.
    pub queue_request: f64,
    /// An invocation of a function.
    pub invocation: f64,
    /// A gigabyte of a function's memory for a second.
    pub gb_second: f64,
    /// GET or HEAD at an S3 source.
    pub get_request: f64,
    /// LIST at an S3 source.
    pub list_request: f64,
    /// A gigabyte from AWS to the Internet.
    pub egress_gigabyte: f64,
    /// A gigabyte and month of what was restored.
    pub restored_copy_gigabyte_month: f64,
    /// Restorations at an S3 source.
    pub restorations: Vec<RestorationPrice>,
    /// The page of each kind of price.
    pub sources: BTreeMap<String, String>,
    /// Whose published example stands beside.
    pub peer: Peer,
}

/// What restoring an object costs.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestorationPrice {
    /// Its storage class.
    pub class: String,
    /// How soon.
    pub tier: String,
    /// The request.
    pub request: f64,
    /// A gigabyte of it.
    pub gigabyte: f64,
}

/// A published example.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Whose.
    pub name: String,
    /// Objects moved in it.
    pub objects: u64,
    /// What that costs in all.
    pub price: f64,
}

/// What a pass cost on AWS, in USD.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Whose prices, and of what date.
    pub prices: String,
    /// Units of the table.
    pub table: f64,
    /// Requests to the queues.
    pub queues: f64,
    /// Invocations and gigabyte-seconds.
    pub functions: f64,
    /// The sum of these: what the host bills. Requests to the stores and traffic are apart.
    pub host: f64,
    /// Requests to the source, where it is Amazon's S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_requests: Option<f64>,
}

/// What a host uses for a task, measured over a pass of small objects (`tests/it/aws/cost.rs`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskUse {
    /// Objects of the task.
    pub objects: u64,
    /// Units written to the table.
    pub write_units: u64,
    /// Units read from it.
    pub read_units: u64,
    /// Requests to queues.
    pub queue_requests: u64,
    /// Invocations.
    pub invocations: u64,
}

/// Rounded up from what was measured.
pub const MEASURED: TaskUse =
    TaskUse { objects: 1_000, write_units: 60, read_units: 25, queue_requests: 4, invocations: 2 };

/// What a function of 512 MiB does: two requests of 80 ms an object with 64 objects in flight, and 75 MB
/// a second.
pub const MEMORY_MIB: u64 = 512;
/// What an object takes of such a function, whatever its size.
pub const OBJECT_MICROS: u64 = 2_500;
const BYTES_PER_SECOND: u64 = 75_000_000;

impl Prices {
    /// AWS in us-east-1.
    pub fn aws_us_east_1() -> Self {
        toml::from_str(AWS_US_EAST_1).expect("the price list of this program is read by its tests")
    }

    /// What was used of AWS, priced; `None` where that is nothing.
    pub fn cost(&self, requests: &Requests, source_is_s3: bool) -> Option<Cost> {
        let units = |name: &str| count(&requests.host, name);
        let billed = [
            usage::WRITE_UNITS,
            usage::READ_UNITS,
            usage::QUEUE_REQUESTS,
            usage::INVOCATIONS,
            usage::GB_MILLISECONDS,
        ];
        if !billed.into_iter().any(|name| requests.host.contains_key(name)) {
            return None;
        }
        let table =
            units(usage::WRITE_UNITS) * self.write_unit + units(usage::READ_UNITS) * self.read_unit;
        let queues = units(usage::QUEUE_REQUESTS) * self.queue_request;
        let functions = units(usage::INVOCATIONS) * self.invocation
            + units(usage::GB_MILLISECONDS) / 1_000.0 * self.gb_second;
        let of_source = |(operation, made): (&String, &u64)| {
            let price =
                if operation.starts_with("List") { self.list_request } else { self.get_request };
            float(*made) * price
        };
        Some(Cost {
            prices: format!("{} of {}", self.place, self.date),
            table,
            queues,
            functions,
            host: table + queues + functions,
            source_requests: source_is_s3.then(|| requests.source.iter().map(of_source).sum()),
        })
    }

    /// What a source that is Amazon's S3 asks for these restorations; `None` where no price is known.
    pub fn restored(&self, restored: &Restored) -> Option<RestoredPrice> {
        let is_of = |price: &&RestorationPrice| {
            price.class == restored.class && price.tier == restored.tier
        };
        let price = self.restorations.iter().find(is_of)?;
        let gigabytes = float(restored.bytes) / GIGABYTE;
        let retrieval = float(restored.objects) * price.request + gigabytes * price.gigabyte;
        Some(RestoredPrice {
            retrieval,
            copy_day: gigabytes * self.restored_copy_gigabyte_month / DAYS_OF_A_MONTH,
            prices: format!("{} of {}", self.place, self.date),
        })
    }

    /// What [`ESTIMATE_OBJECTS`] of [`ESTIMATE_BYTES`] would be billed by the host, by what tasks of this
    /// program were measured to use.
    pub fn estimate(&self) -> f64 {
        let tasks = ESTIMATE_OBJECTS.div_ceil(MEASURED.objects);
        let micros = ESTIMATE_OBJECTS * OBJECT_MICROS
            + ESTIMATE_OBJECTS * ESTIMATE_BYTES / (BYTES_PER_SECOND / 1_000_000);
        let host = [
            (usage::WRITE_UNITS, tasks * MEASURED.write_units),
            (usage::READ_UNITS, tasks * MEASURED.read_units),
            (usage::QUEUE_REQUESTS, tasks * MEASURED.queue_requests),
            (usage::INVOCATIONS, tasks * MEASURED.invocations),
            (usage::GB_MILLISECONDS, usage::gb_milliseconds(MEMORY_MIB, micros / 1_000)),
        ];
        let host = host.into_iter().map(|(name, units)| (name.to_owned(), units)).collect();
        let requests = Requests { host, ..Requests::default() };
        self.cost(&requests, false).map_or(0.0, |cost| cost.host)
    }
}

impl Peer {
    /// What its example costs for a million objects.
    pub fn price_per_million(&self) -> f64 {
        self.price * 1e6 / float(self.objects)
    }
}

fn count(counts: &OperationCounts, name: &str) -> f64 {
    float(counts.get(name).copied().unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a pass are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        let host = [
            (usage::WRITE_UNITS, 1_000_000),
            (usage::READ_UNITS, 2_000_000),
            (usage::QUEUE_REQUESTS, 1_000_000),
            (usage::INVOCATIONS, 1_000_000),
            (usage::GB_MILLISECONDS, 3_000_000),
            ("PutItem", 7),
        ];
        Requests {
            source: [("GetObject".to_owned(), 10_000), ("ListObjectsV2".to_owned(), 1_000)].into(),
            host: host.map(|(name, units)| (name.to_owned(), units)).into(),
            ..Requests::default()
        }
    }

    #[test]
    fn units_are_priced_by_the_list() {
        let prices = Prices::aws_us_east_1();
        let cost = prices.cost(&requests(), true).unwrap();
        let near = |found: f64, want: f64| (found - want).abs() < 1e-6;
        assert!(near(cost.table, 0.625 + 0.25), "{cost:?}");
        assert!(near(cost.queues, 0.4), "{cost:?}");
        assert!(near(cost.functions, 0.2 + 3_000.0 * 0.000_016_666_7), "{cost:?}");
        assert!(near(cost.host, cost.table + cost.queues + cost.functions), "{cost:?}");
        assert!(near(cost.source_requests.unwrap(), 0.004 + 0.005), "{cost:?}");
        assert_eq!(cost.prices, "AWS us-east-1 of 2026-09-19");
        assert_eq!(prices.cost(&requests(), false).unwrap().source_requests, None);
        assert_eq!(prices.cost(&Requests::default(), true), None);
    }

    /// AWS's own example: 15 million objects of 100 TB in all, by the three tiers.
    #[test]
    fn restorations_are_priced_by_request_and_by_gigabyte() {
        let prices = Prices::aws_us_east_1();
        let asked = |class: &str, tier: &str| {
            let (class, tier) = (class.to_owned(), tier.to_owned());
            let (objects, bytes) = (15_000_000, 102_400 << 30);
            prices.restored(&Restored { class, tier, objects, bytes, price: None })
        };
        for (tier, dollars) in
            [("Standard", 750.0 + 1_024.0), ("Expedited", 150_000.0 + 3_072.0), ("Bulk", 0.0)]
        {
            let price = asked("GLACIER", tier).unwrap();
            assert!((price.retrieval - dollars).abs() < 1e-6, "{tier}: {price:?}");
            assert!((price.copy_day - 102_400.0 * 0.023 / 30.0).abs() < 1e-6, "{price:?}");
        }
        assert_eq!(asked("DEEP_ARCHIVE", "Expedited"), None, "there is no such tier");
        assert_eq!(asked("Archive", "Standard"), None, "of another store");
    }

    #[test]
    fn every_price_has_its_page_and_its_date() {
        let aws = Prices::aws_us_east_1();
        let alibaba = AlibabaPrices::mainland();
        let pages =
            aws.sources.values().chain(alibaba.sources.values()).chain(alibaba.unknown.values());
        assert!(pages.clone().all(|page| page.starts_with("https://")));
        assert!(pages.count() >= 12);
        for date in [&aws.date, &alibaba.date] {
            let day = format!("{date}T00:00:00Z");
            assert!(crate::time::Timestamp::from_rfc3339(&day).is_some(), "{date}");
        }
        let copier = 0.5 * alibaba.units_vcpu_second
            + 0.5 * (alibaba.units_memory_gb_second + alibaba.units_disk_gb_second);
        assert!((copier * alibaba.unit * 3_600.0 - 0.2376).abs() < 1e-9, "CNY an hour");
    }

    #[test]
    fn a_million_small_objects_are_estimated_below_a_tenth_of_a_dollar() {
        let prices = Prices::aws_us_east_1();
        let estimate = prices.estimate();
        assert!(estimate > 0.05 && estimate <= 0.10, "{estimate}");
        assert!((prices.peer.price_per_million() - 10.371).abs() < 0.001);
    }
}
