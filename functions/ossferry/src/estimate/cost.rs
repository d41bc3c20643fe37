//! What it costs, item by item, each with the page and the date of its price. What has no price that can be
//! relied on is named, and is in no sum.

use ossferry_core::prices::{AlibabaPrices, MEASURED, MEMORY_MIB, Prices};
use ossferry_core::report::grouped;
use ossferry_core::restored::Restored;
use serde::Serialize;

use super::work::Work;
use crate::amount::shown;

/// How far a price is to be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Trust {
    /// Published, with page and date.
    Listed,
    /// Given on the command line.
    Given,
    /// By hearsay: in no sum.
    Unverified,
    /// Not known here: in no sum.
    Unknown,
    /// Nothing is asked.
    Free,
}

impl Trust {
    /// Whether a price of this kind is in a sum.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::Listed | Self::Given)
    }
}

/// Something that is billed.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Item {
    /// What.
    pub(super) name: &'static str,
    /// How much of it.
    pub(super) quantity: String,
    /// `CNY`, `USD`.
    pub(super) currency: &'static str,
    /// `None` where the price is unknown.
    pub(super) amount: Option<f64>,
    /// Whether it counts.
    pub(super) trust: Trust,
    /// Page and date of the price, or where to look.
    pub(super) source: String,
}

/// What is billed by one cloud.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Bill {
    /// Of which.
    pub(super) of: &'static str,
    /// Dearest kind first.
    pub(super) items: Vec<Item>,
    /// The sum of what can be relied on.
    pub(super) sum: f64,
    /// Of the sum.
    pub(super) currency: &'static str,
}

impl Bill {
    fn new(of: &'static str, currency: &'static str, items: Vec<Item>) -> Self {
        let counts = |item: &&Item| item.trust.counts();
        let sum = items.iter().filter(counts).filter_map(|item| item.amount).sum();
        Self { of, items, sum, currency }
    }
}

/// Where the bytes come from, as far as prices differ by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Store {
    /// Amazon S3
    S3,
    /// Tencent COS
    Cos,
    /// Alibaba Cloud OSS
    Oss,
    /// A disk of one's own
    Folder,
    /// Anything else
    Other,
}

/// What the job file asks the source to restore.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Archive {
    /// By class.
    pub(super) restored: Vec<Restored>,
    /// How long the copies are kept.
    pub(super) days: u32,
}

/// What the source's cloud bills.
pub(super) fn of_source(
    work: &Work,
    from: Store,
    given: Option<f64>,
    archive: Option<&Archive>,
) -> Bill {
    let aws = Prices::aws_us_east_1();
    let alibaba = AlibabaPrices::mainland();
    let gigabytes = gigabytes(work.bytes);
    let requests: u64 = work.source_requests.values().sum();
    let unknown = |name, quantity: String, page: &str| Item {
        name,
        quantity,
        currency: "",
        amount: None,
        trust: Trust::Unknown,
        source: format!("see {page}"),
    };
    let currency = if from == Store::S3 { "USD" } else { "CNY" };
    let priced = |name, quantity: String, amount, trust, source: String| Item {
        name,
        quantity,
        currency,
        amount: Some(amount),
        trust,
        source,
    };
    let asked = format!("{} requests", grouped(requests));
    let out = carried(work);
    let by_aws = |kind: &str| format!("{}, {}", aws.sources[kind], aws.date);
    let (traffic, requests) = match from {
        Store::S3 => (
            priced(
                "traffic out",
                out.clone(),
                gigabytes * aws.egress_gigabyte,
                Trust::Listed,
                format!("{}; the first tier, later ones are cheaper", by_aws("traffic")),
            ),
            priced("requests", asked, s3_requests(work, &aws), Trust::Listed, by_aws("requests")),
        ),
        Store::Cos => (
            priced(
                "traffic out",
                out.clone(),
                gigabytes * alibaba.cos_egress_gigabyte_unverified,
                Trust::Unverified,
                format!("by hearsay; ask, and see {}", alibaba.sources["cos_egress"]),
            ),
            unknown("requests", asked, &alibaba.unknown["cos_requests"]),
        ),
        Store::Oss => (
            unknown("traffic out", out.clone(), &alibaba.unknown["oss_egress"]),
            unknown("requests", asked, &alibaba.unknown["oss_requests"]),
        ),
        Store::Folder => (
            unknown("traffic out", out.clone(), "what your line costs"),
            priced("requests", asked, 0.0, Trust::Free, "a disk of one's own".to_owned()),
        ),
        Store::Other => (
            unknown("traffic out", out.clone(), "its provider's price list"),
            unknown("requests", asked, "its provider's price list"),
        ),
    };
    let traffic = match given {
        Some(price) => {
            let source = "given as --egress-price".to_owned();
            priced("traffic out", out, gigabytes * price, Trust::Given, source)
        }
        None => traffic,
    };
    let mut items = vec![traffic, requests];
    items.extend(archive.into_iter().flat_map(|archive| restorations(archive, from, &aws)));
    Bill::new("source", currency, items)
}

/// Restoring what is archived, and keeping the copies; before all else that is done to them.
fn restorations(archive: &Archive, from: Store, aws: &Prices) -> Vec<Item> {
    let days = archive.days;
    let of_one = |restored: &Restored| {
        let Restored { class, tier, objects, bytes, .. } = restored;
        let kept = shown(*bytes);
        let quantity = format!("{} objects of {kept}, {class} by tier {tier}", grouped(*objects));
        let price = aws.restored(restored).filter(|_| from == Store::S3);
        let trust = if price.is_some() { Trust::Listed } else { Trust::Unknown };
        let page = &aws.sources["restorations"];
        let source = match &price {
            Some(_) => format!("{page}, {}", aws.date),
            None => "see its provider's price list".to_owned(),
        };
        let item = |name, quantity, amount| Item {
            name,
            quantity,
            currency: if from == Store::S3 { "USD" } else { "" },
            amount,
            trust,
            source: source.clone(),
        };
        let copies = price.as_ref().map(|price| price.copy_day * f64::from(days));
        [
            item("restoring", quantity, price.map(|price| price.retrieval)),
            item("restored copies", format!("{kept} for {days} days"), copies),
        ]
    };
    archive.restored.iter().flat_map(of_one).collect()
}

/// What functions, table and queues cost on Alibaba Cloud.
pub(super) fn on_alibaba(work: &Work, function_seconds: u64) -> Bill {
    let prices = AlibabaPrices::mainland();
    let units_second = 0.5 * prices.units_vcpu_second
        + 0.5 * (prices.units_memory_gb_second + prices.units_disk_gb_second);
    let calls = float((work.tasks + work.ranges) * MEASURED.invocations);
    let units = float(function_seconds) * units_second + calls * prices.units_call;
    let unknown = |name, quantity, kind: &str| Item {
        name,
        quantity,
        currency: "CNY",
        amount: None,
        trust: Trust::Unknown,
        source: format!("see {}", prices.unknown[kind]),
    };
    let rows = work.tasks + work.ranges;
    let items = vec![
        Item {
            name: "functions",
            quantity: format!("{units:.0} units: copiers of 0.5 vCPU and 512 MB"),
            currency: "CNY",
            amount: Some(units * prices.unit),
            trust: Trust::Listed,
            source: format!("{}, {}", prices.sources["functions"], prices.date),
        },
        unknown(
            "table",
            // A unit of Tablestore is 4 KB, of which the same rows need no more.
            format!("{} units written at most", grouped(rows * MEASURED.write_units)),
            "table",
        ),
        unknown(
            "queues",
            format!("{} requests", grouped(rows * MEASURED.queue_requests)),
            "queues",
        ),
    ];
    Bill::new("functions, table and queues on Alibaba Cloud", "CNY", items)
}

/// What functions, table and queues cost on AWS; and, where the source is not there, the bytes' way out.
pub(super) fn on_aws(work: &Work, function_seconds: u64, from: Store) -> Bill {
    let prices = Prices::aws_us_east_1();
    let rows = work.tasks + work.ranges;
    let listed = |name, quantity, amount, kind: &str| Item {
        name,
        quantity,
        currency: "USD",
        amount: Some(amount),
        trust: Trust::Listed,
        source: format!("{}, {}", prices.sources[kind], prices.date),
    };
    let written = rows * MEASURED.write_units;
    let read = rows * MEASURED.read_units;
    let sent = rows * MEASURED.queue_requests;
    let gb_seconds = float(function_seconds) * float(MEMORY_MIB) / 1_024.0;
    let functions =
        gb_seconds * prices.gb_second + float(rows * MEASURED.invocations) * prices.invocation;
    let mut items = vec![
        listed(
            "functions",
            format!("{gb_seconds:.0} GB-seconds at 512 MiB"),
            functions,
            "functions",
        ),
        listed(
            "table",
            format!("{} units written, {} read, at most", grouped(written), grouped(read)),
            float(written) * prices.write_unit + float(read) * prices.read_unit,
            "table",
        ),
        listed(
            "queues",
            format!("{} requests", grouped(sent)),
            float(sent) * prices.queue_request,
            "queues",
        ),
    ];
    if from != Store::S3 {
        let gigabytes = gigabytes(work.bytes);
        let again = format!("{} once more, all by the first tier", carried(work));
        items
            .insert(0, listed("traffic out", again, gigabytes * prices.egress_gigabyte, "traffic"));
    }
    Bill::new("functions, table and queues on AWS", "USD", items)
}

/// What OSS bills.
pub(super) fn of_target(work: &Work) -> Bill {
    let prices = AlibabaPrices::mainland();
    let requests: u64 = work.target_requests.values().sum();
    let items = vec![
        Item {
            name: "traffic in",
            quantity: carried(work),
            currency: "CNY",
            amount: Some(0.0),
            trust: Trust::Free,
            source: "traffic into OSS is free".to_owned(),
        },
        Item {
            name: "requests",
            quantity: format!("{} requests, most of the kind of PUT", grouped(requests)),
            currency: "CNY",
            amount: None,
            trust: Trust::Unknown,
            source: format!("see {}", prices.unknown["oss_requests"]),
        },
    ];
    Bill::new("target", "CNY", items)
}

fn s3_requests(work: &Work, prices: &Prices) -> f64 {
    let of = |(operation, made): (&&str, &u64)| {
        let price =
            if operation.starts_with("List") { prices.list_request } else { prices.get_request };
        float(*made) * price
    };
    work.source_requests.iter().map(of).sum()
}

fn carried(work: &Work) -> String {
    format!("{} GB", grouped(work.bytes.div_ceil(1_000_000_000)))
}

fn gigabytes(bytes: u64) -> f64 {
    float(bytes) / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}
