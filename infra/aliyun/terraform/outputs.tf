# All but the last are read by ossferry, by these names: those of the ROS template.
output "TableStoreEndpoint" {
  description = "Where the ledger is asked"
  value       = "https://${alicloud_ots_instance.ledger.name}.${local.region}.${var.public_access ? "ots" : "vpc.tablestore"}.aliyuncs.com"
}

output "TableStoreInstance" {
  description = "The ledger's instance"
  value       = alicloud_ots_instance.ledger.name
}

output "TableName" {
  description = "The ledger"
  value       = alicloud_ots_table.ledger.table_name
}

output "SmqEndpoint" {
  description = "Where the queues are asked"
  value       = "https://${local.account}.mns.${local.region}.aliyuncs.com"
}

output "PlannerQueueName" {
  description = "Slices and uploads"
  value       = alicloud_message_service_queue.live["planner"].queue_name
}

output "CopierQueueName" {
  description = "Tasks and ranges"
  value       = alicloud_message_service_queue.live["copier"].queue_name
}

output "PlannerDeadLetterQueueName" {
  description = "Planner messages that failed five times"
  value       = alicloud_message_service_queue.dead["planner"].queue_name
}

output "CopierDeadLetterQueueName" {
  description = "Copier messages that failed five times"
  value       = alicloud_message_service_queue.dead["copier"].queue_name
}

output "PlannerFunctionName" {
  description = "What ossferry plan invokes"
  value       = "${var.name}-planner"
}

output "CopierFunctionName" {
  description = "The copier"
  value       = "${var.name}-copier"
}

output "FcEndpoint" {
  description = "Where the functions are invoked"
  value       = "${local.account}.${local.region}.fc.aliyuncs.com"
}

output "OperatorPolicyName" {
  description = "For whoever operates the stack with ossferry"
  value       = alicloud_ram_policy.functions["operator"].policy_name
}
