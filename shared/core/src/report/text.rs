//! The report for people.

use std::fmt::{self, Write as _};

use super::{Report, ReportState};
use crate::meter::OperationCounts;
use crate::outcome::Outcome;
use crate::prices::{AlibabaCost, Cost, ESTIMATE_BYTES, ESTIMATE_OBJECTS, Peer, Prices};
use crate::restored::{Restored, RestoredPrice};

impl fmt::Display for Report {
    /// Several lines, numbers aligned, lines of nothing left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pass {} ({}): {}", self.pass, self.kind, self.state)?;
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        writeln!(f, ", {}", duration(self.seconds))?;
        if self.listed == 0 && self.state != ReportState::Open {
            writeln!(f, "  nothing was listed: look at the bucket, the prefix and the rights")?;
        }
        line(f, "listed", self.listed, &bytes(self.bytes_listed))?;
        for (name, count, note) in [
            ("filtered", self.filtered, "not of the job"),
            ("skipped", self.skipped_equal, "equal at the target"),
            ("skipped", self.skipped_exists, "there already, and the policy is never"),
            ("skipped", self.skipped_deleted, "copied before, deleted at the target since"),
        ] {
            if count > 0 {
                line(f, name, count, note)?;
            }
        }
        line(f, "planned", self.planned, &bytes(self.bytes_planned))?;
        for outcome in Outcome::ALL {
            let count = self.of(outcome);
            if count > 0 || is_always_told(self, outcome) {
                let copied = bytes(self.bytes_copied);
                let note = if outcome == Outcome::Copied { &copied } else { meaning(outcome) };
                line(f, &format!("  {outcome}"), count, note)?;
            }
        }
        if self.pending > 0 {
            line(f, "  pending", self.pending, "no outcome yet")?;
        }
        if self.restoring > 0 {
            let note = "of them, asked for at the source and waited for";
            line(f, "    restoring", self.restoring, note)?;
        }
        for restored in &self.restored {
            let Restored { class, tier, objects, bytes: restored_bytes, price } = restored;
            let mut note = format!("{} of class {class}, tier {tier}", bytes(*restored_bytes));
            if let Some(RestoredPrice { retrieval, copy_day, prices }) = price {
                let _ = write!(
                    note,
                    ": ${retrieval:.4}, and ${copy_day:.4} for each day of the copies, by prices of {prices}"
                );
            }
            line(f, "asked to restore", *objects, &note)?;
        }
        if self.reread > 0 {
            line(f, "read again", self.reread, &bytes(self.bytes_reread))?;
        }
        for (property, departed) in &self.departures {
            for (fate, count) in [("mapped", departed.mapped), ("dropped", departed.dropped)] {
                if count > 0 {
                    let note = format!("{property}: see inspect objects --{fate} {property}");
                    line(f, &format!("    {fate}"), count, &note)?;
                }
            }
        }
        for (name, count, note) in [
            ("proof A", self.proof.a, "digests by both servers agree"),
            ("proof B", self.proof.b, "the source's digest and the target's agree with ours"),
            ("proof C", self.proof.c, "the target's CRC-64 agrees with ours of the bytes streamed"),
            ("proof D", self.proof.d, "sizes agree: no digest was offered"),
        ] {
            if count > 0 {
                line(f, name, count, note)?;
            }
        }
        for (side, counts) in [("source", &self.requests.source), ("target", &self.requests.target)]
        {
            let name = format!("{side} requests");
            line(f, &name, counts.values().sum(), &by_operation(counts))?;
        }
        if !self.requests.host.is_empty() {
            let host = by_operation(&self.requests.host);
            writeln!(f, "  {:<32}  {host}", "host")?;
        }
        if let Some(cost) = &self.cost {
            cost_lines(f, cost, &Prices::aws_us_east_1())?;
        }
        if let Some(cost) = &self.alibaba_cost {
            alibaba_cost_line(f, cost)?;
        }
        if self.target_heads > 0 {
            let note = "target keys looked up one by one: the source does not list by bytes";
            line(f, "looked up", self.target_heads, note)?;
        }
        write!(f, "{} slices, {} tasks", grouped(self.slices), grouped(self.tasks))?;
        if self.serial {
            f.write_str("; walked serially: the source is not known to list by bytes")?;
            if self.is_audit() {
                f.write_str(", so each key of the target was asked for at the source")?;
            }
        }
        Ok(())
    }
}

/// What is told though it is nothing: that nothing was copied or failed, or that all is equal.
fn is_always_told(report: &Report, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Failed => true,
        Outcome::Copied => !report.is_audit(),
        Outcome::Missing | Outcome::Different => report.is_audit(),
        _ => false,
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, count: u64, note: &str) -> fmt::Result {
    let text = format!("  {name:<17}{:>15}  {note}", grouped(count));
    writeln!(f, "{}", text.trim_end())
}

fn by_operation(counts: &OperationCounts) -> String {
    let each: Vec<_> =
        counts.iter().map(|(operation, count)| format!("{operation} {count}")).collect();
    each.join(", ")
}

/// What the host asks for the pass, and an estimate beside what a peer publishes.
fn cost_lines(f: &mut fmt::Formatter<'_>, cost: &Cost, prices: &Prices) -> fmt::Result {
    let mut price_line = |name: &str, dollars: f64, note: &str| {
        writeln!(f, "  {name:<17}{:>15}  {note}", format!("${dollars:.4}"))
    };
    let Cost { table, queues, functions, .. } = cost;
    let note = format!(
        "table ${table:.4}, queues ${queues:.4}, functions ${functions:.4}, by prices of {}",
        cost.prices
    );
    price_line("cost", cost.host, &note)?;
    if let Some(requests) = cost.source_requests {
        price_line("source requests", requests, "requests to the target and traffic are apart")?;
    }
    let Peer { name, objects, price } = &prices.peer;
    let note = format!(
        "the host for {} objects of {} KB; {name} publishes ${price} for {} objects of that size, \
         requests and traffic included: ${:.2} a million",
        grouped(ESTIMATE_OBJECTS),
        ESTIMATE_BYTES / 1_000,
        grouped(*objects),
        prices.peer.price_per_million(),
    );
    price_line("estimate", prices.estimate(), &note)
}

fn alibaba_cost_line(f: &mut fmt::Formatter<'_>, cost: &AlibabaCost) -> fmt::Result {
    let (price, calls) =
        (cost.functions.map(|price| format!("CNY {price:.4}")), grouped(cost.calls));
    let of = match price {
        Some(_) if cost.unsized_calls > 0 => format!(
            "{calls} calls of functions, by prices of {}, without the time of {} that are not told their size",
            cost.prices,
            grouped(cost.unsized_calls)
        ),
        Some(_) => format!("{calls} calls of functions, by prices of {}", cost.prices),
        None => format!("{calls} calls of functions that are not told their size"),
    };
    let counted = [
        (cost.queue_requests, "requests to queues"),
        (cost.table_read_units, "units of reading from the table"),
        (cost.table_write_units, "units of writing to the table"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let counted: Vec<_> =
        counted.map(|(count, what)| format!("{} {what}", grouped(count))).collect();
    let rest = if counted.is_empty() {
        String::new()
    } else {
        format!("; no price is known here of {}", counted.join(", "))
    };
    writeln!(f, "  {:<17}{:>15}  {of}{rest}", "Alibaba Cloud", price.unwrap_or_default())
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Copied => "copied and proved",
        Outcome::Unchanged => "found equal when its turn came",
        Outcome::Kept => "the target's own newer object was left alone",
        Outcome::Gone => "deleted at the source since the listing",
        Outcome::Deferred => "kept changing: the next pass takes it",
        Outcome::Archived => "must be restored at the source first",
        Outcome::Unsupported => "OSS cannot hold that key or size",
        Outcome::Failed => "every attempt failed: see inspect failures",
        Outcome::NotAttempted => "the pass ended before its turn",
        Outcome::Equal => "compared by more than the listings",
        Outcome::Missing => "the target lacks it",
        Outcome::Different => "the target holds something else",
        Outcome::NewerAtTarget => "the application wrote the target's object after the switch",
        Outcome::ExtraAtTarget => "only the target holds the key",
        Outcome::Changed => "changed at either end meanwhile: audit again",
    }
}

/// A number with a comma at every thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit of 1,024 that leaves a whole number before the point.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let unit = count.ilog2() / 10;
    // Tenths, rounded down, without a float: exact at any size.
    let tenths = (u128::from(count) * 10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit as usize - 1])
}

fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = std::time::Duration::from_secs_f64(seconds.min(1e12)).as_secs();
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else {
        format!("{minutes} min {seconds:02} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let grouped = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
        let sizes = [0, 1_023, 1_024, 1_536, 5 << 30, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB", "15.9 EiB"]);
        let times = [0.25, 59.0, 61.0, 3_725.0].map(duration);
        assert_eq!(times, ["0.2 s", "59.0 s", "1 min 01 s", "1 h 02 min"]);
    }
}
