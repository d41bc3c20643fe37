//! Ports for servers that are told where to listen before they do.
//!
//! The kernel hands ports out as well: to listeners that ask for any, and to every connection that goes
//! out. So these lie below its range, and each is locked by a file for as long as the test process
//! lives: another one that chooses at the same moment passes over it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The lowest that is chosen. Below it are ports that well-known servers have.
const PORT_MIN: u16 = 10_000;

/// One more than the highest, where the kernel does not say which ports it hands out.
const PORTS_END: u16 = 32_000;

/// Locks of what was chosen, held until the process ends however it does.
static CHOSEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Ports on loopback that nobody listens on, and that no other test process chooses while this one lives.
///
/// Panics where there are none.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let kernel = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end = ports_end(&kernel);
    let folder = std::env::temp_dir().join("ossferry-ports");
    fs::create_dir_all(&folder).expect("a folder for the locks of ports");
    let start = fastrand::u16(PORT_MIN..end);
    let mut candidates = (start..end).chain(PORT_MIN..start);
    std::array::from_fn(|_| {
        let mut free = candidates.by_ref().filter(|port| take(&folder, *port));
        free.next().expect("a port that nobody listens on")
    })
}

/// One such port, and loopback.
pub fn free_address() -> SocketAddr {
    let [port] = free_ports();
    loopback(port)
}

/// A port on loopback.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// One more than the highest port below those that the kernel hands out, from its own words.
fn ports_end(kernel: &str) -> u16 {
    let lowest = kernel.split_whitespace().next().and_then(|word| word.parse().ok());
    lowest.unwrap_or(PORTS_END).clamp(PORT_MIN + 1, PORTS_END)
}

/// Locks a port, unless another process has or somebody listens there: whether it is ours now.
fn take(folder: &Path, port: u16) -> bool {
    // Another user's file cannot be opened: the port counts as theirs.
    let lock = folder.join(port.to_string());
    let lock = File::options().write(true).create(true).truncate(false).open(lock);
    let Ok(lock) = lock else { return false };
    if lock.try_lock().is_err() || TcpListener::bind(loopback(port)).is_err() {
        return false;
    }
    CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_chosen_once_and_below_those_that_the_kernel_hands_out() {
        let ports: [u16; 40] = free_ports();
        let distinct: std::collections::BTreeSet<u16> = ports.into_iter().collect();
        assert_eq!(distinct.len(), ports.len());
        assert!(ports.iter().all(|port| (PORT_MIN..PORTS_END).contains(port)), "{ports:?}");
        let folder = std::env::temp_dir().join("ossferry-ports");
        assert!(!take(&folder, ports[0]), "its lock is held");
    }

    #[test]
    fn where_the_kernel_begins_lower_so_do_they_end() {
        for (kernel, end) in [
            ("32768\t60999\n", PORTS_END),
            ("15000 20000", 15_000),
            ("1024 65535", PORT_MIN + 1),
            ("", PORTS_END),
        ] {
            assert_eq!(ports_end(kernel), end, "{kernel}");
        }
    }

    #[test]
    fn where_somebody_listens_is_no_free_port() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let port = listener.local_addr().expect("it is bound").port();
        let folder = std::env::temp_dir().join("ossferry-ports");
        fs::create_dir_all(&folder).expect("a folder");
        assert!(!take(&folder, port));
    }
}
