// The command line. Must not know: what is checked.
import { parseArgs } from 'node:util';

export const USAGE = `todo-verify --url URL --backend-env FILE [options]
todo-verify --embedded STATE_DIR [options]

Examines a running deployment of todo-fcgi and says whether it is ready for its users.

  --url URL            where clients reach the task and auth routes
  --backend-env FILE   the settings of the handlers (BETTER_AUTH_SECRET, DATABASE_URL, ...)
  --frontend-env FILE  the settings of the front end, a Better Auth server
  --frontend-url URL   where that server is reached
  --embedded STATE_DIR the deployment that env/embedded runs in STATE_DIR; gives --url and --backend-env,
                       and lets parts of it be stopped and started again
  --routes FILE        nginx's include file with the map (todo-fcgi-http.conf)
  --journeys N         journeys in parallel, 1 to 1000 (default 50)
  --only GROUP,...     of environment database handlers authentication journeys isolation persistence
                       failure browser
  --read-only          nothing is written: no users, no tasks, no restarts
  --json FILE          the result as JSON; - is standard output
  --html FILE          the result as one HTML file

Exit status: 0 ready, 1 not ready, 2 could not run.`;

export const GROUPS = ['environment', 'database', 'handlers', 'authentication', 'journeys', 'isolation', 'persistence', 'failure', 'browser'];

export class Misuse extends Error {}

const text = { type: 'string' };
const flag = { type: 'boolean' };
const KNOWN = {
  url: text, 'backend-env': text, 'frontend-env': text, 'frontend-url': text, embedded: text, routes: text,
  journeys: text, only: text, json: text, html: text, 'read-only': flag, help: flag, version: flag,
};

function urlOf(name, value) {
  if (value === undefined) return undefined;
  let url;
  try { url = new URL(value); } catch { throw new Misuse(`--${name} must be a URL such as https://todo.example.com`); }
  if (!['http:', 'https:'].includes(url.protocol)) throw new Misuse(`--${name} must begin with http:// or https://`);
  return url;
}

export function parse(words) {
  let values;
  try {
    ({ values } = parseArgs({ args: words, options: KNOWN, strict: true }));
  } catch (error) {
    throw new Misuse(error.message);
  }
  if (values.help || values.version) return values;
  const journeys = values.journeys === undefined ? 50 : Number(values.journeys);
  if (!Number.isInteger(journeys) || journeys < 1 || journeys > 1000) throw new Misuse('--journeys must be a whole number from 1 to 1000');
  const only = values.only === undefined ? GROUPS : values.only.split(',').filter(Boolean);
  for (const group of only) if (!GROUPS.includes(group)) throw new Misuse(`--only: there is no group "${group}"; the groups are ${GROUPS.join(' ')}`);
  if (!values.embedded && !values.url) throw new Misuse('--url or --embedded is needed');
  if (!values.embedded && !values['backend-env']) throw new Misuse('--backend-env is needed');
  return {
    url: urlOf('url', values.url), backendEnv: values['backend-env'],
    frontendEnv: values['frontend-env'], frontendUrl: urlOf('frontend-url', values['frontend-url']),
    embedded: values.embedded, routes: values.routes, journeys, only, readOnly: values['read-only'] ?? false, json: values.json, html: values.html,
  };
}
