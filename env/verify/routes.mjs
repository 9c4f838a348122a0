// Which program answers what: as the build has it (routes.tsv), and as nginx's include file has it. Must
// not know: how they are asked.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));

// A file that an installation puts beside this one, and a checkout has elsewhere.
export function shipped(name, ...elsewhere) {
  return [beside(name), ...elsewhere.map(beside)].find((file) => existsSync(file));
}

// [{program, methods, pattern}] in the order of the build.
export function expectedRoutes() {
  const file = [process.env.BUILD && `${process.env.BUILD}/routes.tsv`, shipped('routes.tsv', '../../build/release/routes.tsv', '../../build/asan/routes.tsv')].find((one) => one && existsSync(one));
  if (!file) return undefined;
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => {
    const [program, methods, pattern] = line.split('\t');
    return { program, methods: methods.split(','), pattern };
  });
}

// Every path that a pattern such as /api(/v1|/{user_id})?/tasks stands for, with `values` filled in.
export function pathsOf(pattern, values) {
  const group = /\(([^()]*)\)(\??)/.exec(pattern);
  if (!group) return [pattern.replace(/\{([a-z_]+)\}/g, (_, name) => values[name] ?? 'x')];
  const choices = [...(group[2] ? [''] : []), ...group[1].split('|')];
  return choices.flatMap((choice) => pathsOf(pattern.slice(0, group.index) + choice + pattern.slice(group.index + group[0].length), values));
}

// The map of the include file: [{regex, program}].
export function routesInUse(file) {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^\s*"~(\^\(\?:[A-Z|]+\):.*)"\s+([a-z_]+);/gm)].map(([, regex, program]) => ({ regex: new RegExp(regex), program }));
}

export const programFor = (map, method, path) => map.find(({ regex }) => regex.test(`${method}:${path}`))?.program;
