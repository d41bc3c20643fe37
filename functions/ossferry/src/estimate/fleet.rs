//! How many functions it takes, what they may be by the quotas of each cloud, and when they are through.

use serde::Serialize;

use super::work::Work;

const GIGABIT: u64 = 1_000_000_000 / 8;

/// What Function Compute gives an account in a region: processors and gigabytes of memory; and what OSS
/// takes there in all, in gigabits a second. Limits pages of both, February 2026.
const REGIONS: [(&str, u64, u64, u64); 20] = [
    ("cn-hangzhou", 600, 1_200, 20),
    ("cn-shanghai", 600, 1_200, 20),
    ("cn-beijing", 600, 1_200, 20),
    ("cn-shenzhen", 600, 1_200, 20),
    ("cn-zhangjiakou", 600, 1_200, 20),
    ("cn-hongkong", 300, 600, 5),
    ("ap-southeast-1", 300, 600, 20),
    ("us-east-1", 300, 600, 5),
    ("cn-qingdao", 100, 200, 10),
    ("cn-huhehaote", 100, 200, 10),
    ("cn-chengdu", 100, 200, 10),
    ("ap-northeast-1", 100, 200, 5),
    ("eu-central-1", 100, 200, 5),
    ("ap-southeast-3", 100, 200, 5),
    ("ap-southeast-5", 100, 200, 5),
    ("us-west-1", 100, 200, 5),
    ("cn-guangzhou", 50, 100, 10),
    ("cn-heyuan", 50, 100, 10),
    ("ap-northeast-2", 50, 100, 2),
    ("ap-southeast-7", 50, 100, 2),
];

/// Of every other region.
const ELSEWHERE: (u64, u64, u64) = (50, 100, 5);

/// Instances of an account in a region of Function Compute, by the Chinese pages; the international ones
/// say 100.
const FC_INSTANCES: u64 = 300;

/// Invocations at once of an account in a region of AWS. New accounts begin with fewer.
const LAMBDA_CONCURRENCY: u64 = 1_000;

/// What OSS takes of an account in a region in all; of keys in sequence a fifth.
pub(super) const TARGET_REQUESTS_PER_SECOND_MAX: u64 = 10_000;

/// Planners beside the copiers, as each deployment has them by default.
const FC_PLANNERS: u64 = 20;
const LAMBDA_PLANNERS: u64 = 10;

/// How fast one function moves bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Rate {
    /// Bytes a second.
    pub(super) expected: u64,
    /// It may be as slow as this.
    pub(super) low: u64,
    /// It may be as fast as this.
    pub(super) high: u64,
    /// Where the number comes from.
    pub(super) basis: String,
}

impl Rate {
    /// Half and twice of it are its bounds: networks differ that much between hours.
    pub(super) fn around(expected: u64, basis: String) -> Self {
        Self { expected, low: (expected / 2).max(1), high: expected.saturating_mul(2), basis }
    }
}

/// A quota, what it has and what is asked of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Quota {
    /// Of what.
    pub(super) name: &'static str,
    /// Needed, planners included.
    pub(super) needed: u64,
    /// What an account has before it asks for more.
    pub(super) granted: u64,
}

/// When it is through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finish {
    /// Seconds at the high rate.
    pub(super) earliest: u64,
    /// Seconds at the expected rate.
    pub(super) expected: u64,
    /// Seconds at the low rate.
    pub(super) latest: u64,
}

/// The functions of a pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Fleet {
    /// Copiers at once, from beginning to end.
    pub(super) functions: u64,
    /// What one of them would take alone.
    pub(super) function_seconds: u64,
    /// With so many.
    pub(super) finish: Finish,
    /// Of Function Compute in the target's region.
    pub(super) alibaba: Vec<Quota>,
    /// Of Lambda.
    pub(super) aws: Vec<Quota>,
    /// What moves each second, if it is to take the time that was asked for.
    pub(super) bytes_per_second: u64,
    /// Requests to the target each second, in that time.
    pub(super) requests_per_second: u64,
    /// What OSS takes of an account in the region, in bytes a second.
    pub(super) target_bytes_per_second_max: u64,
    /// What the tutorial of ossimport asks for.
    pub(super) ossimport: Machines,
}

/// A fleet as ossimport's guide counts it: 2 vCPU and 4 GB each.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Machines {
    /// How many.
    pub(super) machines: u64,
    /// Processor seconds that are paid for.
    pub(super) vcpu_seconds: u64,
}

impl Fleet {
    /// As many functions as keep the time, or as many as are given.
    pub(super) fn new(
        work: &Work,
        rate: &Rate,
        seconds: u64,
        given: Option<u64>,
        region: &str,
    ) -> Self {
        let function_seconds = work.function_seconds(rate.expected);
        let functions = given.unwrap_or_else(|| function_seconds.div_ceil(seconds.max(1))).max(1);
        let (vcpus, gigabytes, gigabits) = of_region(region);
        let target_bytes_per_second_max = gigabits * GIGABIT;
        let least = work.bytes.div_ceil(target_bytes_per_second_max);
        let at = |rate| work.function_seconds(rate).div_ceil(functions).max(least);
        // Half a processor and half a gigabyte each, rounded up.
        let halves = (functions + FC_PLANNERS).div_ceil(2);
        let quota = |name, needed, granted| Quota { name, needed, granted };
        Self {
            functions,
            function_seconds,
            finish: Finish {
                earliest: at(rate.high),
                expected: at(rate.expected),
                latest: at(rate.low),
            },
            alibaba: vec![
                quota("instances", functions + FC_PLANNERS, FC_INSTANCES),
                quota("vCPU", halves, vcpus),
                quota("GB of memory", halves, gigabytes),
            ],
            aws: vec![quota(
                "invocations at once",
                functions + LAMBDA_PLANNERS,
                LAMBDA_CONCURRENCY,
            )],
            bytes_per_second: work.bytes.div_ceil(seconds.max(1)),
            requests_per_second: work
                .target_requests
                .values()
                .sum::<u64>()
                .div_ceil(seconds.max(1)),
            target_bytes_per_second_max,
            ossimport: Machines::new(work.bytes, seconds, rate.expected),
        }
    }
}

impl Machines {
    /// Its guide's formula: X TB ÷ Y days ÷ (Z Mbit/s ÷ 100), a machine at 100 Mbit/s being good for 1 TB a
    /// day.
    fn new(bytes: u64, seconds: u64, bytes_per_second: u64) -> Self {
        const HUNDRED_MEGABIT: u128 = 100_000_000 / 8;
        const TERABYTE: u128 = 1_000_000_000_000;
        let asked = u128::from(bytes) * HUNDRED_MEGABIT * 86_400;
        let one = TERABYTE * u128::from(seconds.max(1)) * u128::from(bytes_per_second.max(1));
        let machines = u64::try_from(asked.div_ceil(one)).unwrap_or(u64::MAX).max(1);
        Self { machines, vcpu_seconds: machines.saturating_mul(2).saturating_mul(seconds) }
    }
}

fn of_region(region: &str) -> (u64, u64, u64) {
    let found = REGIONS.iter().find(|(name, ..)| *name == region);
    found.map_or(ELSEWHERE, |(_, vcpus, gigabytes, gigabits)| (*vcpus, *gigabytes, *gigabits))
}
