# Completion of weirctl for bash; the words are those of weirctl --help.
_weirctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command="" i
    local commands="status top hosts users classes clients blocks block unblock reset usage reload drain log-level"
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket | --config | --host | --user | --class | --kind | --month | --from | --to | --by | --delay) ((i++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done

    local words=""
    case $before in
    --socket | --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --kind) words="host user class" ;;
    --by) words="total month day hour" ;;
    --host | --user | --class | --month | --from | --to | --delay) ;;
    *)
        case $command in
        "") words="$commands --socket --config --help --version" ;;
        status) words="--json --xml" ;;
        top) words="--delay" ;;
        hosts | users | classes | clients | blocks) words="--json --csv" ;;
        unblock) words="all" ;;
        reset) [ "$before" = reset ] && words="host user all" || words="all" ;;
        usage) words="--host --user --class --kind --month --from --to --by --json --csv" ;;
        log-level) words="emerg alert crit error warn notice info debug" ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _weirctl weirctl
