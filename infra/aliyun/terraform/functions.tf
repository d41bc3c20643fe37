locals {
  # What planner and copier both read.
  environment = {
    OSSFERRY_TABLESTORE_ENDPOINT = "https://${alicloud_ots_instance.ledger.name}.${local.region}.vpc.tablestore.aliyuncs.com"
    OSSFERRY_TABLESTORE_INSTANCE = alicloud_ots_instance.ledger.name
    OSSFERRY_TABLE               = alicloud_ots_table.ledger.table_name
    OSSFERRY_SMQ_ENDPOINT        = "http://${local.account}.mns.${local.region}-internal.aliyuncs.com"
    OSSFERRY_PLANNER_QUEUE       = alicloud_message_service_queue.live["planner"].queue_name
    OSSFERRY_COPIER_QUEUE        = alicloud_message_service_queue.live["copier"].queue_name
    OSSFERRY_TIMEOUT_SECONDS     = tostring(local.timeout_seconds)
    OSSFERRY_LOG                 = var.log_level
  }

  made = {
    planner = {
      wanted          = var.with_functions
      description     = "Walks the source listing, joins it with the target's, commits tasks"
      zip             = "planner-fc.zip"
      cpu             = var.planner_cpu
      memory          = var.planner_memory
      concurrency     = var.planner_concurrency
      timeout_seconds = local.timeout_seconds
      # A start that finds every place taken is tried again for this long; the next timer starts another anyway.
      start_seconds  = 3600
      start_attempts = 2
      environment = merge(local.environment, {
        OSSFERRY_FC_ENDPOINT      = "${local.account}.${local.region}-internal.fc.aliyuncs.com"
        OSSFERRY_PLANNER_FUNCTION = "${var.name}-planner"
        OSSFERRY_COPIER_FUNCTION  = "${var.name}-copier"
        OSSFERRY_MODE             = var.mode
      })
    }
    copier = {
      wanted          = var.with_functions
      description     = "Moves tasks, proves them, records them"
      zip             = "copier-fc.zip"
      cpu             = var.copier_cpu
      memory          = var.copier_memory
      concurrency     = var.copier_concurrency
      timeout_seconds = local.timeout_seconds
      start_seconds   = 300
      start_attempts  = 0
      environment     = local.environment
    }
    # For a planner, queues and a table on AWS: copiers that pull from there, beside the target.
    copier-aws = {
      wanted          = var.with_functions && local.for_aws
      description     = "Moves tasks of a planner on AWS, proves them, records them"
      zip             = "copier-fc-aws.zip"
      cpu             = var.copier_cpu
      memory          = var.copier_memory
      concurrency     = var.copier_concurrency
      timeout_seconds = 3600
      start_seconds   = 300
      start_attempts  = 0
      environment = {
        AWS_REGION               = var.aws_region
        OSSFERRY_TABLE           = var.aws_table
        OSSFERRY_PLANNER_QUEUE   = var.aws_planner_queue_url
        OSSFERRY_COPIER_QUEUE    = var.aws_copier_queue_url
        OSSFERRY_AWS_SECRET      = var.aws_secret
        OSSFERRY_TIMEOUT_SECONDS = "3600"
        OSSFERRY_LOG             = var.log_level
      }
    }
  }

  timers = {
    sweep = {
      wanted   = var.with_functions && var.sweep_schedule != ""
      function = "planner"
      trigger  = "sweep"
      schedule = var.sweep_schedule
      payload  = { sweep = true }
    }
    # The time it was planned for comes with the event and names the pass: a timer that fires twice is one pass.
    passes = {
      wanted   = var.with_functions && var.pass_schedule != ""
      function = "planner"
      trigger  = "passes"
      schedule = var.pass_schedule
      payload  = { job = var.job_name, pass = "incremental" }
    }
    planner-pull = {
      wanted   = var.with_functions && !local.pushes && var.pull_schedule != ""
      function = "planner"
      trigger  = "pull"
      schedule = var.pull_schedule
      payload  = { pull = true }
    }
    copier-pull = {
      wanted   = var.with_functions && !local.pushes && var.pull_schedule != ""
      function = "copier"
      trigger  = "pull"
      schedule = var.pull_schedule
      payload  = { pull = true }
    }
    copier-aws-pull = {
      wanted   = var.with_functions && local.for_aws && var.aws_pull_schedule != ""
      function = "copier-aws"
      trigger  = "pull"
      schedule = var.aws_pull_schedule
      payload  = { pull = true }
    }
  }
}

resource "alicloud_fcv3_function" "made" {
  for_each   = { for name, it in local.made : name => it if it.wanted }
  depends_on = [alicloud_ram_role_policy_attachment.functions]

  function_name         = "${var.name}-${each.key}"
  description           = each.value.description
  runtime               = var.runtime
  handler               = "bootstrap"
  cpu                   = each.value.cpu
  memory_size           = each.value.memory
  disk_size             = 512
  instance_concurrency  = 1
  timeout               = each.value.timeout_seconds
  internet_access       = true
  role                  = alicloud_ram_role.functions[each.key].arn
  environment_variables = merge(each.value.environment, { OSSFERRY_VCPU = tostring(each.value.cpu) })

  code {
    oss_bucket_name = var.code_bucket
    oss_object_name = "${var.code_path}/${each.value.zip}"
  }

  custom_runtime_config {
    command = ["/code/bootstrap"]
    port    = 9000
  }

  instance_lifecycle_config {
    initializer {
      handler = "initialize"
      timeout = 60
    }

    pre_stop {
      handler = "pre-stop"
      timeout = 60
    }
  }

  log_config {
    project                 = alicloud_log_project.logs.project_name
    logstore                = alicloud_log_store.functions.logstore_name
    log_begin_rule          = "None"
    enable_request_metrics  = true
    enable_instance_metrics = true
  }

  dynamic "vpc_config" {
    for_each = var.vpc_id != "" ? [var.vpc_id] : []

    content {
      vpc_id            = vpc_config.value
      vswitch_ids       = var.v_switch_ids
      security_group_id = var.security_group_id
    }
  }

  lifecycle {
    precondition {
      condition     = var.code_bucket != ""
      error_message = "Functions need code_bucket, where their zips lie."
    }

    precondition {
      condition     = !local.for_aws || var.aws_secret != ""
      error_message = "aws_table needs aws_secret, the keys for it."
    }
  }
}

resource "alicloud_fcv3_concurrency_config" "made" {
  for_each = { for name, it in local.made : name => it if it.wanted }

  function_name        = alicloud_fcv3_function.made[each.key].function_name
  reserved_concurrency = each.value.concurrency
}

resource "alicloud_fcv3_async_invoke_config" "made" {
  for_each = { for name, it in local.made : name => it if it.wanted }

  function_name                  = alicloud_fcv3_function.made[each.key].function_name
  qualifier                      = "LATEST"
  max_async_event_age_in_seconds = each.value.start_seconds
  max_async_retry_attempts       = each.value.start_attempts

  destination_config {
    on_failure {
      destination = "acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.dead["trigger"].queue_name}/messages"
    }
  }
}

resource "alicloud_fcv3_trigger" "timer" {
  for_each = { for name, it in local.timers : name => it if it.wanted }

  function_name = alicloud_fcv3_function.made[each.value.function].function_name
  trigger_name  = each.value.trigger
  trigger_type  = "timer"
  qualifier     = "LATEST"
  trigger_config = jsonencode({
    cronExpression = each.value.schedule
    enable         = true
    payload        = jsonencode(each.value.payload)
  })

  lifecycle {
    precondition {
      condition     = var.pass_schedule == "" || var.job_name != ""
      error_message = "pass_schedule needs job_name, the job that it runs."
    }
  }
}

# An event stream of EventBridge: one message an invocation; what fails is tried for a day, then set aside, and never
# holds up what comes after it.
resource "alicloud_fcv3_trigger" "push" {
  for_each = toset(var.with_functions && local.pushes ? ["planner", "copier"] : [])

  function_name = alicloud_fcv3_function.made[each.key].function_name
  trigger_name  = "push"
  trigger_type  = "eventbridge"
  qualifier     = "LATEST"
  trigger_config = jsonencode({
    triggerEnable          = true
    asyncInvocationType    = false
    eventRuleFilterPattern = "{}"
    eventSourceConfig = {
      eventSourceType = "MNS"
      eventSourceParameters = {
        sourceMNSParameters = {
          RegionId       = local.region
          QueueName      = alicloud_message_service_queue.live[each.key].queue_name
          IsBase64Decode = true # Bodies are sent in base64.
        }
      }
    }
    eventSinkConfig = { deliveryOption = { eventSchema = "CloudEvents" } }
    runOptions = {
      mode            = "event-streaming"
      errorsTolerance = "ALL"
      retryStrategy   = { PushRetryStrategy = "EXPONENTIAL_DECAY_RETRY" }
      deadLetterQueue = { Arn = "acs:mns:${local.arn}:/queues/${alicloud_message_service_queue.dead[each.key].queue_name}" }
      batchWindow     = { CountBasedWindow = 1, TimeBasedWindow = 0 }
    }
  })
}
