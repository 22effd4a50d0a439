# bash completion for mtactl

_mtactl_verbs='
status:processes and figures of the queue
queue list:the messages of the queue
queue count:how many messages there are
queue hold:keep messages back
queue release:let held messages go on
queue retry:make messages due now
queue delete:remove messages
message show:one message
message history:all that happened to a message
message explain:why a message is where it is
spool stats:what the spool is made of
spool check:verify the spool
spool backup:copy the spool while mail flows
spool restore:make the spool of a backup
spool salvage:save what can be saved of a damaged spool
forecast:when the queue will be empty, if all goes on as of late
route explain:where mail to somebody would go now, and why
route diff:which queued messages a changed configuration would move
config check:look for mistakes in the configuration
config show:the configuration with all defaults
config diff:what another configuration changes
reload:take a changed configuration over
dest list:destinations, those that are held back first
dest show:one destination, its state and its limits
dest suspend:send nothing to a destination
dest resume:let mail go on that is suspended
dest reset:forget how a destination did
quota list:what users, clients and networks handed in of late, against their limits
quota reset:let one go on: user:NAME, client:ADDRESS or network:NETWORKS
sts list:which policies of MTA-STS are known, and until when
sts forget:have a policy fetched anew by the next mail
auth hash:a line for the file of users, from a password
auth test:is this the user's password in the file?
log level:log more or less from now on
help:about mtactl, or about a verb
version:the version of this program
'

# What may follow the words given: the next word of each verb's name.
_mtactl_next()
{
	local name
	while IFS=: read -r name _; do
		case $# in
		0) [ -n "$name" ] && echo "${name%% *}" ;;
		1) [ "${name%% *}" = "$1" ] && [ "$name" != "$1" ] &&
			echo "${name#* }" ;;
		esac
	done <<<"$_mtactl_verbs"
}

_mtactl()
{
	local cur prev words cword i
	local -a given=()
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n ':=<>' cur prev words cword
	else
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
		words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	fi
	COMPREPLY=()

	case $prev in
	-c | --config | -s | --socket | --journal)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '--config --socket --json
			--no-color --dry-run --limit --yes --set-aside --release
			--journal --scheme --mail --for --why --from --client --user
			--size --header --requiretls --released
			--all --help --version' -- "$cur")
		return
	fi
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-c | --config | -s | --socket | -l | --limit | --journal | --scheme | \
			--for | --why | --from | --client | --user | --size | --header) i=$((i + 1)) ;;
		-*) ;;
		*) given+=("${words[i]}") ;;
		esac
	done
	[ "${given[0]}" = help ] && given=("${given[@]:1}")

	case "${given[*]:0:2}" in
	'queue '* | 'route diff')
		mapfile -t COMPREPLY < <(compgen -W 'all not or id: from: to:
			domain: state:active state:deferred state:held
			age\> size\> tries\>' -- "$cur")
		[[ ${COMPREPLY[0]} == *[:\>] ]] && compopt -o nospace
		declare -F __ltrim_colon_completions >/dev/null &&
			__ltrim_colon_completions "$cur"
		;;
	'log level')
		mapfile -t COMPREPLY < <(compgen -W \
			'error warning info debug' -- "$cur")
		;;
	'config check' | 'config diff' | 'spool check' | 'spool backup' | 'spool restore' |
	'spool salvage')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_mtactl_next "${given[@]}" | sort -u)" -- "$cur")
		;;
	esac
}

complete -F _mtactl mtactl
