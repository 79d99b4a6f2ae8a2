usage() {
    cat <<'USAGE'
bash apply.sh STAGE [--dry-run] [--journal FILE] [--force] [--all | sg-...]

  add      make the narrow rules; touches nothing else
  revoke   revoke the open rules, the groups with the fewest connections first
  tighten  revoke ingress rules that the mutual pairs cover; on request only

revoke and tighten need the ids of groups, or --all. They refuse groups whose evidence is not enough.

  --dry-run       AWS only checks whether it would take the calls
  --journal FILE  where to record what is done (applied.log beside this script)
  --force         revoke although the evidence is not enough

Add first, watch the logs, then revoke group by group. Connections that are untracked under an open rule are cut at once
(security-group-connection-tracking.html): plan.md lists them. You can run a stage again at any time; it goes on where it
stopped. rollback.sh undoes what the journal says was done.

Exit codes: 0 done, 1 AWS refused something, 2 wrong use: nothing was done.
USAGE
}

stages='add revoke tighten'
stages_to_name='revoke tighten'
by_permission_too=yes
force=
