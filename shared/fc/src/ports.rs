//! The table and the queues of a function's ledger: on Alibaba Cloud where a binary names no others.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ossferry_aliyun::openapi::OpenApiOptions;
use ossferry_aliyun::smq::{BodyEncoding, SmqOptions};
use ossferry_aliyun::tablestore::TablestoreOptions;
use ossferry_aliyun::{SmqQueue, TablestoreTable};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Queue, Table};
use ossferry_ends::{FunctionRole, Surroundings};
use ossferry_http::{CredentialsProvider, Endpoint, Lane, LaneOptions, RetryPolicy};

use crate::settings::{Reader, Settings, SettingsError};

/// A ledger's table and queues.
pub struct Ports {
    /// Rows.
    pub table: Arc<dyn Table>,
    /// Slices, and uploads to open.
    pub planner_queue: Arc<dyn Queue>,
    /// Tasks and ranges.
    pub copier_queue: Arc<dyn Queue>,
    /// Counts what all of them are billed.
    pub meter: Arc<Meter>,
}

/// Opens the table and the queues that the environment names, for the role of a function.
pub type OpenPorts = for<'a> fn(
    &'a Settings,
    &'a Surroundings,
    &'a FunctionRole,
) -> BoxFuture<'a, Result<Ports, SettingsError>>;

/// Tablestore and Simple Message Queue.
pub(crate) fn on_aliyun<'a>(
    settings: &'a Settings,
    around: &'a Surroundings,
    role: &'a FunctionRole,
) -> BoxFuture<'a, Result<Ports, SettingsError>> {
    Box::pin(async move { open(settings, around, role) })
}

fn open(
    settings: &Settings,
    around: &Surroundings,
    role: &FunctionRole,
) -> Result<Ports, SettingsError> {
    let reader = Reader(&*around.variables);
    let meter = Arc::<Meter>::default();
    let smq = "OSSFERRY_SMQ_ENDPOINT";
    let smq_endpoint = reader.endpoint(smq)?;
    let queue = |name: &str| -> Result<Arc<dyn Queue>, SettingsError> {
        let queue = SmqQueue::new(SmqOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: smq_endpoint.clone(),
            queue: name.to_owned(),
            credentials: Arc::clone(&role.credentials),
            clock: Arc::clone(&around.clock),
            retry: RetryPolicy::default(),
            body: BodyEncoding::Plain,
        });
        let queue = queue.map_err(|error| SettingsError::Unusable(smq, error.to_string()))?;
        Ok(Arc::new(queue.metered(Arc::clone(&meter))))
    };
    let endpoint = reader.endpoint(TABLE_ENDPOINT)?;
    let table = TablestoreTable::new(TablestoreOptions {
        lane: Lane::new(&LaneOptions::default()),
        region: region(settings, &reader)?,
        endpoint,
        instance: reader.needed("OSSFERRY_TABLESTORE_INSTANCE")?,
        table: settings.table.clone(),
        credentials: Arc::clone(&role.credentials),
        clock: Arc::clone(&around.clock),
        retry: RetryPolicy::default(),
    });
    Ok(Ports {
        table: Arc::new(table.metered(Arc::clone(&meter))),
        planner_queue: queue(&settings.planner_queue)?,
        copier_queue: queue(&settings.copier_queue)?,
        meter,
    })
}

const TABLE_ENDPOINT: &str = "OSSFERRY_TABLESTORE_ENDPOINT";

/// The function's region, which is the table's.
pub(crate) fn region(settings: &Settings, reader: &Reader<'_>) -> Result<String, SettingsError> {
    if let Some(region) = &settings.region {
        return Ok(region.clone());
    }
    let endpoint =
        reader.endpoint(TABLE_ENDPOINT).map_err(|_| SettingsError::Missing("FC_REGION"))?;
    let labels: Vec<&str> = endpoint.host().split('.').collect();
    match labels.as_slice() {
        [_, region, _, ..] if !endpoint.is_address() => Ok((*region).to_owned()),
        _ => Err(SettingsError::Missing("FC_REGION")),
    }
}

/// How services without objects are reached.
pub(crate) fn open_api(
    endpoint: Endpoint,
    credentials: Arc<dyn CredentialsProvider>,
    around: &Surroundings,
) -> OpenApiOptions {
    let total = Duration::from_secs(20);
    OpenApiOptions {
        lane: Lane::new(&LaneOptions::default()),
        endpoint,
        credentials,
        clock: Arc::clone(&around.clock),
        retry: RetryPolicy { attempts_max: 4, total, ..RetryPolicy::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_the_functions_or_stands_in_the_tables_endpoint() {
        let found = |region: Option<&str>, endpoint: &'static str| {
            let all = move |name: &str| {
                let is_endpoint = name == TABLE_ENDPOINT;
                let value = if is_endpoint { endpoint } else { "60" };
                (name != "OSSFERRY_VCPU").then(|| value.to_owned())
            };
            let reader = Reader(&all);
            let settings = Settings::read(&reader, "planner").unwrap();
            region_of(settings, region, &reader)
        };
        let vpc = "https://ferries.cn-hangzhou.vpc.tablestore.aliyuncs.com";
        assert_eq!(found(None, vpc).unwrap(), "cn-hangzhou");
        assert_eq!(found(Some("cn-beijing"), vpc).unwrap(), "cn-beijing");
        let error = found(None, "http://127.0.0.1:9").unwrap_err();
        assert_eq!(error, SettingsError::Missing("FC_REGION"));
    }

    fn region_of(
        settings: Settings,
        named: Option<&str>,
        reader: &Reader<'_>,
    ) -> Result<String, SettingsError> {
        region(&Settings { region: named.map(str::to_owned), ..settings }, reader)
    }
}
