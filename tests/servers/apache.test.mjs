// Apache with sites of its own, and todo-fcgi included in one of them: by FastCGI (mod_proxy_fcgi).
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { edgeCases } from './edges.mjs';
import { apacheSites, assertApi, assertUntouched, makeGround, renderSnippets, start } from './support.mjs';
import { freePort } from '../common.mjs';

let ground, snippets, port, alone;

async function startApache(name, lines) {
  const at = await freePort();
  await writeFile(`${ground.folder}/${name}.conf`, apacheSites(ground, name, at, lines));
  await start(ground, name, ['apache2', '-D', 'FOREGROUND', '-f', `${ground.folder}/${name}.conf`], [at]);
  return at;
}

before(async () => {
  ground = await makeGround();
  snippets = await renderSnippets(ground);
  port = await startApache('apache', `Include ${snippets}/apache/todo-fcgi-api.conf`);
  alone = await startApache('apache-alone', '');
});
after(() => ground.clear());

test('the API tests', () => assertApi(port, 'Apache'));
test('the other site is untouched', () => assertUntouched(port, alone));
edgeCases(() => ({ ground, port }));
