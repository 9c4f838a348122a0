// Sabotaged programs and web servers. The programs with a fault in them are built from the real sources
// with one place changed.
import { after, before, test } from 'node:test';
import { Deployment, assertFails, buildWith } from './deployment.mjs';
import { migrate } from './harness.mjs';

let d;
before(async () => { d = await Deployment.start(); });
after(() => d?.stop());

const sabotage = (name, only, wanted, act) => test(name, async () => {
  assertFails(await act((options = {}) => d.verify({ only, ...options })), wanted);
});
// One program, replaced by one with another setting or by a test build.
const withSettings = (name, program, settings, only, wanted) =>
  sabotage(name, only, wanted, (run) => d.withProgram(program, { settings: settings() }, run));
const withFault = (name, [program, file, from, to], only, wanted) =>
  sabotage(name, only, wanted, async (run) => d.withProgram(program, { program: await buildWith(program, file, from, to) }, run));

// --- Programs and the web server ------------------------------------------------------------------

const RUNNING = 'environment,handlers';
sabotage('no sabotage: ready', 'environment,database,handlers', {}, (run) => run());
sabotage('one handler is stopped', RUNNING, { 'handlers.task_complete': /503 .*\ntask_complete does not run/ }, (run) => d.without('task_complete', run));
sabotage('two handlers are stopped', RUNNING, { 'handlers.session': /\nsession does not run/, 'handlers.task_list': /\ntask_list does not run/ },
  (run) => d.without('session', () => d.without('task_list', run)));
sabotage('the handler for unknown paths is stopped', RUNNING, { 'handlers.fallback': /503 unavailable .*\nfallback does not run/ }, (run) => d.without('fallback', run));
withSettings('a task handler runs with another secret', 'task_update', () => ({ BETTER_AUTH_SECRET: 'x'.repeat(44) }), RUNNING,
  { 'environment.running-secret': /refused \(401\) by task_update\ntask_update runs with another secret: restart task_update/ });
withSettings('an auth handler runs with another secret', 'sessions', () => ({ BETTER_AUTH_SECRET: 'x'.repeat(44) }), RUNNING,
  { 'environment.running-cookies': /is none to sessions\nrestart sessions/ });
sabotage('a handler runs on another database', RUNNING, { 'environment.running-database': /not those of task_list\ntask_list runs on another database/ }, async (run) => {
  const name = `${d.database.name}_other`;
  d.sql(`CREATE DATABASE ${name} OWNER ${d.database.name}`);
  try {
    const DATABASE_URL = d.database.url.replace(`/${d.database.name}?`, `/${name}?`);
    await migrate(DATABASE_URL, { DATABASE_ROLES: 'off' });
    return await d.withProgram('task_list', { settings: { DATABASE_URL } }, run);
  } finally {
    d.sql(`DROP DATABASE ${name} WITH (FORCE)`);
  }
});
sabotage('a route is missing in nginx\'s map', RUNNING, { 'handlers.route-list': /not in the map: .*PATCH \/api\S+\(complete\|toggle\) \(task_complete\)\nmake the include files anew with nginx\/render/ },
  (run) => d.withNginx('todo-fcgi-http.conf', (text) => text.replace(/.* task_complete;\n/g, ''), run));
sabotage('a route leads to another program', RUNNING, { 'handlers.route-list': /GET \S+ leads to task_list, not task_get/ },
  (run) => d.withNginx('todo-fcgi-http.conf', (text) => text.replaceAll(' task_get;', ' task_list;'), run));
sabotage('nginx keeps the Authorization header to itself', RUNNING, { 'environment.running-secret': /no token arrives.*\n.*Authorization/ },
  (run) => d.withNginx('todo-fcgi-params.conf', (text) => `${text}fastcgi_param HTTP_AUTHORIZATION "";\n`, run));
sabotage('nothing answers at the URL', RUNNING, { 'handlers.web-server': /nothing answers at/ }, (run) => run({ origin: 'http://127.0.0.1:9' }));
