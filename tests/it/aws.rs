//! A ledger on AWS: SQS over ministack, `DynamoDB` over Amazon's own for one machine.
//!
//! Ministack is laxer than AWS: it never says `OverLimit`, and honours a receipt until the message is
//! received again. What it does not show is shown beside the adapters, code by code.

mod operating;
mod queue;
mod sizes;
mod table;

use std::sync::Arc;

use ossferry_aws::{DynamoTable, SqsQueue};
use ossferry_tests::dynamodb_local::DynamoDbLocal;
use ossferry_tests::ministack::Ministack;

async fn sqs() -> ((), Arc<SqsQueue>) {
    let ministack = Ministack::shared();
    let url = ministack.fresh_queue().await;
    ((), Arc::new(SqsQueue::new(ministack.queues(), url, None)))
}

async fn dynamodb() -> ((), Arc<DynamoTable>) {
    let server = DynamoDbLocal::shared();
    let table = server.fresh_table().await;
    ((), Arc::new(DynamoTable::new(server.client(), table)))
}

#[tokio::test]
async fn sqs_does_what_every_queue_must() {
    ossferry_conformance::all_at_once!(queue, sqs().await);
}

ossferry_conformance::conformance!(dynamodb_over_dynamodb_local, table, dynamodb().await);
