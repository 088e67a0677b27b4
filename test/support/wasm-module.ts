/** The smallest Wasm module that proxies can run: it adds a header to every response. No compiler is needed for it. */

/** `\0asm`, version 1. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const I32 = 0x7f;
const FUNCTION = 0x00;
const MEMORY = 0x02;
/** Of proxy-wasm's `proxy_add_header_map_value`. */
const RESPONSE_HEADERS = 2;
const KEY_AT = 16;
const VALUE_AT = 64;
const HEAP_AT = 1024;

export function headerModule(name: string, value: string): Buffer {
  const types = [
    signature([], []),
    signature([I32], [I32]),
    signature([I32, I32, I32], [I32]),
    signature([I32, I32, I32, I32, I32], [I32]),
  ];
  const [nothing, one, three, five] = [0, 1, 2, 3];
  const imported = [...text('env'), ...text('proxy_add_header_map_value'), FUNCTION, five];
  const exported = [
    ['memory', MEMORY, 0],
    ['proxy_abi_version_0_2_1', FUNCTION, 1],
    ['proxy_on_memory_allocate', FUNCTION, 2],
    ['proxy_on_response_headers', FUNCTION, 3],
  ] as const;
  const added = [RESPONSE_HEADERS, KEY_AT, name.length, VALUE_AT, value.length].flatMap(constant);
  const bodies = [
    body([]),
    body(constant(HEAP_AT)),
    body([...added, 0x10, 0x00, 0x1a, ...constant(0)]), // call, drop, and go on
  ];
  return Buffer.from([
    ...MAGIC,
    ...section(1, list(types)),
    ...section(2, list([imported])),
    ...section(3, list([nothing, one, three].map((type) => [type]))),
    ...section(5, list([[0x00, 0x02]])),
    ...section(7, list(exported.map(([label, kind, index]) => [...text(label), kind, index]))),
    ...section(10, list(bodies)),
    ...section(11, list([data(KEY_AT, name), data(VALUE_AT, value)])),
  ]);
}

function section(id: number, content: readonly number[]): readonly number[] {
  return [id, ...unsigned(content.length), ...content];
}

function list(entries: readonly (readonly number[])[]): readonly number[] {
  return [...unsigned(entries.length), ...entries.flat()];
}

function signature(takes: readonly number[], gives: readonly number[]): readonly number[] {
  return [0x60, ...list(takes.map((type) => [type])), ...list(gives.map((type) => [type]))];
}

function body(code: readonly number[]): readonly number[] {
  const whole = [0x00, ...code, 0x0b];
  return [...unsigned(whole.length), ...whole];
}

function data(at: number, content: string): readonly number[] {
  return [0x00, ...constant(at), 0x0b, ...text(content)];
}

function text(content: string): readonly number[] {
  return [...unsigned(content.length), ...Buffer.from(content)];
}

function constant(value: number): readonly number[] {
  return [0x41, ...signed(value)];
}

/** LEB128. */
function unsigned(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): readonly number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}
