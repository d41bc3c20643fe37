//! The names of arguments, against those that the provider's documentation gives (aliyun/alicloud
//! 1.283, August 2026).

use std::collections::BTreeMap;
use std::process::Command;

use hcl::structure::{Block, Body};

use super::infra;
use super::terraform::{blocks, label, of};

/// Resources and data sources, and what may stand in them; what stands in a block has its name
/// before it.
const ARGUMENTS: [(&str, &[&str]); 15] = [
    ("alicloud_account", &[]),
    ("alicloud_regions", &["name", "current", "output_file"]),
    (
        "alicloud_ots_instance",
        &[
            "name",
            "description",
            "instance_type",
            "network_type_acl",
            "network_source_acl",
            "resource_group_id",
            "policy",
            "tags",
        ],
    ),
    (
        "alicloud_ots_table",
        &[
            "instance_name",
            "table_name",
            "primary_key",
            "primary_key.name",
            "primary_key.type",
            "defined_column",
            "defined_column.name",
            "defined_column.type",
            "time_to_live",
            "max_version",
            "allow_update",
            "deviation_cell_version_in_sec",
            "enable_sse",
            "sse_key_type",
        ],
    ),
    (
        "alicloud_message_service_queue",
        &[
            "queue_name",
            "queue_type",
            "delay_seconds",
            "dlq_policy",
            "dlq_policy.enabled",
            "dlq_policy.dead_letter_target_queue",
            "dlq_policy.max_receive_count",
            "logging_enabled",
            "maximum_message_size",
            "message_retention_period",
            "polling_wait_seconds",
            "visibility_timeout",
            "tags",
        ],
    ),
    ("alicloud_log_project", &["project_name", "description", "resource_group_id", "tags"]),
    (
        "alicloud_log_store",
        &[
            "project_name",
            "logstore_name",
            "append_meta",
            "auto_split",
            "enable_web_tracking",
            "hot_ttl",
            "infrequent_access_ttl",
            "max_split_shard_count",
            "metering_mode",
            "mode",
            "retention_period",
            "shard_count",
            "telemetry_type",
        ],
    ),
    (
        "alicloud_log_store_index",
        &[
            "project",
            "logstore",
            "full_text",
            "full_text.case_sensitive",
            "full_text.include_chinese",
            "full_text.token",
            "field_search",
        ],
    ),
    (
        "alicloud_ram_role",
        &[
            "role_name",
            "assume_role_policy_document",
            "description",
            "force",
            "max_session_duration",
            "tags",
        ],
    ),
    (
        "alicloud_ram_policy",
        &["policy_name", "policy_document", "description", "rotate_strategy", "force", "tags"],
    ),
    ("alicloud_ram_role_policy_attachment", &["role_name", "policy_name", "policy_type"]),
    (
        "alicloud_fcv3_function",
        &[
            "code",
            "code.checksum",
            "code.oss_bucket_name",
            "code.oss_object_name",
            "code.zip_file",
            "cpu",
            "custom_runtime_config",
            "custom_runtime_config.args",
            "custom_runtime_config.command",
            "custom_runtime_config.health_check_config",
            "custom_runtime_config.port",
            "description",
            "disk_size",
            "environment_variables",
            "function_name",
            "handler",
            "idle_timeout",
            "instance_concurrency",
            "instance_lifecycle_config",
            "instance_lifecycle_config.initializer",
            "instance_lifecycle_config.initializer.handler",
            "instance_lifecycle_config.initializer.timeout",
            "instance_lifecycle_config.pre_stop",
            "instance_lifecycle_config.pre_stop.handler",
            "instance_lifecycle_config.pre_stop.timeout",
            "internet_access",
            "layers",
            "log_config",
            "log_config.enable_instance_metrics",
            "log_config.enable_request_metrics",
            "log_config.log_begin_rule",
            "log_config.logstore",
            "log_config.project",
            "memory_size",
            "role",
            "runtime",
            "tags",
            "timeout",
            "vpc_config",
            "vpc_config.security_group_id",
            "vpc_config.vpc_id",
            "vpc_config.vswitch_ids",
        ],
    ),
    ("alicloud_fcv3_concurrency_config", &["function_name", "reserved_concurrency"]),
    (
        "alicloud_fcv3_async_invoke_config",
        &[
            "async_task",
            "destination_config",
            "destination_config.on_failure",
            "destination_config.on_failure.destination",
            "destination_config.on_success",
            "destination_config.on_success.destination",
            "function_name",
            "max_async_event_age_in_seconds",
            "max_async_retry_attempts",
            "qualifier",
        ],
    ),
    (
        "alicloud_fcv3_trigger",
        &[
            "description",
            "function_name",
            "invocation_role",
            "qualifier",
            "source_arn",
            "trigger_config",
            "trigger_name",
            "trigger_type",
        ],
    ),
];

/// Arguments and blocks of Terraform's own that any resource may have.
const TERRAFORM: [&str; 3] = ["for_each", "depends_on", "lifecycle"];

/// The paths of arguments and blocks. What is in a dynamic block stands in the block of its label.
fn paths(body: &Body, prefix: &str, found: &mut Vec<String>) {
    let path = |name: &str| format!("{prefix}{name}");
    found.extend(body.attributes().map(|attribute| path(attribute.key())));
    for block in body.blocks() {
        let content = || block.body().blocks().find(|it| it.identifier() == "content");
        let (name, body): (&str, &Body) = match block.identifier() {
            "dynamic" => (label(block, 0), content().expect("content").body()),
            name => (name, block.body()),
        };
        found.push(path(name));
        if !TERRAFORM.contains(&name) {
            paths(body, &format!("{prefix}{name}."), found);
        }
    }
}

fn unknown_arguments(block: &Block) -> Vec<String> {
    let known: BTreeMap<&str, &[&str]> = ARGUMENTS.into_iter().collect();
    let kind = label(block, 0);
    let known = known.get(kind).unwrap_or_else(|| panic!("{kind} is not in the table"));
    let mut found = Vec::new();
    paths(block.body(), "", &mut found);
    found.retain(|path| !known.contains(&path.as_str()) && !TERRAFORM.contains(&path.as_str()));
    found
}

#[test]
fn terraform_gives_only_arguments_that_the_provider_knows() {
    let blocks = blocks();
    let resources: Vec<&Block> = of(&blocks, "resource").chain(of(&blocks, "data")).collect();
    assert!(resources.len() > 12);
    for block in resources {
        assert_eq!(unknown_arguments(block), Vec::<String>::new(), "{}", label(block, 0));
    }
    let wrong = r#"resource "alicloud_fcv3_trigger" "wrong" {
        trigger = "a"
        lifecycle { prevent_destroy = true }
        config { qualifier = "b" }
    }"#;
    let wrong = hcl::parse(wrong).expect("a block").into_blocks().next().expect("one");
    assert_eq!(unknown_arguments(&wrong), ["trigger", "config", "config.qualifier"]);
}

#[test]
fn terraform_is_written_as_terraform_writes_it_where_terraform_is_installed() {
    let formatted = Command::new("terraform")
        .args(["fmt", "-check", "-diff", "-recursive"])
        .arg(infra("terraform"))
        .output();
    // No package brings the program. What HCL itself asks for is held by every other test here.
    let Ok(output) = formatted else {
        eprintln!("terraform is not installed: its format was not looked at");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
