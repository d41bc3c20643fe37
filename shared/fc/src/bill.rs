//! What Function Compute bills: calls, and the time of processors, memory and disk.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ossferry_core::meter::Meter;
use ossferry_core::usage::{
    FC_CALLS, FC_DISK_GB_MILLISECONDS, FC_MEMORY_GB_MILLISECONDS, FC_MILLIVCPU_MILLISECONDS,
    FC_UNSIZED_CALLS, gb_milliseconds,
};
use tokio::time::{Instant, timeout};

/// As `infra/aliyun` deploys functions, and the least there is.
const DISK_MIB: u64 = 512;

/// How often time is counted.
const STEP: Duration = Duration::from_millis(100);

/// A function's size, as it is billed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    /// Thousandths of a processor.
    pub(crate) millivcpu: u32,
    /// Memory.
    pub(crate) memory_mib: u32,
}

impl Size {
    fn used_in(self, millis: u64) -> [(&'static str, u64); 3] {
        let Self { millivcpu, memory_mib } = self;
        [
            (FC_MILLIVCPU_MILLISECONDS, u64::from(millivcpu).saturating_mul(millis)),
            (FC_MEMORY_GB_MILLISECONDS, gb_milliseconds(memory_mib.into(), millis)),
            (FC_DISK_GB_MILLISECONDS, gb_milliseconds(DISK_MIB, millis)),
        ]
    }
}

/// Counts what is billed.
pub(crate) struct Bill {
    pub(crate) meter: Arc<Meter>,
    /// `None` where the function is not told: then calls alone are counted.
    pub(crate) size: Option<Size>,
}

impl Bill {
    /// Counts an invocation while it goes on: one that receives messages takes up to an hour, and what is
    /// counted stands in the row that this instance records next, be it of another pass.
    pub(crate) async fn of<T>(&self, invocation: impl Future<Output = T>) -> T {
        self.meter.count(FC_CALLS);
        if self.size.is_none() {
            self.meter.count(FC_UNSIZED_CALLS);
        }
        let (mut invocation, begun, mut counted) = (pin!(invocation), Instant::now(), 0);
        loop {
            let answer = timeout(STEP, &mut invocation).await;
            let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.count(counted, millis);
            counted = millis;
            if let Ok(answer) = answer {
                return answer;
            }
        }
    }

    /// What an invocation of `until` milliseconds uses beyond one of `from`: rounded once, not each time.
    fn count(&self, from: u64, until: u64) {
        let Some(size) = self.size else { return };
        for ((name, before), (_, used)) in size.used_in(from).into_iter().zip(size.used_in(until)) {
            self.meter.count_many(name, used - before);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_invocation_is_counted_while_it_goes_on() {
        let size = Some(Size { millivcpu: 500, memory_mib: 1_024 });
        let bill = Bill { meter: Arc::default(), size };
        let meter = Arc::clone(&bill.meter);
        let beside = async {
            sleep(Duration::from_millis(10_450)).await;
            meter.take()
        };
        let (answer, beside) = tokio::join!(
            bill.of(async {
                sleep(Duration::from_millis(20_250)).await;
                "done"
            }),
            beside
        );
        assert_eq!(answer, "done");
        let used = |counts: &ossferry_core::meter::OperationCounts| {
            [
                FC_CALLS,
                FC_MILLIVCPU_MILLISECONDS,
                FC_MEMORY_GB_MILLISECONDS,
                FC_DISK_GB_MILLISECONDS,
            ]
            .map(|name| counts.get(name).copied().unwrap_or_default())
        };
        assert_eq!(used(&beside), [1, 5_200_000, 10_400, 5_200]);
        assert_eq!(used(&meter.take()), [0, 4_925_000, 9_850, 4_925], "and the rest");
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_is_not_told_its_size_counts_its_calls() {
        let bill = Bill { meter: Arc::default(), size: None };
        bill.of(sleep(Duration::from_secs(3))).await;
        let calls = [FC_CALLS, FC_UNSIZED_CALLS].map(|name| (name.to_owned(), 1));
        assert_eq!(bill.meter.take(), calls.into());
    }
}
