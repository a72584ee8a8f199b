/** Shells for which there is a script. */
export const SHELLS = ['bash', 'fish', 'zsh'] as const;

export type Shell = (typeof SHELLS)[number];

/*
 * All three ask `slipway __complete -- WORDS`, whose first line is `files` where file names may stand too and `words`
 * where not, and whose others are a candidate each, with a tab and a description behind it where there is one.
 */

const BASH = `# bash completion for slipway: source <(slipway completion bash)
_slipway() {
  local line current="\${COMP_LINE:0:COMP_POINT}" first=1 words
  COMPREPLY=()
  # Bash takes a name apart at its colons and equals signs: the words are split anew, at blanks alone.
  read -ra words <<<"$current"
  [[ $current == *[[:blank:]] ]] && words+=("")
  local last="\${words[-1]}"
  while IFS= read -r line; do
    if ((first)); then
      first=0
      [[ $line == files ]] && compopt -o default 2>/dev/null
      continue
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  ((\${#COMPREPLY[@]})) && compopt +o default 2>/dev/null
  # What bash takes for the word begins behind the last break in it.
  local start="\${last%"\${COMP_WORDS[COMP_CWORD]}"}" i
  case "\${COMP_WORDS[COMP_CWORD]}" in [=:]) start="$last" ;; esac
  for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]="\${COMPREPLY[i]#"$start"}"; done
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _slipway slipway
`;

const ZSH = `#compdef slipway
# zsh completion for slipway: source <(slipway completion zsh), after compinit
_slipway() {
  local line first=1 files=0
  local -a found
  while IFS= read -r line; do
    if ((first)); then
      first=0
      [[ $line == files ]] && files=1
      continue
    fi
    line="\${line//:/\\\\:}"
    found+=("\${line/$'\\t'/:}")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  ((\${#found})) && _describe -V slipway found
  ((files)) && _files
}
compdef _slipway slipway
`;

const FISH = `# fish completion for slipway: slipway completion fish | source
function __slipway_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    for line in $lines[2..-1]
        echo $line
    end
    if test "$lines[1]" = files
        __fish_complete_path (commandline -ct)
    end
end
complete -c slipway -f -a '(__slipway_complete)'
`;

/** The script that makes a shell complete command lines of this program. */
export function completionScript(shell: Shell): string {
  return { bash: BASH, fish: FISH, zsh: ZSH }[shell];
}
