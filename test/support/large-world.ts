/** Many services, for changes that no single transaction holds. */
export function servicesText(count: number, port: number): string {
  return Array.from({ length: count }, (_, i) => serviceText(`bulk-${i}`, port)).join('---\n');
}

function serviceText(name: string, port: number): string {
  return `apiVersion: mesh/v1\nkind: Service\nmetadata: { name: ${name}, labels: { team: bulk } }\nspec: { port: ${port}, owner: ${'x'.repeat(300)} }\n`;
}
