//! What Alibaba Cloud asks for a pass.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::count;
use crate::meter::Requests;
use crate::usage;

/// The prices that stand in the program.
const ALIBABA_MAINLAND: &str = include_str!("alibaba-mainland.toml");

/// Prices in CNY for one of each.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibabaPrices {
    /// Whose they are.
    pub place: String,
    /// Of what date the page of Function Compute was.
    pub date: String,
    /// A unit of Function Compute.
    pub unit: f64,
    /// Units for a processor and second.
    pub units_vcpu_second: f64,
    /// Units for a gigabyte of memory and second.
    pub units_memory_gb_second: f64,
    /// Units for a gigabyte of disk and second.
    pub units_disk_gb_second: f64,
    /// Units for a call.
    pub units_call: f64,
    /// A gigabyte from COS to the Internet, by hearsay.
    pub cos_egress_gigabyte_unverified: f64,
    /// The page of each kind of price.
    pub sources: BTreeMap<String, String>,
    /// The page of each price that is not known here.
    pub unknown: BTreeMap<String, String>,
}

impl AlibabaPrices {
    /// Alibaba Cloud in mainland China.
    pub fn mainland() -> Self {
        toml::from_str(ALIBABA_MAINLAND)
            .expect("the price list of this program is read by its tests")
    }

    /// What was used of Alibaba Cloud, priced as far as prices are known; `None` where that is nothing.
    pub fn cost(&self, requests: &Requests) -> Option<AlibabaCost> {
        let of = |name: &str| requests.host.get(name).copied().unwrap_or_default();
        let cost = AlibabaCost {
            prices: format!("{} of {}", self.place, self.date),
            functions: self.functions(requests),
            calls: of(usage::FC_CALLS),
            unsized_calls: of(usage::FC_UNSIZED_CALLS),
            queue_requests: of(usage::SMQ_REQUESTS),
            table_read_units: of(usage::TABLESTORE_READ_UNITS),
            table_write_units: of(usage::TABLESTORE_WRITE_UNITS),
        };
        let used = [cost.calls, cost.queue_requests, cost.table_read_units, cost.table_write_units];
        (cost.functions.is_some() || used.iter().any(|used| *used > 0)).then_some(cost)
    }

    fn functions(&self, requests: &Requests) -> Option<f64> {
        // Whoever is not told how many processors he has counts none.
        requests.host.get(usage::FC_MILLIVCPU_MILLISECONDS)?;
        let thousands = |name: &str| count(&requests.host, name) / 1e3;
        let units = thousands(usage::FC_MILLIVCPU_MILLISECONDS) / 1e3 * self.units_vcpu_second
            + thousands(usage::FC_MEMORY_GB_MILLISECONDS) * self.units_memory_gb_second
            + thousands(usage::FC_DISK_GB_MILLISECONDS) * self.units_disk_gb_second
            + count(&requests.host, usage::FC_CALLS) * self.units_call;
        Some(units * self.unit)
    }
}

/// What a pass cost on Alibaba Cloud, and what it used that has no price here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AlibabaCost {
    /// Whose prices, and of what date.
    pub prices: String,
    /// Function Compute, in CNY; `None` where no function is told how many processors it has.
    pub functions: Option<f64>,
    /// Calls of the functions, which are in that price.
    pub calls: u64,
    /// Those of them whose time is in no price: their functions are not told their size.
    pub unsized_calls: u64,
    /// Requests to queues. No price is known here.
    pub queue_requests: u64,
    /// Units of 4 KB read from the table. No price is known here.
    pub table_read_units: u64,
    /// Units of 4 KB written to it. No price is known here.
    pub table_write_units: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(host: &[(&str, u64)]) -> Requests {
        let host = host.iter().map(|(name, units)| ((*name).to_owned(), *units)).collect();
        Requests { host, ..Requests::default() }
    }

    #[test]
    fn functions_are_priced_and_what_has_no_price_is_counted() {
        let prices = AlibabaPrices::mainland();
        // A copier of the default size over an hour, called once.
        let hour = [
            (usage::FC_CALLS, 1),
            (usage::FC_MILLIVCPU_MILLISECONDS, 500 * 3_600_000),
            (usage::FC_MEMORY_GB_MILLISECONDS, 1_800_000),
            (usage::FC_DISK_GB_MILLISECONDS, 1_800_000),
            (usage::SMQ_REQUESTS, 7),
            (usage::TABLESTORE_READ_UNITS, 11),
            (usage::TABLESTORE_WRITE_UNITS, 13),
        ];
        let cost = prices.cost(&requests(&hour)).unwrap();
        let want = 0.2376 + 0.0075 * 0.00011;
        assert!((cost.functions.unwrap() - want).abs() < 1e-9, "{cost:?}");
        let counted = (cost.queue_requests, cost.table_read_units, cost.table_write_units);
        assert_eq!((cost.calls, counted), (1, (7, 11, 13)));
        assert_eq!(cost.prices, "Alibaba Cloud, mainland China of 2025-12-13");
    }

    #[test]
    fn a_function_of_unknown_size_has_no_price() {
        let prices = AlibabaPrices::mainland();
        let cost = prices.cost(&requests(&[(usage::FC_CALLS, 1)])).unwrap();
        assert_eq!(cost.functions, None);
        assert_eq!(prices.cost(&requests(&[(usage::WRITE_UNITS, 1)])), None, "that is AWS's");
        assert_eq!(prices.cost(&requests(&[])), None);
    }
}
