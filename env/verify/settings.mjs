// Files with environment variables, read by the rules of the systems that read them: our own
// (env/settings.sh), python-dotenv (a FastAPI back end by pydantic-settings) and @next/env (a Next.js
// front end: dotenv, then $NAME is replaced). The same line may mean different things to them.
// Each reader takes the file's text and gives {NAME: value}.
import nextEnv from '@next/env';

// env/settings.sh, and what the embedded run writes: a value ends with its line; quotes are dropped; of
// two lines for one name the last counts.
export function readAsOurs(text) {
  const values = {};
  for (const line of text.split('\n')) {
    const found = /^[ \t\v\f\r]*(?:export[ \t\v\f\r]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t\v\f\r]*=[ \t\v\f\r]*(.*)$/s.exec(line.replace(/\r$/, ''));
    if (!found) continue;
    const [, name, raw] = found;
    const quoted = /^"([^"]*)".*$|^'([^']*)'.*$/s.exec(raw);
    values[name] = quoted ? quoted[1] ?? quoted[2] : raw.startsWith('#') ? '' : raw.replace(/[ \t\v\f\r]#.*$/s, '').replace(/[ \t\v\f\r]+$/, '');
  }
  return values;
}

const PYTHON_ESCAPES = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

// python-dotenv: quoted values may have several lines; ${NAME} and ${NAME:-default} are replaced.
export function readAsPython(text) {
  const values = {};
  let rest = text.replace(/\r\n|\r/g, '\n');
  const take = (pattern) => {
    const found = pattern.exec(rest);
    if (found) rest = rest.slice(found[0].length);
    return found;
  };
  const toEndOfLine = /^[^\n]*(?:\n|$)/;
  while (rest !== '') {
    take(/^[^\S\ufeff]*/);  // a byte order mark is part of the first name, there
    if (rest === '') break;
    if (take(/^#[^\n]*(?:\n|$)/)) continue;
    take(/^export[^\S\n]+/);
    const key = take(/^'([^']+)'/) ?? take(/^((?:[^=#\s]|\ufeff)+)/);
    if (!key) { take(toEndOfLine); continue; }
    take(/^[^\S\n]*/);
    if (!take(/^=[^\S\n]*/)) { take(toEndOfLine); continue; }
    let value;
    if (rest.startsWith("'")) {
      const found = take(/^'((?:\\'|[^'])*)'/);
      if (!found) { take(toEndOfLine); continue; }
      value = found[1].replace(/\\([\\'])/g, '$1');
    } else if (rest.startsWith('"')) {
      const found = take(/^"((?:\\"|[^"])*)"/);
      if (!found) { take(toEndOfLine); continue; }
      value = found[1].replace(/\\([\\'"abfnrtv])/g, (_, letter) => PYTHON_ESCAPES[letter] ?? letter);
    } else {
      value = take(/^[^\n]*/)[0].replace(/\s+#.*/, '').trimEnd();
    }
    // Behind a value only a comment may stand: a line with anything else is no binding at all.
    take(/^[^\S\n]*/);
    take(/^#[^\n]*/);
    if (!take(/^(?:\n|$)/)) { take(toEndOfLine); continue; }
    values[key[1]] = value.replace(/\$\{([^}:]*)(?::-([^}]*))?\}/g, (_, name, fallback) => values[name] || (fallback ?? ''));
  }
  return values;
}

// @next/env reads into process.env and prefers what is there: it gets an empty one.
export function readAsNext(text) {
  const before = { ...process.env };
  const replaceBy = (values) => {
    for (const name of Object.keys(process.env)) delete process.env[name];
    Object.assign(process.env, values);
  };
  try {
    replaceBy({});
    const [, parsed] = nextEnv.processEnv([{ path: '.env', contents: text, env: {} }], '.', { info() {}, error() {} }, true);
    return { ...parsed };
  } finally {
    replaceBy(before);
  }
}

// --- What the settings say ------------------------------------------------------------------------

// What cookies and tokens are signed with: the first of BETTER_AUTH_SECRETS, else BETTER_AUTH_SECRET.
export function signingSecret(values) {
  const first = (values.BETTER_AUTH_SECRETS ?? '').split(',').map((entry) => entry.trim()).find(Boolean);
  if (first) return first.slice(first.indexOf(':') + 1);
  return values.BETTER_AUTH_SECRET || undefined;
}

// The base path of the auth routes, as lib/env reads it.
export function authPath(values) {
  let path = values.AUTH_BASE_PATH || '/api/auth';
  const found = /^[a-z]+:\/\/[^/?#]+(\/[^?#]*)/.exec(values.BETTER_AUTH_URL ?? '');
  if (found && /[^/]/.test(found[1])) path = found[1];
  return path.replace(/(?<=.)\/+$/, '');
}

export const list = (text) => (text ?? '').split(',').map((item) => item.trim()).filter(Boolean);
