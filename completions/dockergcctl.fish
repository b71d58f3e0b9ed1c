# fish completion for dockergcctl

# The words before the cursor that are no options: the command and its arguments.
function __dockergcctl_words
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --socket
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
        end
        set -e words[1]
    end
end

# Whether the command is one of these, and has no more than so many arguments.
function __dockergcctl_at # MOST COMMAND...
    set -l words (__dockergcctl_words)
    set -q words[1]; and contains -- $words[1] $argv[2..]
    and test (count $words) -le (math $argv[1] + 1)
end

function __dockergcctl_no_command
    test (count (__dockergcctl_words)) -eq 0
end

# The names of all images that are not given yet, by the daemon if there is one. Whatever is no
# plain name is left out.
function __dockergcctl_images
    set -l given (__dockergcctl_words)
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --socket
                test $i -lt (count $words)
                and set program $program[1] --socket (string replace -r '^~/' "$HOME/" -- $words[(math $i + 1)])
            case '--socket=*'
                set program $program[1] --socket (string replace -- --socket= '' $words[$i])
        end
    end
    for name in (timeout 1 $program --json images 2>/dev/null </dev/null |
            LC_ALL=C grep -oE '"references": *\[("[^"]*",? *)*' | sed 's/^"references"://' |
            LC_ALL=C grep -oE '"[[:alnum:]][[:alnum:]._/:@-]*"' |
            sed 's/"//g; s,^docker\.io/library/\([^/]*\)$,\1,; s,^docker\.io/,,')
        contains -- $name $given; or echo $name
    end
end

complete -c dockergcctl -f

complete -c dockergcctl -n __dockergcctl_no_command -a status -d 'what the daemon does, what is used, what comes next'
complete -c dockergcctl -n __dockergcctl_no_command -a images -d 'the images, in the order in which they would go'
complete -c dockergcctl -n __dockergcctl_no_command -a plan -d 'what a collection would remove now, and why'
complete -c dockergcctl -n __dockergcctl_no_command -a gc -d 'collect now'
complete -c dockergcctl -n __dockergcctl_no_command -a track -d 'manage images once they come, or count a use'
complete -c dockergcctl -n __dockergcctl_no_command -a forget -d 'leave images alone from now on'
complete -c dockergcctl -n __dockergcctl_no_command -a explain -d 'what speaks for keeping or removing an image'
complete -c dockergcctl -n __dockergcctl_no_command -a history -d 'what was removed, newest last'
complete -c dockergcctl -n __dockergcctl_no_command -a pause -d 'remove nothing for that long, or until resume'
complete -c dockergcctl -n __dockergcctl_no_command -a resume -d 'end a pause'
complete -c dockergcctl -n __dockergcctl_no_command -a metrics -d 'numbers for Prometheus'

complete -c dockergcctl -l socket -r -F -d 'the daemon\'s control socket'
complete -c dockergcctl -l json -d 'print the daemon\'s answer as it is, for scripts'
complete -c dockergcctl -n '__dockergcctl_no_command; or __dockergcctl_at 0 gc' -s n -l dry-run -d 'gc: only tell what would be removed'
complete -c dockergcctl -n '__dockergcctl_no_command; or __dockergcctl_at 0 gc' -s w -l wait -d 'gc: wait for its end'
complete -c dockergcctl -s V -l version -d 'print the version, then exit'
complete -c dockergcctl -s h -l help -d 'print this, then exit'

complete -c dockergcctl -n '__dockergcctl_at 100000 track forget; or __dockergcctl_at 0 explain' -a '(__dockergcctl_images)'
complete -c dockergcctl -n '__dockergcctl_at 0 pause' -a '30m 1h 2h 1d'
