// Each script asks the program itself what can stand at the cursor, and leaves to its shell what the shell knows best:
// file names, and the completions of other commands. What the program answers is never evaluated.

const bash = (name: string, identifier: string): string => `# bash completion of ${name}
${identifier}() {
  local program=$1 kind word index
  type -P -- "$program" > /dev/null 2>&1 || program=${name}
  COMPREPLY=()
  {
    IFS= read -r kind
    while IFS= read -r word; do COMPREPLY+=("$word"); done
  } <<< "$("$program" __complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2> /dev/null)"
  case $kind in
    files) ;;
    folders) compopt -o dirnames 2> /dev/null ;;
    command)
      for ((index = 1; index < COMP_CWORD; index++)); do [[ \${COMP_WORDS[index]} == -- ]] && break; done
      if declare -F _command_offset > /dev/null; then
        _command_offset $((index + 1))
      elif ((COMP_CWORD == index + 1)); then
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "\${COMP_WORDS[COMP_CWORD]}")
      fi
      ;;
    *) compopt +o default 2> /dev/null ;;
  esac
}
complete -o default -F ${identifier} ${name}`

const zsh = (name: string, identifier: string): string => `#compdef ${name}
# zsh completion of ${name}
${identifier}() {
  local program=\${(Q)words[1]} kind line
  local -a answer values shown
  local -i width
  (( $+commands[$program] )) || [[ -x $program ]] || program=${name}
  answer=("\${(@f)$("$program" __complete zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2> /dev/null)}")
  kind=$answer[1]
  case $kind in
    files) compset -P '--[a-z-]#='; _files ;;
    folders) compset -P '--[a-z-]#='; _files -/ ;;
    command)
      local -i index=\${words[(i)--]}
      shift $index words
      (( CURRENT -= index ))
      _normal
      ;;
    words)
      for line in "\${(@)answer[2,-1]}"; do
        values+=("\${line%%$'\\t'*}")
        (( width = \${(m)#values[-1]} > width ? \${(m)#values[-1]} : width ))
      done
      for line in "\${(@)answer[2,-1]}"; do
        shown+=("\${(mr:width:)line%%$'\\t'*}  \${line#*$'\\t'}")
      done
      if [[ -z \${(j::)answer[2,-1]#*$'\\t'} ]]; then
        compadd -a -- values
      else
        compadd -l -d shown -a -- values
      fi
      ;;
  esac
}
if [[ \${funcstack[1]} == ${identifier} ]]; then
  ${identifier} "$@"
elif (( $+functions[compdef] )); then
  compdef ${identifier} ${name}
fi`

const fish = (name: string, identifier: string): string => `# fish completion of ${name}
function ${identifier}
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l program $words[1]
    command -q -- $program; or set program ${name}
    # Its quotes may be open.
    set -l current (string unescape -- $token; or string unescape -- $token\\"; or string unescape -- $token\\')
    set -l answer ($program __complete fish $words[2..-1] "$current" 2> /dev/null)
    set -l option (string match -r -- '^--[a-z-]+=' $current)
    set -l value (string replace -r -- '^--[a-z-]+=' '' $current)
    switch "$answer[1]"
        case files
            printf '%s\\n' "$option"(__fish_complete_path $value)
        case folders
            printf '%s\\n' "$option"(__fish_complete_directories $value)
        case command
            set -l index (contains -i -- -- $words)
            set -e words[1..$index]
            complete -C (string join -- ' ' (string escape -- $words) $token)
        case '*'
            set -e answer[1]
            printf '%s\\n' $answer
    end
end
complete -c ${name} -f -a '(${identifier})'`

const scripts = { bash, fish, zsh }

/** A script that completes the command lines of the program `name` in a shell. */
export const completionScript = (shell: "bash" | "fish" | "zsh", name: string): string =>
  scripts[shell](name, `_${name.replaceAll("-", "_")}`)
