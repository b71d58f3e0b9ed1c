# bash completion for dockergcd                                    -*- shell-script -*-
# shellcheck shell=bash

_dockergcd() {
	local options=(-f --foreground -c --config -H --host -n --dry-run --once --check-config
		--print-config --log-level -V --version -h --help)
	local -a words candidates=()
	local line=${COMP_LINE:0:COMP_POINT} word option='' value='' candidate kept
	COMPREPLY=()

	# Bash cuts words at ":" and "=" as well; these are the user's.
	read -ra words <<<"${line}x"
	word=${words[-1]%x}
	[ ${#words[@]} -lt 2 ] || option=${words[-2]}
	case $word in
	--*=*) option=${word%%=*} value=$option= ;;
	esac

	case $option in
	-c | --config)
		compopt -o default
		return
		;;
	-H | --host)
		candidates=(unix:// tcp:// http:// https://)
		compopt -o nospace
		;;
	--log-level) candidates=(error warning info debug) ;;
	*)
		value=''
		candidates=("${options[@]}")
		;;
	esac

	# What bash replaces begins behind the last of its word breaks.
	kept=${word%"${word##*["$COMP_WORDBREAKS"]}"}
	for candidate in "${candidates[@]/#/$value}"; do
		[[ $candidate != "$word"* ]] || COMPREPLY+=("${candidate#"$kept"}")
	done
}

complete -F _dockergcd dockergcd
