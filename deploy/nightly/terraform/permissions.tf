# What the job and its schedule may do, and nothing else.

data "aws_iam_policy_document" "job_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["codebuild.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "job" {
  name_prefix        = "${var.name}-"
  assume_role_policy = data.aws_iam_policy_document.job_trust.json
}

data "aws_iam_policy_document" "job" {
  # docs/iam/collect-inventory.json.
  statement {
    sid       = "Inventory"
    resources = ["*"]
    actions = [
      "ec2:DescribeFlowLogs",
      "ec2:DescribeInstances",
      "ec2:DescribeManagedPrefixLists",
      "ec2:DescribeNatGateways",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRegions",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroupRules",
      "ec2:DescribeSecurityGroupVpcAssociations",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeTransitGatewayVpcAttachments",
      "ec2:DescribeTransitGateways",
      "ec2:DescribeVpcEndpoints",
      "ec2:DescribeVpcPeeringConnections",
      "ec2:DescribeVpcs",
      "ec2:GetManagedPrefixListEntries",
      "elasticloadbalancing:DescribeLoadBalancers",
      "elasticloadbalancing:DescribeTargetGroupAttributes",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
      "sts:GetCallerIdentity",
    ]
  }

  # docs/iam/flows-s3.json.
  statement {
    sid       = "FlowLogs"
    actions   = ["s3:GetObject"]
    resources = ["${local.arn}:s3:::${var.flow_log_bucket}/${var.flow_log_prefix}/*"]
  }

  statement {
    sid       = "ListFlowLogs"
    actions   = ["s3:ListBucket"]
    resources = ["${local.arn}:s3:::${var.flow_log_bucket}"]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.flow_log_prefix}*"]
    }
  }

  dynamic "statement" {
    for_each = var.flow_log_key == null ? [] : [var.flow_log_key]
    content {
      sid       = "FlowLogKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.state.arn}/store/*", "${aws_s3_bucket.state.arn}/runs/*"]
  }

  statement {
    sid       = "Policy"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.state.arn}/policy/*"]
  }

  statement {
    sid       = "ListState"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.log.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.security_hub ? [true] : []
    content {
      sid       = "SecurityHub"
      actions   = ["securityhub:BatchImportFindings"]
      resources = ["${local.arn}:securityhub:*:${local.account}:product/${local.account}/default"]
    }
  }
}

resource "aws_iam_role_policy" "job" {
  name   = "closegate"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

data "aws_iam_policy_document" "schedule_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name_prefix        = "${var.name}-"
  assume_role_policy = data.aws_iam_policy_document.schedule_trust.json
}

data "aws_iam_policy_document" "schedule" {
  statement {
    actions   = ["codebuild:StartBuild"]
    resources = [aws_codebuild_project.job.arn]
  }
}

resource "aws_iam_role_policy" "schedule" {
  name   = "start"
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}
