/** `completion bash|zsh|fish`: the script for the shell, which asks `ottla __complete` at each TAB. */

import { CommandError, command, exitCodes } from '../commands/command.ts'

const bash = `# bash completion of ottla: source <(ottla completion bash)
_ottla() {
  local line words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :file ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${words[-1]}")
      return
    fi
    COMPREPLY+=("$(printf '%q' "\${line%%$'\\t'*}")")
  done < <(ottla __complete "\${words[@]}" 2>/dev/null)
}
complete -F _ottla ottla
`

const zsh = `#compdef ottla
# zsh completion of ottla: ottla completion zsh > "\${fpath[1]}/_ottla"
_ottla() {
  local line
  local -a found
  while IFS= read -r line; do
    if [[ $line == :file ]]; then
      _files
      return
    fi
    line=\${line//:/\\\\:}
    found+=("\${line/$'\\t'/:}")
  done < <(ottla __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe 'ottla' found
}
if [[ \${funcstack[1]} == _ottla ]]; then
  _ottla "$@"
else
  compdef _ottla ottla
fi
`

const fish = `# fish completion of ottla: ottla completion fish > ~/.config/fish/completions/ottla.fish
function __ottla_complete
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    set -l found (ottla __complete $words 2>/dev/null)
    if test "$found" = ":file"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c ottla -f -a '(__ottla_complete)'
`

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish }

export const completion = command({
  name: 'completion',
  about: 'print the completion script of a shell',
  positionals: 'bash|zsh|fish',
  options: {},
  examples: [
    ['completion bash > ~/.local/share/bash-completion/completions/ottla', 'install for bash'],
    ['completion zsh > ~/.zfunc/_ottla', 'install for zsh; fpath must hold ~/.zfunc'],
    ['completion fish > ~/.config/fish/completions/ottla.fish', 'install for fish'],
  ],
  description: [
    'The script asks ottla at each TAB, so it never is out of date. Names of topics come from the brokers of the line or of OTTLA_BROKERS, and are kept for a minute.',
  ],
  isLocal: true,
  run: async ({ out }, { positionals: [shell = ''] }) => {
    const script = scripts[shell]
    if (script === undefined) {
      throw new CommandError(
        exitCodes.usage,
        `no completion for "${shell}": want bash, zsh or fish`,
      )
    }
    await out.write([Buffer.from(script)])
    return exitCodes.done
  },
})
