//! A ledger on AWS: planned there beside its source, copied from here beside its target.

use std::sync::Arc;

use futures::future::BoxFuture;
use ossferry_aliyun::openapi::KmsCredentials;
use ossferry_aws::{DynamoTable, FunctionSettings, SqsQueue};
use ossferry_core::meter::Meter;
use ossferry_core::ports::Queue;
use ossferry_ends::{FunctionRole, Surroundings};
use ossferry_http::RefreshedCredentials;

use crate::ports::Ports;
use crate::settings::{Reader, Settings, SettingsError};

/// Names the secret of KMS that holds a key of AWS.
const SECRET: &str = "OSSFERRY_AWS_SECRET";

/// `DynamoDB` and SQS: region and endpoints as the SDK finds them in the environment, the key in a
/// secret that the function's role may read.
pub fn on_aws<'a>(
    settings: &'a Settings,
    around: &'a Surroundings,
    role: &'a FunctionRole,
) -> BoxFuture<'a, Result<Ports, SettingsError>> {
    Box::pin(async move {
        let name = Reader(&*around.variables).needed(SECRET)?;
        let key = KmsCredentials::new(Arc::clone(&role.secrets), name);
        let key = RefreshedCredentials::new(key, Arc::clone(&around.clock));
        let config = FunctionSettings::new(Arc::clone(&around.variables));
        let config = config.sdk_config_signed_by(None, Arc::new(key));
        let sqs = aws_sdk_sqs::Client::new(&config);
        let meter = Arc::<Meter>::default();
        let queue = |url: &String| -> Arc<dyn Queue> {
            let queue = SqsQueue::new(sqs.clone(), url.clone(), None);
            Arc::new(queue.metered(Arc::clone(&meter)))
        };
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let table = DynamoTable::new(dynamodb, settings.table.clone());
        Ok(Ports {
            table: Arc::new(table.metered(Arc::clone(&meter))),
            planner_queue: queue(&settings.planner_queue),
            copier_queue: queue(&settings.copier_queue),
            meter,
        })
    })
}
