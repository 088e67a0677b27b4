import Handlebars from 'handlebars';
import type { Templates } from './templates.js';
import { key, quoted, yamlBlock } from './yaml-text.js';

/** Data in, text out. */
export type RenderText = (data: object) => string;

export interface TextRenderer {
  readonly compose: RenderText;
  readonly bootstrap: RenderText;
}

/** Compiled once for each set of templates, which are read once per process. */
const compiled = new WeakMap<Templates, TextRenderer>();

/**
 * Templates arrange text. They reach data only through helpers that quote: `{{q scalar}}`, `{{key name}}`, and
 * `{{yaml value indent}}` behind a colon. Handlebars' own escaping is for HTML and protects nothing here, so it is off;
 * strict: a name that is not in the data is an error and not an empty place.
 */
export function textRenderer(templates: Templates): TextRenderer {
  let renderer = compiled.get(templates);
  if (renderer === undefined) {
    const handlebars = Handlebars.create();
    handlebars.registerHelper('q', (value: unknown) => quoted(value));
    handlebars.registerHelper('key', (name: string) => key(name));
    handlebars.registerHelper('yaml', (value: unknown, indent: number) => yamlBlock(value, indent));
    const compile = (text: string): RenderText => handlebars.compile(text, { noEscape: true, strict: true });
    renderer = { compose: compile(templates.compose), bootstrap: compile(templates.bootstrap) };
    compiled.set(templates, renderer);
  }
  return renderer;
}
