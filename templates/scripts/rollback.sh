usage() {
    cat <<'USAGE'
bash rollback.sh STAGE [--dry-run] [--journal FILE] [--without-journal] [--unfinished] [--all | sg-...]

  loosen  make the ingress rules again that apply.sh tighten revoked; nothing is cut
  open    make the open rules again that apply.sh revoke revoked; nothing is cut
  remove  revoke the rules that apply.sh add made

In this order. Only what the journal says apply.sh did is undone: no rule that was there before, and nothing twice.
remove needs the ids of groups, or --all. Rules that are made again get new sgr- ids, and lose their tags.

  --dry-run          AWS only checks whether it would take the calls
  --journal FILE     the journal of apply.sh (applied.log beside this script)
  --without-journal  undo the whole stage as it was planned, whatever was done
  --unfinished       remove: also revoke rules of which the journal does not say whether apply.sh made them, because it was
                     interrupted

Exit codes: 0 done, 1 AWS refused something or something is left, 2 wrong use: nothing was done.
USAGE
}

stages='loosen open remove'
stages_to_name='remove'
# The id is that of the rule that apply.sh made. If it is gone, whatever has its permission now is somebody else's.
by_permission_too=
without_journal=
unfinished=
