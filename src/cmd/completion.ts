// `selcap completion`: prints the completion script of a shell. Each script calls `selcap
// __complete` with the words up to the cursor. kubectl finds kubectl_complete-pcap by itself.
import { Argument, Command } from 'commander'

const scripts = {
  bash: `_selcap() {
  local IFS=$'\\n'
  COMPREPLY=($(selcap __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | sed -e '/^:/d' -e 's/\\t.*//'))
  [ \${#COMPREPLY[@]} -gt 0 ] || compopt -o default
}
complete -F _selcap selcap
`,
  zsh: `#compdef selcap
_selcap() {
  local -a found
  found=(\${(f)"$(selcap __complete "\${(@)words[2,CURRENT]}" 2>/dev/null | sed -e '/^:/d' -e 's/\\t.*//')"})
  compadd -a found || _files
}
compdef _selcap selcap
`,
  fish: `complete -c selcap -f -a '(selcap __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null | string match -v ":*")'
`,
} as const

export function completionCommand(): Command {
  return new Command('completion')
    .description('print what a shell needs to complete commands and names')
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .addHelpText('after', '\nExample, in ~/.bashrc:\n  source <(selcap completion bash)')
    .action((shell: keyof typeof scripts) => void process.stdout.write(scripts[shell]))
}
