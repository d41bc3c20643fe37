variable "name" {
  description = "What the names of all resources begin with. Roles are named account-wide, so a second one needs another name."
  type        = string
  default     = "ossferry"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Want a lower-case letter, then up to 30 letters, digits and hyphens."
  }
}

variable "with_functions" {
  description = "Whether functions and triggers are made here. false where s.yaml makes them."
  type        = bool
  default     = true
}

variable "code_bucket" {
  description = "Bucket of this region in which the zips of infra/aliyun/build lie."
  type        = string
  default     = ""
}

variable "code_path" {
  description = "Folder of that bucket in which they lie. build prints it; it changes with the code."
  type        = string
  default     = "ossferry"
}

variable "runtime" {
  description = "What the functions run on. All are x86_64; debian10 is the oldest whose glibc will do."
  type        = string
  default     = "custom.debian11"

  validation {
    condition     = contains(["custom.debian10", "custom.debian11", "custom.debian12"], var.runtime)
    error_message = "Want custom.debian10, custom.debian11 or custom.debian12."
  }
}

variable "target_buckets" {
  description = "OSS buckets that objects may be put into."
  type        = list(string)
}

variable "source_buckets" {
  description = "OSS buckets that may be listed and read. Empty where every source has keys of its own."
  type        = list(string)
  default     = []
}

variable "secret_names" {
  description = "Secrets of KMS in this region that job files name. Empty for none."
  type        = list(string)
  default     = []
}

variable "key_ids" {
  description = "KMS keys that those secrets are encrypted with. Empty where KMS keeps its own."
  type        = list(string)
  default     = []
}

variable "mode" {
  description = "pull: functions receive from their queues themselves, for up to 50 minutes. push: EventBridge delivers each message, and an invocation may last 5 minutes."
  type        = string
  default     = "pull"

  validation {
    condition     = contains(["pull", "push"], var.mode)
    error_message = "Want pull or push."
  }
}

variable "pull_schedule" {
  description = "How often a planner and a copier are started that look at their queues. Empty for never."
  type        = string
  default     = "@every 5m"
}

variable "sweep_schedule" {
  description = "How often running passes are looked over for work whose message was lost. Empty for never."
  type        = string
  default     = "@every 5m"
}

variable "pass_schedule" {
  description = "When incremental passes of job_name begin, such as @every 6h or CRON_TZ=Asia/Shanghai 0 0 3 * * *. Empty for none. One that is still running is left to run."
  type        = string
  default     = ""
}

variable "job_name" {
  description = "The deployed job that pass_schedule runs."
  type        = string
  default     = ""
}

variable "planner_cpu" {
  description = "vCPU of a planner, in steps of 0.05. To memory in GB as 1 to 1 up to 1 to 4."
  type        = number
  default     = 0.5
}

variable "planner_memory" {
  description = "MB for a planner, in steps of 64."
  type        = number
  default     = 512
}

variable "planner_concurrency" {
  description = "Planners at once. Timers alone may have one at work for each pull_schedule in 50 minutes; the rest is for sweeps and triggers. Set aside from the account's."
  type        = number
  default     = 20
}

variable "copier_cpu" {
  description = "vCPU of a copier, in steps of 0.05. To memory in GB as 1 to 1 up to 1 to 4."
  type        = number
  default     = 0.5
}

variable "copier_memory" {
  description = "MB for a copier, in steps of 64."
  type        = number
  default     = 512
}

variable "copier_concurrency" {
  description = "Copiers at once. The job's own limits hold for all of them together. Set aside from the account's."
  type        = number
  default     = 50
}

variable "public_access" {
  description = "Whether the table is reached from the Internet too, with keys, so that ossferry works from any machine."
  type        = bool
  default     = true
}

variable "vpc_id" {
  description = "VPC that the functions are joined to. Empty for none."
  type        = string
  default     = ""
}

variable "v_switch_ids" {
  description = "vSwitches of that VPC."
  type        = list(string)
  default     = []
}

variable "security_group_id" {
  description = "Security group of that VPC."
  type        = string
  default     = ""
}

variable "table_store_instance" {
  description = "Name of the Tablestore instance, unique in the region over all accounts. Empty to have one made up."
  type        = string
  default     = ""
}

variable "log_level" {
  description = "What the functions log."
  type        = string
  default     = "info"
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "aws_region" {
  description = "Region of the table and the queues below."
  type        = string
  default     = "us-east-1"
}

variable "aws_table" {
  description = "Table of a deployment on AWS whose tasks are copied here, beside the target. Empty for none."
  type        = string
  default     = ""
}

variable "aws_planner_queue_url" {
  description = "Planner queue of that deployment."
  type        = string
  default     = ""
}

variable "aws_copier_queue_url" {
  description = "Copier queue of that deployment."
  type        = string
  default     = ""
}

variable "aws_secret" {
  description = "Secret of KMS in this region that holds the keys for that table and those queues."
  type        = string
  default     = ""
}

variable "aws_pull_schedule" {
  description = "How often a copier for AWS is started. It works for up to 50 minutes."
  type        = string
  default     = "@every 1m"
}
