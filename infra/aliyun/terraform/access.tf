# Who may do what. Nothing here deletes, save an unfinished upload of our own.
locals {
  roles = merge(
    {
      planner = "What planners of ossferry run as"
      copier  = "What copiers of ossferry run as"
    },
    local.for_aws ? { copier-aws = "What copiers of ossferry run as whose planner is on AWS" } : {},
  )

  table = "acs:ots:${local.arn}:instance/${alicloud_ots_instance.ledger.name}/table/${alicloud_ots_table.ledger.table_name}"
  live  = [for queue in ["planner", "copier"] : "acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.live[queue].queue_name}/messages"]
  dead  = [for queue in ["planner", "copier"] : "acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.dead[queue].queue_name}/messages"]
  # By name, since a function's own ARN would need the role before there is one.
  functions = [for function in ["planner", "copier"] : "acs:fc:${local.arn}:functions/${var.name}-${function}"]

  rows    = ["ots:GetRange", "ots:GetRow", "ots:PutRow"]
  send    = ["mns:BatchSendMessage", "mns:SendMessage"]
  receive = ["mns:BatchReceiveMessage", "mns:ChangeMessageVisibility", "mns:DeleteMessage", "mns:ReceiveMessage"]

  policies = {
    target = {
      description = "Puts objects into the buckets that ossferry moves into"
      wanted      = true
      roles       = keys(local.roles)
      allowed = [
        {
          actions   = ["oss:GetBucketInfo", "oss:ListMultipartUploads", "oss:ListObjects"]
          resources = [for bucket in var.target_buckets : "acs:oss:*:*:${bucket}"]
        },
        {
          actions = [
            "oss:AbortMultipartUpload", "oss:GetObject", "oss:ListParts", "oss:PutObject", "oss:PutObjectTagging"
          ]
          resources = [for bucket in var.target_buckets : "acs:oss:*:*:${bucket}/*"]
        },
      ]
    }
    source = {
      description = "Lists and reads the buckets that ossferry moves from"
      wanted      = length(var.source_buckets) > 0
      roles       = keys(local.roles)
      allowed = [
        {
          actions   = ["oss:ListObjects"]
          resources = [for bucket in var.source_buckets : "acs:oss:*:*:${bucket}"]
        },
        {
          actions   = ["oss:GetObject", "oss:GetObjectTagging"]
          resources = [for bucket in var.source_buckets : "acs:oss:*:*:${bucket}/*"]
        },
      ]
    }
    secrets = {
      description = "Reads the secrets that job files of ossferry name"
      wanted      = length(var.secret_names) > 0
      roles       = keys(local.roles)
      allowed = [
        {
          actions   = ["kms:GetSecretValue"]
          resources = [for secret in var.secret_names : "acs:kms:${local.arn}:secret/${secret}"]
        },
      ]
    }
    keys = {
      description = "Decrypts the secrets that job files of ossferry name"
      wanted      = length(var.key_ids) > 0
      roles       = keys(local.roles)
      allowed = [
        {
          actions   = ["kms:Decrypt"]
          resources = [for key in var.key_ids : "acs:kms:${local.arn}:key/${key}"]
        },
      ]
    }
    work = {
      description = "What planner and copier of ossferry share"
      wanted      = true
      roles       = ["planner", "copier"]
      allowed = [
        { actions = local.rows, resources = [local.table] },
        { actions = local.send, resources = local.live },
      ]
    }
    planner = {
      description = "Receives the planner's messages, and starts planners and copiers"
      wanted      = true
      roles       = ["planner"]
      allowed = [
        { actions = local.receive, resources = [local.live[0]] },
        { actions = ["fc:InvokeFunction"], resources = local.functions },
      ]
    }
    copier = {
      description = "Receives the copier's messages"
      wanted      = true
      roles       = ["copier"]
      allowed     = [{ actions = local.receive, resources = [local.live[1]] }]
    }
    # What Function Compute does in a function's name.
    run = {
      description = "Writes logs, and reports what was started and failed"
      wanted      = true
      roles       = keys(local.roles)
      allowed = [
        {
          actions   = ["log:PostLogStoreLogs"]
          resources = ["acs:log:${local.arn}:project/${alicloud_log_project.logs.project_name}/logstore/${alicloud_log_store.functions.logstore_name}"]
        },
        {
          actions   = ["mns:SendMessage"]
          resources = ["acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.dead["trigger"].queue_name}/messages"]
        },
      ]
    }
    copier-aws = {
      description = "Reads the keys for the planner's side on AWS"
      wanted      = local.for_aws
      roles       = ["copier-aws"]
      allowed     = [{ actions = ["kms:GetSecretValue"], resources = ["acs:kms:${local.arn}:secret/${var.aws_secret}"] }]
    }
    # For the people who operate it: what the commands of ossferry ask for, and nothing else. Attached to nobody.
    operator = {
      description = "What the commands of ossferry need to operate this stack"
      wanted      = true
      roles       = []
      allowed = [
        { actions = local.rows, resources = [local.table] },
        { actions = ["fc:InvokeFunction"], resources = local.functions },
        { actions = local.send, resources = local.live },
        { actions = local.receive, resources = local.dead },
        { actions = ["mns:GetQueueAttributes"], resources = [for queue in ["planner", "copier"] : "acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.live[queue].queue_name}"] },
        { actions = ["mns:GetQueueAttributes"], resources = [for queue in ["planner", "copier"] : "acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.dead[queue].queue_name}"] },
        # The same policy operates a stack of ROS, which is found by its name.
        { actions = ["ros:GetStack", "ros:ListStacks"], resources = ["acs:ros:${local.arn}:stack/*"] },
      ]
    }
  }

  attachments = merge([
    for policy, it in local.policies : { for role in it.roles : "${policy}-${role}" => { policy = policy, role = role } } if it.wanted
  ]...)
}

resource "alicloud_ram_role" "functions" {
  for_each = local.roles

  role_name   = "${var.name}-${each.key}"
  description = each.value
  assume_role_policy_document = jsonencode({
    Version   = "1"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["fc.aliyuncs.com"] } }]
  })
}

resource "alicloud_ram_policy" "functions" {
  for_each = { for policy, it in local.policies : policy => it if it.wanted }

  policy_name = "${var.name}-${each.key}"
  description = each.value.description
  policy_document = jsonencode({
    Version   = "1"
    Statement = [for it in each.value.allowed : { Effect = "Allow", Action = it.actions, Resource = it.resources }]
  })
}

resource "alicloud_ram_role_policy_attachment" "functions" {
  for_each = local.attachments

  role_name   = alicloud_ram_role.functions[each.value.role].role_name
  policy_name = alicloud_ram_policy.functions[each.value.policy].policy_name
  policy_type = "Custom"
}
