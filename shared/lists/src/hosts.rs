//! The hosts of a list: addresses looked up once and judged, and a lane of its own for each, so that a
//! slow one does not hold the others up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::job::AllowedHost;
use ossferry_http::{Lane, LaneOptions, Pace, PaceOptions};
use tokio::sync::OnceCell;

use crate::addresses::allowed;
use crate::url::Url;

/// Lanes to the hosts that were met so far.
pub(crate) struct Hosts {
    lane: LaneOptions,
    allow: Vec<AllowedHost>,
    /// Of all hosts together.
    requests: Pace,
    lanes: Mutex<HashMap<String, Arc<OnceCell<Lane>>>>,
}

impl Hosts {
    /// `lane` is for one host; its requests a second are those of all together.
    pub(crate) fn new(mut lane: LaneOptions, allow: Vec<AllowedHost>) -> Self {
        let requests_per_second = lane.pace.requests_per_second.take();
        // Every byte passes the target's lane, and is counted there.
        lane.pace.bytes_per_second = None;
        let unlimited = usize::MAX >> 1;
        let requests = Pace::new(&PaceOptions {
            initial_concurrency: unlimited,
            max_concurrency: unlimited,
            requests_per_second,
            bytes_per_second: None,
        });
        Self { lane, allow, requests, lanes: Mutex::default() }
    }

    /// The lane to a URL's host, once the job's limit leaves room for a request.
    ///
    /// Fails with `AccessDenied` where the host leads only to addresses that are not asked.
    pub(crate) async fn lane(&self, url: &Url) -> Result<Lane, PortError> {
        let name = format!("{}:{}", url.endpoint.host(), url.port());
        let cell = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lanes.entry(name).or_default())
        };
        let lane = cell.get_or_try_init(|| self.connect(url)).await?.clone();
        drop(self.requests.acquire().await);
        Ok(lane)
    }

    /// How all hosts together are asked.
    pub(crate) fn requests_pace(&self) -> &Pace {
        &self.requests
    }

    async fn connect(&self, url: &Url) -> Result<Lane, PortError> {
        let host = url.endpoint.host().trim_start_matches('[').trim_end_matches(']');
        let found = self.look_up(host, url.port()).await?;
        let mut refused = None;
        let addresses: Vec<IpAddr> = found
            .into_iter()
            .filter(|address| match allowed(&self.allow, host, *address) {
                Ok(()) => true,
                Err(objection) => {
                    refused.get_or_insert((*address, objection));
                    false
                }
            })
            .collect();
        if addresses.is_empty() {
            let message = match refused {
                Some((address, objection)) => format!(
                    "{host}: {address} {objection}, and is not asked; where that is meant, write \
                     allow = [\"{host}\"] below [source]"
                ),
                None => format!("{host}: the name has no address"),
            };
            return Err(PortError::new(ErrorKind::AccessDenied, message));
        }
        Ok(Lane::to_addresses(&self.lane, addresses))
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, PortError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
            PortError::new(ErrorKind::Connection, format!("{host}: look up: {error}"))
                .concluding(Conclusion::NotDone)
        })?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text.as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_host_that_leads_to_this_machine_is_not_asked_unless_it_is_allowed_by_name() {
        let hosts = |allow: &[&str]| {
            let allow = allow.iter().map(|text| AllowedHost::try_from((*text).to_owned()).unwrap());
            Hosts::new(LaneOptions::default(), allow.collect())
        };
        // The last two are spelled so that only the system's resolver sees what they are.
        for spelled in ["http://127.0.0.1/", "http://[::1]/", "http://localhost/", "http://127.1/"]
        {
            let error = hosts(&[]).lane(&url(spelled)).await.err().unwrap();
            assert_eq!(error.kind, ErrorKind::AccessDenied, "{spelled}");
            assert!(error.to_string().contains("allow = ["), "{error}");
        }
        for (allow, spelled) in [
            ("127.0.0.0/8", "http://127.0.0.1/"),
            ("::1", "http://[::1]/"),
            ("localhost", "http://localhost/"),
        ] {
            assert!(hosts(&[allow]).lane(&url(spelled)).await.is_ok(), "{allow}");
        }
    }
}
