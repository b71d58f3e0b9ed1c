# bash completion for dockergcctl                                  -*- shell-script -*-
# shellcheck shell=bash

# The names of all images, by the daemon if there is one. Whatever is no plain name is left out.
_dockergcctl_images() { # PROGRAM [--socket PATH]
	timeout 1 "$@" --json images 2>/dev/null </dev/null |
		LC_ALL=C grep -oE '"references": *\[("[^"]*",? *)*' | sed 's/^"references"://' |
		LC_ALL=C grep -oE '"[[:alnum:]][[:alnum:]._/:@-]*"' | sed '
			s/"//g
			s,^docker\.io/library/\([^/]*\)$,\1,
			s,^docker\.io/,,'
}

_dockergcctl() {
	local commands=(status images plan gc track forget explain history pause resume metrics)
	local options=(--socket --json -V --version -h --help)
	local options_gc=(-n --dry-run -w --wait)
	local -a words candidates=() program=("${1/#\~\//$HOME/}")
	local line=${COMP_LINE:0:COMP_POINT} word command='' value='' candidate kept i
	local -A given=()
	COMPREPLY=()

	# Bash cuts words at ":" and "=" as well; these are the user's.
	read -ra words <<<"${line}x"
	word=${words[-1]%x}
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--socket)
			if ((i == ${#words[@]} - 2)); then
				compopt -o default
				return
			fi
			i=$((i + 1)) value=${words[i]}
			;;
		--socket=*) value=${words[i]#*=} ;;
		-*) ;;
		*)
			[ -z "$command" ] || given[${words[i]}]=1
			command=${command:-${words[i]}}
			;;
		esac
	done
	[ -z "$value" ] || program+=(--socket "${value/#\~\//$HOME/}")

	case $command:$word in
	*:--socket=*)
		compopt -o default
		return
		;;
	:-* | gc:-*) candidates=("${options[@]}" "${options_gc[@]}") ;;
	*:-*) candidates=("${options[@]}") ;;
	:*) candidates=("${commands[@]}") ;;
	track:* | forget:*) mapfile -t candidates < <(_dockergcctl_images "${program[@]}") ;;
	explain:*)
		[ ${#given[@]} -gt 0 ] ||
			mapfile -t candidates < <(_dockergcctl_images "${program[@]}")
		;;
	pause:*) [ ${#given[@]} -gt 0 ] || candidates=(30m 1h 2h 1d) ;;
	esac

	# What bash replaces begins behind the last of its word breaks.
	kept=${word%"${word##*["$COMP_WORDBREAKS"]}"}
	for candidate in "${candidates[@]}"; do
		[[ $candidate != "$word"* || -n ${given[$candidate]-} ]] ||
			COMPREPLY+=("${candidate#"$kept"}")
	done
}

complete -F _dockergcctl dockergcctl
