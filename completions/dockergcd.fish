# fish completion for dockergcd

complete -c dockergcd -f
complete -c dockergcd -s f -l foreground -d 'stay attached to the terminal and log to it'
complete -c dockergcd -s c -l config -r -F -d 'read FILE only'
complete -c dockergcd -s H -l host -x -a 'unix:// tcp:// http:// https://' -d 'engine: unix:///path, tcp://, http:// or https://host:port'
complete -c dockergcd -s n -l dry-run -d 'do everything except removing'
complete -c dockergcd -l once -d 'collect once, then exit'
complete -c dockergcd -l check-config -d 'check the configuration, then exit'
complete -c dockergcd -l print-config -d 'print the settings in force as a configuration file, then exit'
complete -c dockergcd -l log-level -x -a 'error warning info debug' -d 'error, warning, info or debug'
complete -c dockergcd -s V -l version -d 'print the version, then exit'
complete -c dockergcd -s h -l help -d 'print this, then exit'
