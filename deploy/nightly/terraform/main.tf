# A nightly run of closegate, as ../nightly.yaml has it for CloudFormation. docs/ci.md describes it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.70"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  arn     = "arn:${data.aws_partition.current.partition}"
}

# The store, the runs and, below policy/, the policy.
resource "aws_s3_bucket" "state" {
  bucket_prefix = "closegate-"
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket     = aws_s3_bucket.state.id
  depends_on = [aws_s3_bucket_versioning.state]
  rule {
    id     = "earlier-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 14
    }
  }
  rule {
    id     = "runs"
    status = "Enabled"
    filter {
      prefix = "runs/"
    }
    expiration {
      days = 400
    }
  }
}

data "aws_iam_policy_document" "only_tls" {
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = data.aws_iam_policy_document.only_tls.json
}

resource "aws_cloudwatch_log_group" "log" {
  name_prefix       = "closegate-"
  retention_in_days = 90
}

resource "aws_codebuild_project" "job" {
  name                   = var.name
  description            = "closegate, every night"
  service_role           = aws_iam_role.job.arn
  concurrent_build_limit = 1
  build_timeout          = 240
  queued_timeout         = 60

  artifacts {
    type = "NO_ARTIFACTS"
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.log.name
    }
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = var.compute_type
    image        = "aws/codebuild/amazonlinux-x86_64-standard:5.0"

    dynamic "environment_variable" {
      for_each = {
        CLOSEGATE_VERSION = var.closegate_version
        STATE_BUCKET      = aws_s3_bucket.state.id
        FLOW_LOGS         = "s3://${var.flow_log_bucket}/${var.flow_log_prefix}"
        REGIONS           = join(" ", var.regions)
        WINDOW            = var.window
        SECURITY_HUB      = tostring(var.security_hub)
      }
      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  source {
    type      = "NO_SOURCE"
    buildspec = file("${path.module}/../buildspec.yml")
  }
}

resource "aws_scheduler_schedule" "every_night" {
  name_prefix         = "${var.name}-"
  schedule_expression = var.schedule

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 30
  }

  target {
    arn      = "${local.arn}:scheduler:::aws-sdk:codebuild:startBuild"
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ ProjectName = aws_codebuild_project.job.name })
  }
}
