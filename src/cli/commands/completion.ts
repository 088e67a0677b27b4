import { suggestion } from '../../model/suggestion.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';

/** Each asks `mesh __complete` with the words so far, the last one being what is typed now. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_mesh() {
  local IFS=$'\\n'
  COMPREPLY=($(mesh __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _mesh mesh
`,
  zsh: `#compdef mesh
_mesh() {
  local -a found
  found=(\${(f)"$(mesh __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- "\${found[@]}"; else _files; fi
}
compdef _mesh mesh
`,
  fish: `function __mesh_complete
  set -l words (commandline -opc) (commandline -ct)
  mesh __complete -- $words[2..-1] 2>/dev/null
end
complete -c mesh -a '(__mesh_complete)'
`,
};

export const command = defineCommand({
  details: 'Completes commands, flags, kinds, and the names of what exists in the mesh.',
  examples: [
    { line: 'source <(mesh completion bash)', what: 'in ~/.bashrc' },
    { line: 'source <(mesh completion zsh)', what: 'in ~/.zshrc, after compinit' },
    { line: 'mesh completion fish > ~/.config/fish/completions/mesh.fish', what: 'once' },
  ],
  arguments: [{ syntax: '<shell>', description: 'bash, zsh or fish' }],
  run(session, [shell = '']) {
    const script = scripts[shell];
    if (script === undefined) {
      throw new MeshError('MESH2007', `no completion for "${shell}"`, {
        hint: suggestion(shell, Object.keys(scripts)),
      });
    }
    session.write(script);
    return Promise.resolve();
  },
});
