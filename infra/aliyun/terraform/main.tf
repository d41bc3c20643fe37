data "alicloud_account" "current" {}

data "alicloud_regions" "current" {
  current = true
}

locals {
  account = data.alicloud_account.current.id
  region  = data.alicloud_regions.current.regions[0].id
  arn     = "${local.region}:${local.account}"
  pushes  = var.mode == "push"
  for_aws = var.aws_table != ""
  # Pulling stops at 50 minutes; EventBridge waits for five.
  timeout_seconds = local.pushes ? 300 : 3600
  instance_name   = var.table_store_instance != "" ? var.table_store_instance : "of-${substr(sha1("${local.arn}:${var.name}"), 0, 12)}"
}

# The ledger: who holds what, what was done, what came of it. It outlives the deployment: see README.md for how to
# destroy the rest without it.
resource "alicloud_ots_instance" "ledger" {
  name               = local.instance_name
  description        = "What ossferry has moved"
  instance_type      = "HighPerformance"
  network_type_acl   = var.public_access ? ["VPC", "INTERNET"] : ["VPC"]
  network_source_acl = ["TRUST_PROXY"]

  lifecycle {
    prevent_destroy = true
  }
}

resource "alicloud_ots_table" "ledger" {
  instance_name = alicloud_ots_instance.ledger.name
  table_name    = "ledger"
  time_to_live  = -1
  max_version   = 1

  primary_key {
    name = "partition"
    type = "String"
  }

  primary_key {
    name = "sort"
    type = "String"
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Timers and starts that a function failed at, and messages that failed five times. A dead letter's age counts from
# its first sending; what is forgotten after SMQ's seven days the sweep finds.
resource "alicloud_message_service_queue" "dead" {
  for_each = toset(["planner", "copier", "trigger"])

  queue_name               = "${var.name}-${each.key}-dead"
  visibility_timeout       = 1800
  message_retention_period = 604800
  maximum_message_size     = 65536
}

# For planners: slices of the listing, and uploads to be opened. For copiers: tasks and ranges of large objects.
resource "alicloud_message_service_queue" "live" {
  for_each = toset(["planner", "copier"])

  queue_name               = "${var.name}-${each.key}"
  visibility_timeout       = 1800
  message_retention_period = 604800
  maximum_message_size     = 65536

  dlq_policy {
    enabled                  = true
    dead_letter_target_queue = alicloud_message_service_queue.dead[each.key].queue_name
    max_receive_count        = 5
  }
}

resource "alicloud_log_project" "logs" {
  project_name = "${var.name}-${local.account}-${local.region}"
  description  = "Logs of ossferry"
}

resource "alicloud_log_store" "functions" {
  project_name          = alicloud_log_project.logs.project_name
  logstore_name         = "functions"
  retention_period      = var.log_retention_days
  shard_count           = 1
  auto_split            = true
  max_split_shard_count = 16
}

resource "alicloud_log_store_index" "functions" {
  project  = alicloud_log_project.logs.project_name
  logstore = alicloud_log_store.functions.logstore_name

  full_text {
    case_sensitive  = false
    include_chinese = false
    token           = ", '\";=()[]{}?@&<>/:\n\t\r"
  }
}
