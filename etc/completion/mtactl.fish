# fish completion for mtactl

set -l verbs \
    'status:processes and figures of the queue' \
    'queue list:the messages of the queue' \
    'queue count:how many messages there are' \
    'queue hold:keep messages back' \
    'queue release:let held messages go on' \
    'queue retry:make messages due now' \
    'queue delete:remove messages' \
    'message show:one message' \
    'message history:all that happened to a message' \
    'message explain:why a message is where it is' \
    'spool stats:what the spool is made of' \
    'spool check:verify the spool' \
    'spool backup:copy the spool while mail flows' \
    'spool restore:make the spool of a backup' \
    'spool salvage:save what can be saved of a damaged spool' \
    'forecast:when the queue will be empty, if all goes on as of late' \
    'route explain:where mail to somebody would go now, and why' \
    'route diff:which queued messages a changed configuration would move' \
    'config check:look for mistakes in the configuration' \
    'config show:the configuration with all defaults' \
    'config diff:what another configuration changes' \
    'dest list:destinations, those that are held back first' \
    'dest show:one destination, its state and its limits' \
    'dest suspend:send nothing to a destination' \
    'dest resume:let mail go on that is suspended' \
    'dest reset:forget how a destination did' \
    'quota list:what was handed in of late, against limits' \
    'quota reset:let one go on that has used up its quota' \
    'sts list:which policies of MTA-STS are known' \
    'sts forget:have a policy fetched anew' \
    'auth hash:a line for the file of users' \
    'auth test:is this the password in the file?' \
    'reload:take a changed configuration over' \
    'log level:log more or less from now on' \
    'help:about mtactl, or about a verb' \
    'version:the version of this program'

# Are the words so far, options aside, those given?
function __mtactl_at
    set -l given
    set -l words (commandline -opc)
    set -l skip 0
    for word in $words[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word -c --config -s --socket \
                --from --client --user --size --header
            set skip 1
        else if not string match -q -- '-*' $word
            set -a given $word
        end
    end
    test "$given[1]" = help; and set -e given[1]
    test "$given" = "$argv"
end

function __mtactl_selects
    set -l words (commandline -opc)
    string match -qr \
        '(queue.* (list|count|hold|release|retry|delete)|route.* diff)( |$)' \
        -- "$words"
end

complete -c mtactl -f
for entry in $verbs
    set -l parts (string split -m1 : $entry)
    set -l words (string split ' ' $parts[1])
    if test (count $words) = 1
        complete -c mtactl -n __mtactl_at -a $words[1] -d $parts[2]
    else
        complete -c mtactl -n __mtactl_at -a $words[1]
        complete -c mtactl -n "__mtactl_at $words[1]" -a $words[2] \
            -d $parts[2]
    end
end
complete -c mtactl -n __mtactl_selects -a 'all not or id: from: to: domain:'
complete -c mtactl -n __mtactl_selects -a 'age\> size\> tries\>'
complete -c mtactl -n __mtactl_selects \
    -a 'state:active state:deferred state:held'
complete -c mtactl -n '__mtactl_at log level' -a 'error warning info debug'
complete -c mtactl -n '__mtactl_at config check' -F
complete -c mtactl -n '__mtactl_at config diff' -F
complete -c mtactl -n '__mtactl_at spool check' -F
complete -c mtactl -n '__mtactl_at spool backup' -F
complete -c mtactl -n '__mtactl_at spool restore' -F
complete -c mtactl -n '__mtactl_at spool salvage' -F

complete -c mtactl -s c -l config -r -F -d 'the configuration'
complete -c mtactl -s s -l socket -r -F -d 'the control socket'
complete -c mtactl -s j -l json -d 'for programs'
complete -c mtactl -l no-color -d 'no colours'
complete -c mtactl -s n -l dry-run -d 'change nothing'
complete -c mtactl -s l -l limit -x -d 'list no more than this'
complete -c mtactl -s y -l yes -d 'do not ask'
complete -c mtactl -l set-aside -d 'keep the spool that is there'
complete -c mtactl -l release -d 'send what nobody knows the fate of'
complete -c mtactl -l scheme -x -a 'yescrypt sha512 scram-sha-256' -d 'the kind of hash'
complete -c mtactl -l for -x -d 'for so long'
complete -c mtactl -l why -x -d 'a reason'
complete -c mtactl -l journal -r -F -d 'who knows what was delivered'
complete -c mtactl -l mail -d 'save each message as a file, too'
complete -c mtactl -l from -x -d 'the sender of the mail'
complete -c mtactl -l client -x -d 'who handed it in'
complete -c mtactl -l user -x -d 'who that client had proved to be'
complete -c mtactl -l size -x -d 'of the mail'
complete -c mtactl -l header -x -d 'a field of its header'
complete -c mtactl -l requiretls -d 'it came with REQUIRETLS'
complete -c mtactl -l released -d 'an operator has released it: no rule holds it'
complete -c mtactl -l all -d 'each rule and host'
complete -c mtactl -s h -l help -d help
complete -c mtactl -s V -l version -d 'the version'
