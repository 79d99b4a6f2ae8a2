output "bucket" {
  description = "Bucket of the store, the runs and, below policy/, the policy"
  value       = aws_s3_bucket.state.id
}

output "project" {
  description = "CodeBuild project, to start a run by hand"
  value       = aws_codebuild_project.job.name
}
