variable "closegate_version" {
  description = "Version of closegate, as pip knows it"
  type        = string
  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+[0-9A-Za-z.]*$", var.closegate_version))
    error_message = "Give a version such as 0.1.0."
  }
}

variable "flow_log_bucket" {
  description = "Bucket of the flow logs"
  type        = string
}

variable "flow_log_prefix" {
  description = "Prefix of the flow logs in the bucket, without a slash at either end"
  type        = string
  default     = "AWSLogs"
  validation {
    condition     = can(regex("^[^/*?].*[^/*?]$", var.flow_log_prefix))
    error_message = "The prefix has no slash at its ends, and is no pattern."
  }
}

variable "flow_log_key" {
  description = "ARN of the KMS key of the flow logs, if they are encrypted with one"
  type        = string
  default     = null
}

variable "regions" {
  description = "Regions of the inventory"
  type        = list(string)
}

variable "window" {
  description = "How far back the audit looks"
  type        = string
  default     = "30d"
}

variable "schedule" {
  description = "When it runs, in UTC"
  type        = string
  default     = "cron(15 3 * * ? *)"
}

variable "security_hub" {
  description = "Whether to import the findings into Security Hub, which has to be on"
  type        = bool
  default     = false
}

variable "compute_type" {
  description = "Size of the machine. An audit of a store needs memory for its flows."
  type        = string
  default     = "BUILD_GENERAL1_MEDIUM"
}

variable "name" {
  description = "Name of the project, and start of the roles' names"
  type        = string
  default     = "closegate"
}
