// People who use the deployment as a page does: by the official better-auth client, with a jar of
// cookies, and with tokens in the Authorization header. Must not know: what is to be found out.
import { createAuthClient } from 'better-auth/client';
import { jwtClient } from 'better-auth/client/plugins';
import { describe } from './http.mjs';

const PASSWORD = 'Verify 9 ready ﬁ 😀'; // what NFKC changes, and what is two UTF-16 code units

// The two systems at which people can sign up and in.
export const sidesOf = (c) => [
  { name: 'the handlers', url: c.url, path: c.authPath, mine: true },
  ...(c.frontendUrl ? [{ name: 'the front end', url: c.frontendUrl, path: c.frontendPath, mine: false }] : []),
];

export class Refused extends Error {
  constructor(step, saw, status) {
    super(`${step}: ${saw}`);
    Object.assign(this, { step, status });
  }
}

export class Person {
  constructor(c, name, side = sidesOf(c)[0]) {
    this.c = c;
    this.user = { name: `Verify ${name}`, email: c.email(name), password: PASSWORD };
    this.jar = new Map();
    this.at(side);
  }

  // Goes on at a side, with what the jar holds.
  at(side) {
    this.side = side;
    this.auth = createAuthClient({ baseURL: `${side.url.origin}${side.path}`, fetchOptions: { customFetchImpl: (input, init) => this.#fetch(input, init) }, plugins: [jwtClient()] });
    return this;
  }

  get cookie() { return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; '); }

  async #fetch(input, init = {}) {
    const target = new URL(input.url ?? input);
    const method = init.method ?? input.method ?? 'GET';
    const headers = Object.fromEntries(new Headers(init.headers ?? input.headers));
    delete headers['content-length'];
    headers.origin = this.side.mine ? this.c.pageOrigin() : this.side.url.origin;
    const answer = await this.c.send(target, method, target.pathname + target.search, { headers, body: init.body ?? undefined, cookie: this.cookie, timeout: 60000 });
    this.last = answer;
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [pair, ...attributes] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (attributes.some((one) => one.trim().toLowerCase() === 'max-age=0')) this.jar.delete(name);
      else this.jar.set(name, value);
    }
    const flat = Object.entries(answer.headers).filter(([name]) => name !== 'set-cookie').map(([name, value]) => [name, String(value)]);
    return new Response([101, 204, 205, 304].includes(answer.status) ? null : answer.text, { status: answer.status, headers: flat });
  }

  // What the client makes of an answer, or Refused.
  #must(step, { data, error }) {
    if (error) throw new Refused(`${step} at ${this.side.name}`, this.last ? describe(this.last) : `${error.status} ${error.message ?? ''}`, error.status);
    return data;
  }

  async signUp() {
    this.c.wrote = true;
    const data = this.#must('sign-up', await this.auth.signUp.email(this.user));
    this.id = data.user.id;
    // Where an address must be confirmed first, nobody reads this one's mail.
    if (data.token === null) await this.c.sql('UPDATE "user" SET "emailVerified" = true WHERE email = $1', [this.user.email]);
    return data;
  }

  async signIn() {
    const data = this.#must('sign-in', await this.auth.signIn.email({ email: this.user.email, password: PASSWORD }));
    this.id = data.user.id;
    return data;
  }

  async session() { return this.#must('get-session', await this.auth.getSession()); }

  async token() {
    const { token } = this.#must('token', await this.auth.token());
    this.bearer = token;
    return token;
  }

  async signOut() {
    const data = this.#must('sign-out', await this.auth.signOut());
    this.bearer = undefined;
    return data;
  }

  // --- Tasks --------------------------------------------------------------------------------------

  get tasks() { return `/api/${encodeURIComponent(this.id)}/tasks`; }

  task(method, rest = '', body = undefined, token = this.bearer) {
    return this.c.http(method, `${this.tasks}${rest}`, { token, body });
  }

  // The same, where any other answer is an error.
  async must(status, method, rest, body) {
    const answer = await this.task(method, rest, body);
    if (answer.status !== status) throw new Refused(`${method} ${rest === '' ? 'tasks' : `task${rest.replace(/\d+/, 'N')}`}`, `${describe(answer)} instead of ${status}`, answer.status);
    return answer.json;
  }
}

// A person with a session and a token; the same one each time that a name is asked for.
export async function someone(c, name, side) {
  c.people ??= new Map();
  if (!c.people.has(name)) {
    c.people.set(name, (async () => {
      const person = new Person(c, name, side);
      await person.signUp();
      await person.signIn();
      await person.token();
      return person;
    })());
  }
  return c.people.get(name);
}
