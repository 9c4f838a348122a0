// Apache with sites of its own, and todo-fcgi included in one of them: by FastCGI (mod_proxy_fcgi).
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { edgeCases } from './edges.mjs';
import { apacheSites, assertApi, assertUntouched, freePort, makeGround, renderSnippets, start } from './support.mjs';

// What Apache refuses before it looks for a location is answered by the site.
const different = [
  'a request that the web server cannot read is answered in JSON',
  'a refusal by the web server before it knows the path is like the others',
  'a bad escape or a NUL in a path is 400',
];
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

test('the API tests', () => assertApi(port, different));
test('the other site is untouched', () => assertUntouched(port, alone));
edgeCases('apache', () => ({ ground, port }));
