//! The servers that stand for AWS's queue and table start, each once for all tests.

use ossferry_tests::dynamodb_local::DynamoDbLocal;
use ossferry_tests::ministack::Ministack;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_queue_and_a_fresh_table_are_there() {
    let (queue, table) =
        tokio::join!(Ministack::shared().fresh_queue(), DynamoDbLocal::shared().fresh_table(),);
    let queues = Ministack::shared().queues();
    queues.get_queue_attributes().queue_url(queue).send().await.expect("the queue");
    let tables = DynamoDbLocal::shared().client();
    tables.describe_table().table_name(table).send().await.expect("the table");
}
