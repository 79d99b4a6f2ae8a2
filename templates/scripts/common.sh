# Prints a text. It may repeat names and ids, so whatever is not plain text in it becomes a question mark.
say() {
    local LC_ALL=C
    printf '%s\n' "${1//[^[:print:]$'\n']/?}"
}

# Ends the script before anything was done.
refuse() {
    say "$1" >&2
    exit 2
}

# The same, where the words of the call are wrong.
misused() {
    say "$1" >&2
    printf '\n' >&2
    usage >&2
    exit 2
}

# Ends the script where AWS, or the disk, took something no further.
stop() {
    say "$1" >&2
    exit 1
}

# Nothing in this script is a pattern for file names.
set -f

stage=
dry_run=
all=
groups=()
case $0 in
    */*) journal=${0%/*}/applied.log ;;
    *) journal=applied.log ;;
esac
journal_head='# closegate: what apply.sh and rollback.sh did. Columns: time, stage, event, key, rule id, group, what'

# One word of the call: an option that both scripts have, a stage, or a group. How many words it took is in $took.
common_word() {
    took=1
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --dry-run) dry_run=--dry-run ;;
        --all) all=yes ;;
        --journal)
            [ -n "${2-}" ] || misused '--journal needs a file.'
            journal=$2
            took=2
            ;;
        -*) misused "Unknown option: $1" ;;
        *)
            case " $stages " in
                *" $1 "*)
                    [ -z "$stage" ] || misused "One stage at a time: $stage or $1."
                    stage=$1
                    ;;
                *) groups+=("$1") ;;
            esac
            ;;
    esac
}

# Fails if the words of the call contradict each other or leave out which groups.
check_words() {
    local group
    if [ -z "$stage" ]; then
        [ ${#groups[@]} -eq 0 ] || misused "Neither a stage nor an option: ${groups[0]}. Name a stage first: $stages."
        misused "Name a stage: $stages."
    fi
    [ -z "$all" ] || [ ${#groups[@]} -eq 0 ] || misused 'Name groups or --all, not both.'
    case " $stages_to_name " in
        *" $stage "*)
            [ -n "$all" ] || [ ${#groups[@]} -gt 0 ] ||
                misused "$stage revokes rules. Name the ids of the groups, or --all."
            ;;
    esac
    [ ${#groups[@]} -gt 0 ] || return 0
    for group in "${groups[@]}"; do
        [ -n "$group" ] || misused 'The id of a group is empty.'
        found=
        look_for=$group
        every_group
        [ -n "$found" ] || misused "This change has no group $group. Name groups by id."
    done
    look_for=
}

# Whether a group was named, or none was.
is_named() {
    local one
    [ ${#groups[@]} -gt 0 ] || return 0
    for one in "${groups[@]}"; do [ "$one" != "$1" ] || return 0; done
    return 1
}

look_for=
found=
caller=
chosen=()
foreign=0
unchecked=0
refused=()
waiting=()

# A row of the table of groups: id, name, account, the stages that change it, why it is not ready, who keeps it instead.
group() {
    local id=$1 name="$2 ($1)" account=$3 its_stages=$4 not_ready=$5 kept=$6
    if [ -n "$look_for" ]; then
        [ "$look_for" != "$id" ] || found=yes
        return 0
    fi
    case " $its_stages " in *" $stage "*) ;; *) return 0 ;; esac
    is_named "$id" || return 0
    if [ -n "$kept" ]; then
        if [ ${#groups[@]} -gt 0 ]; then refused+=("$name: $kept"); else say "Left alone: $name: $kept"; fi
        return 0
    fi
    if [ -z "$account" ]; then
        unchecked=$((unchecked + 1))
    elif [ "$account" != "$caller" ]; then
        foreign=$((foreign + 1))
        [ ${#groups[@]} -eq 0 ] || refused+=("$name belongs to account $account; these are the credentials of $caller.")
        return 0
    fi
    chosen+=("$id")
    [ -z "$not_ready" ] || waiting+=("$name: $not_ready")
}

# Finds the groups to work on, in the account of the credentials. Refuses the whole stage if one of those named can't be.
choose_groups() {
    local line code said
    attempt sts get-caller-identity ${region:+--region "$region"} --query Account --output text
    [ -z "$code" ] || stop "aws sts get-caller-identity failed, so the account can't be checked: $said"
    # Before it, the AWS CLI may have printed a warning.
    caller=${said##*$'\n'}
    every_group
    if [ ${#refused[@]} -gt 0 ]; then
        for line in "${refused[@]}"; do say "$line" >&2; done
        refuse 'Nothing was done.'
    fi
    if [ ${#chosen[@]} -eq 0 ] && [ "$foreign" -gt 0 ]; then
        refuse "Wrong account: these are the credentials of $caller, and the groups of this stage belong to other accounts. Nothing was done."
    fi
    [ "$foreign" -eq 0 ] || say "Left alone: $foreign of the groups belong to other accounts than $caller. Run this with their credentials."
    [ "$unchecked" -eq 0 ] || say "Not checked: the change does not say to which account $unchecked of the groups belong."
}

# Makes sure that the journal can be written, before anything is done.
open_journal() {
    local first=
    if [ -e "$journal" ] && [ ! -f "$journal" ]; then refuse "$journal is not a file. Name another journal with --journal FILE."; fi
    if [ -s "$journal" ]; then
        { IFS= read -r first <"$journal"; } 2>/dev/null || true
        [ "$first" = "$journal_head" ] || refuse "$journal is not a journal of these scripts. Name another one with --journal FILE."
    fi
    [ -z "$dry_run" ] || return 0
    {
        if [ ! -s "$journal" ]; then
            printf '%s\n' "$journal_head" >>"$journal"
        elif [ -n "$(tail -c 1 "$journal")" ]; then
            # The line that a killed run could not finish.
            printf '\n' >>"$journal"
        else
            : >>"$journal"
        fi
    } 2>/dev/null || refuse "$journal can't be written. Name another journal with --journal FILE."
}

# Adds a line about the current call to the journal: an event, and the rule's id if there is one.
record() {
    [ -z "$dry_run" ] || return 0
    local LC_ALL=C time rule=${2//[^0-9a-z-]/?} whose=${group//[^[:graph:]]/?}
    time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$time" "$stage" "$1" "$key" "${rule:--}" "${whose:--}" "$what" >>"$journal" ||
        stop "$journal can't be written. Stopped; the last call that it has may have been made."
}

# Calls AWS. $said is what the AWS CLI printed, $code AWS's word for the error: empty if there was none, "unknown" if AWS may
# or may not have done it. The AWS CLI does not repeat a call by itself: a call whose answer was lost would then look as if
# its rule had been there before.
attempt() {
    local pause
    for pause in 1 2 4 8 16 0; do
        code=
        if said=$(AWS_MAX_ATTEMPTS=1 aws "$@" 2>&1); then return 0; fi
        said=${said#$'\n'}
        code=${said#*An error occurred (}
        if [ "$code" = "$said" ]; then code=unknown; else code=${code%%)*}; fi
        case $code in
            RequestLimitExceeded | Throttling | ThrottlingException) sleep "$pause" ;;
            InternalError | InternalFailure | ServerInternal | Unavailable | ServiceUnavailable | RequestTimeout)
                code=unknown
                return 0
                ;;
            *) return 0 ;;
        esac
    done
}

asked=
asked_for=
answer=

# Whether a group is among those to work on. Calls of one group follow each other.
is_chosen() {
    local one
    if [ -z "$asked" ] || [ "$asked_for" != "$1" ]; then
        asked=yes
        asked_for=$1
        answer=1
        [ ${#chosen[@]} -gt 0 ] || return 1
        for one in "${chosen[@]}"; do
            if [ "$one" = "$1" ]; then
                answer=0
                break
            fi
        done
    fi
    return "$answer"
}

changed=0
already=0

# One call of AWS, for one rule: its key in the journal, what it is for people, the rule's id or -, and the call by permission.
# A rule that exists already, or is gone already, is as it should be.
call() {
    local key=$1 what=$2 id=$3 operation=$4 group=$6 code said word query
    shift 3
    is_chosen "$group" || return 0
    is_due || return 0
    printf '%s\n' "$what"
    case $operation in
        authorize-*) query='SecurityGroupRules[].SecurityGroupRuleId' ;;
        # In a default VPC, AWS answers without an error where there was nothing to revoke.
        *) query="UnknownIpPermissions[0] && 'NothingToRevoke'" ;;
    esac
    record begin "$id"
    if [ "$id" = - ]; then
        attempt ec2 "$@" --query "$query" --output text ${dry_run:+"$dry_run"}
    else
        attempt ec2 "${@:1:$#-2}" --security-group-rule-ids "$id" --query "$query" --output text ${dry_run:+"$dry_run"}
        # Revoked and made again, the rule has another id.
        case $by_permission_too,$code in
            yes,InvalidSecurityGroupRuleId.NotFound | yes,InvalidPermission.NotFound)
                attempt ec2 "$@" --query "$query" --output text ${dry_run:+"$dry_run"}
                ;;
        esac
    fi
    case $code,$said in ,*NothingToRevoke*) code=NothingToRevoke ;; esac
    case $code in
        '')
            case $operation in
                authorize-*)
                    id=-
                    for word in $said; do
                        case $word in sgr-*[!0-9a-z]*) ;; sgr-*) id=$word ;; esac
                    done
                    ;;
            esac
            record 'done' "$id"
            changed=$((changed + 1))
            ;;
        DryRunOperation)
            changed=$((changed + 1))
            say "  $said"
            ;;
        NothingToRevoke | InvalidPermission.Duplicate | InvalidPermission.NotFound | InvalidSecurityGroupRuleId.NotFound)
            record already -
            already=$((already + 1))
            case $operation in
                authorize-*) say "  exists already: $said" ;;
                *) say "  gone already: $said" ;;
            esac
            ;;
        unknown)
            record unknown -
            say "$said" >&2
            stop "Stopped: AWS did not answer this call, so it may have been made. $changed done before it, $already needed nothing. Run the same command again to go on."
            ;;
        *)
            record refused -
            say "$said" >&2
            stop "Stopped: AWS refused this call. $changed done before it, $already needed nothing. Run the same command again to go on."
            ;;
    esac
}

# What was done, at the end.
sum_up() {
    if [ -n "$dry_run" ]; then
        say "Dry run of $stage: AWS would take $changed of the calls; nothing was changed or recorded."
    else
        say "$stage: $changed done, $already needed nothing. Recorded in $journal."
    fi
}
