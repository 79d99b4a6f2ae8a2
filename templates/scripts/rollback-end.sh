left=0

# Reads what became of each rule of the stage: state_KEY is none, begun (a call was made, and how it ended is not known),
# unsure (the same, and made again since), or done and the rule's id.
read_journal() {
    local undone time in event key id group what name state
    case $stage in
        loosen) undone=tighten ;;
        open) undone=revoke ;;
        *) undone=add ;;
    esac
    # shellcheck disable=SC2034 # Columns for people.
    while IFS=$'\t' read -r time in event key id group what; do
        # A line that a killed run could not finish says nothing.
        [ -n "$what" ] || continue
        case $key in '' | *[!0-9a-z]*) continue ;; esac
        case $id in sgr-*[!0-9a-z]*) id=- ;; sgr-*) ;; *) id=- ;; esac
        name=state_$key
        state=${!name-none}
        case $in,$event,$state in
            "$undone",begin,none) state=begun ;;
            "$undone",begin,begun) state=unsure ;;
            "$undone",done,*) state="done $id" ;;
            "$undone",already,begun | "$undone",refused,begun) state=none ;;
            "$stage",done,* | "$stage",already,*) state=none ;;
        esac
        printf -v "$name" '%s' "$state"
    done <"$journal"
}

# Whether the rule of the current call is one to undo. Sets the id by which remove revokes it.
is_due() {
    local name state
    [ -z "$without_journal" ] || return 0
    name=state_$key
    state=${!name-none}
    case $state in
        done*)
            # shellcheck disable=SC2034 # It is the caller's.
            [ "$stage" != remove ] || id=${state#done }
            return 0
            ;;
        begun | unsure)
            # What stood in the snapshot can be made again in any case: if it was never revoked, AWS says so.
            [ "$stage" = remove ] && [ -z "$unfinished" ] || return 0
            say "Left: it is not known whether apply.sh made this rule: $what"
            left=$((left + 1))
            ;;
    esac
    return 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --without-journal)
            without_journal=yes
            shift
            ;;
        --unfinished)
            unfinished=yes
            shift
            ;;
        *)
            common_word "$@"
            shift "$took"
            ;;
    esac
done
check_words
[ -z "$unfinished" ] || [ "$stage" = remove ] || misused '--unfinished goes with remove.'
[ -z "$unfinished" ] || [ -z "$without_journal" ] || misused 'Name --unfinished or --without-journal, not both.'
if [ -z "$without_journal" ] && [ ! -s "$journal" ]; then
    refuse "There is no journal $journal, so it is not known what apply.sh did. Name it with --journal FILE, or undo the whole stage with --without-journal."
fi
choose_groups
open_journal
[ -n "$without_journal" ] || read_journal
"$stage"
sum_up
if [ $((changed + already + left)) -eq 0 ]; then say 'The journal has nothing to undo here.'; fi
if [ "$left" -gt 0 ]; then
    stop "$left left: apply.sh was interrupted. Look whether these rules are yours, then run this again with --unfinished."
fi
