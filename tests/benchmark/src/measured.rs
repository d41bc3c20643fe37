//! A process run to its end, and what it cost.

use std::io;
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// How often the peak of memory is looked at: the kernel keeps the peak itself, so that only what
/// came within the last interval before the end is missed.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// What a process has cost, from its start to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Time on a processor in the program itself.
    pub(crate) user: Duration,
    /// Time on a processor in the kernel.
    pub(crate) system: Duration,
    /// By the clock on the wall.
    pub(crate) wall: Duration,
    /// The most memory it had at once, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Cost {
    /// Time on a processor.
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// Runs a process to its end. No other child of this process may end meanwhile: the kernel adds up
/// what all of them cost.
pub(crate) fn measure(command: &mut Command) -> io::Result<(ExitStatus, Cost)> {
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let began = Instant::now();
    let mut child = command.spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // A process that has ended meanwhile has no memory any more.
        let text = std::fs::read_to_string(&status_file).unwrap_or_default();
        peak_bytes = peak_bytes.max(peak_in(&text).unwrap_or(0));
        sleep(LOOK_INTERVAL);
    };
    let wall = began.elapsed();
    let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let user = duration(after.user_time()).saturating_sub(duration(before.user_time()));
    let system = duration(after.system_time()).saturating_sub(duration(before.system_time()));
    Ok((status, Cost { user, system, wall, peak_bytes }))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
}

/// `VmHWM` of a process's status.
fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_charged_for_its_own_time_and_memory() {
        // Holds eight megabytes and computes for a while.
        let script = "a=$(head -c 8000000 /dev/zero | tr '\\0' x); i=0; \
                      while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let (status, cost) = measure(Command::new("sh").args(["-c", script])).unwrap();
        assert!(status.success());
        assert!(cost.cpu() > Duration::ZERO && cost.cpu() < 4 * cost.wall, "{cost:?}");
        assert!(cost.peak_bytes > 8_000_000, "{cost:?}");
    }

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_in("Name:\tsh\nVmHWM:\t    1024 kB\nVmRSS:\t 9 kB\n"), Some(1 << 20));
        assert_eq!(peak_in("Name:\tsh\n"), None);
    }
}
