//! The estimate for people.

use std::fmt;

use ossferry_core::job::WORKERS_MAX;
use ossferry_core::report::grouped;

use super::Estimate;
use super::cost::{Bill, Item, Store, Trust};
use super::fleet::{Fleet, Quota, TARGET_REQUESTS_PER_SECOND_MAX};
use super::work::{SizeClass, Work};
use crate::amount;

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, fleet, .. } = self;
        let wanted = duration(self.seconds);
        let objects = grouped(work.objects);
        writeln!(f, "{} in {objects} objects, in {wanted}", amount::shown(work.bytes))?;
        for said in &self.said {
            writeln!(f, "  {said}")?;
        }
        sizes(f, &self.sizes)?;
        plan(f, work)?;
        functions(f, self, fleet)?;
        for bill in [&self.source, &self.on_alibaba, &self.on_aws, &self.target] {
            costs(f, bill)?;
        }
        f.write_str("no tax, free tier or discount is in it; what has no price here is in no sum")
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {name:<20}{text}")
}

fn sizes(f: &mut fmt::Formatter<'_>, classes: &[SizeClass]) -> fmt::Result {
    for SizeClass { bytes_max, objects, bytes } in classes {
        let name = format!("to {}", binary(*bytes_max));
        line(f, &name, &format!("{:>15} objects, {}", grouped(*objects), amount::shown(*bytes)))?;
    }
    Ok(())
}

/// A power of two.
fn binary(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = bytes.max(1).ilog2() / 10;
    format!("{} {}", bytes >> (10 * unit), units[(unit as usize).min(units.len() - 1)])
}

fn plan(f: &mut fmt::Formatter<'_>, work: &Work) -> fmt::Result {
    let large = format!(
        "{} of them large objects, in {} parts and {} ranges",
        grouped(work.uploads),
        grouped(work.parts),
        grouped(work.ranges)
    );
    line(f, "tasks", &format!("{}; {large}", grouped(work.tasks)))?;
    for (name, requests) in
        [("source requests", &work.source_requests), ("target requests", &work.target_requests)]
    {
        let asked = requests.iter().filter(|(_, count)| **count > 0);
        let each: Vec<_> =
            asked.map(|(operation, count)| format!("{operation} {}", grouped(*count))).collect();
        line(f, name, &each.join(", "))?;
    }
    Ok(())
}

fn functions(f: &mut fmt::Formatter<'_>, estimate: &Estimate, fleet: &Fleet) -> fmt::Result {
    let rate = &estimate.rate;
    let each = format!("{} a second each, {}", amount::shown(rate.expected), rate.basis);
    line(f, "functions", &format!("{}, of {each}", grouped(fleet.functions)))?;
    let finish = &fleet.finish;
    let between = format!(
        "{}; between {} and {}, at {} and {} a second",
        duration(finish.expected),
        duration(finish.earliest),
        duration(finish.latest),
        amount::shown(rate.high),
        amount::shown(rate.low)
    );
    line(f, "through in", &between)?;
    let through = format!(
        "{} a second, of {} that OSS takes of an account in {}{}; {} requests a second, of {}",
        amount::shown(fleet.bytes_per_second),
        amount::shown(fleet.target_bytes_per_second_max),
        estimate.region,
        if estimate.from == Store::Cos { ", and 1.8 GB that COS gives of a bucket" } else { "" },
        grouped(fleet.requests_per_second),
        grouped(TARGET_REQUESTS_PER_SECOND_MAX),
    );
    line(f, "on the way", &through)?;
    quotas(f, "on Alibaba Cloud", &fleet.alibaba)?;
    let workers = format!(
        "[limits] workers = {} in the job file, where copiers run on Function Compute",
        fleet.functions.min(WORKERS_MAX)
    );
    line(f, "", &workers)?;
    quotas(f, "on AWS", &fleet.aws)?;
    let machines = &fleet.ossimport;
    let beside = format!(
        "{} machines of 2 vCPU and 4 GB by its guide, {} vCPU-seconds; here {} of half a vCPU",
        grouped(machines.machines),
        grouped(machines.vcpu_seconds),
        grouped(fleet.function_seconds)
    );
    line(f, "ossimport", &beside)
}

fn quotas(f: &mut fmt::Formatter<'_>, name: &str, quotas: &[Quota]) -> fmt::Result {
    let each: Vec<_> = quotas
        .iter()
        .map(|Quota { name, needed, granted }| {
            let ask = if needed > granted { ": ASK FOR MORE" } else { "" };
            format!("{} {name} of {}{ask}", grouped(*needed), grouped(*granted))
        })
        .collect();
    line(f, name, &format!("{}, planners included", each.join(", ")))
}

fn costs(f: &mut fmt::Formatter<'_>, bill: &Bill) -> fmt::Result {
    let sum = format!("{} {}", bill.currency, money(bill.sum));
    let is_open = |item: &Item| matches!(item.trust, Trust::Unverified | Trust::Unknown);
    let sum =
        match (bill.items.iter().any(|item| item.trust.counts()), bill.items.iter().any(is_open)) {
            (true, true) => format!("{sum}, and what has no price here"),
            (true, false) => sum,
            (false, true) => "no price that can be relied on".to_owned(),
            (false, false) => "free".to_owned(),
        };
    writeln!(f, "{}: {sum}", bill.of)?;
    for item in &bill.items {
        let Item { name, quantity, currency, amount, trust, source } = item;
        let price = match (trust, amount) {
            (Trust::Free, _) => "free".to_owned(),
            (Trust::Unverified, Some(amount)) => format!("({currency} {}?)", money(*amount)),
            (_, Some(amount)) => format!("{currency} {}", money(*amount)),
            (_, None) => "no price here".to_owned(),
        };
        writeln!(f, "  {name:<14}{price:>18}  {quantity}; {source}")?;
    }
    Ok(())
}

/// Two decimals, and a comma at every thousand.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no bill is negative or has 20 digits"
)]
fn money(amount: f64) -> String {
    let hundredths = (amount * 100.0).round() as u64;
    format!("{}.{:02}", grouped(hundredths / 100), hundredths % 100)
}

/// Days, hours or minutes, to a tenth.
pub(super) fn duration(seconds: u64) -> String {
    let (unit, length) = match seconds {
        172_800.. => ("days", 86_400),
        7_200.. => ("hours", 3_600),
        120.. => ("minutes", 60),
        _ => return format!("{seconds} s"),
    };
    let tenths = seconds.saturating_mul(10) / length;
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}
