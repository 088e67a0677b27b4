/** The one edge of the planner: the files in `templates/`, which everything else here takes as text. */
import { readFileSync } from 'node:fs';

export interface Templates {
  readonly compose: string;
  readonly bootstrap: string;
  /** JSON schema of compose files. */
  readonly composeSchema: string;
}

/** As shipped with the package: beside `src/` in the working tree, beside `dist/` when installed. */
export function readTemplates(folder: URL = new URL('../../templates/', import.meta.url)): Templates {
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
  return {
    compose: read('docker-compose.yml.hbs'),
    bootstrap: read('envoy-bootstrap.yml.hbs'),
    composeSchema: read('compose-spec.json'),
  };
}
