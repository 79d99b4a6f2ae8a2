# A stage of this script is run again from its first call: AWS says what was done already.
is_due() {
    return 0
}

# Refuses the stage if the evidence for one of its groups is not enough.
check_readiness() {
    local line
    case " $stages_to_name " in *" $stage "*) ;; *) return 0 ;; esac
    [ ${#waiting[@]} -gt 0 ] || return 0
    if [ -n "$force" ]; then
        say 'Not ready, and done all the same because of --force:'
        for line in "${waiting[@]}"; do say "  $line"; done
        return 0
    fi
    say 'Not ready to lock. They wait for:' >&2
    for line in "${waiting[@]}"; do say "  $line" >&2; done
    refuse "Nothing was done. Name only groups that are ready, or override this with --force."
}

while [ $# -gt 0 ]; do
    case $1 in
        --force)
            force=yes
            shift
            ;;
        *)
            common_word "$@"
            shift "$took"
            ;;
    esac
done
check_words
if [ -n "$force" ]; then
    case " $stages_to_name " in *" $stage "*) ;; *) misused "--force goes with: $stages_to_name." ;; esac
fi
choose_groups
check_readiness
open_journal
"$stage"
sum_up
