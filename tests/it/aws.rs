//! A ledger on AWS: SQS over ministack, `DynamoDB` over Amazon's own for one machine.
//!
//! Ministack throttles nobody, never says `OverLimit`, takes a batch whole or not at all for want of
//! capacity, and lets no receipt expire by time: those are scripted on the wire, or shown code by code beside
//! the adapters. Nor is AWS's own laxness there, which may honour an older receipt for a while, so that the
//! suite's `extending_what_another_received_is_refused` is stricter than a standard queue of AWS.

mod cost;
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
