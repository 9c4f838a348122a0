// Caddy with sites of its own, and todo-fcgi imported into one of them.
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { edgeCases } from './edges.mjs';
import { asWebUser, assertApi, assertUntouched, makeGround, ownFolder, renderSnippets, start } from './support.mjs';
import { freePort } from '../common.mjs';

let ground, snippets, port, alone;

const configuration = (at, included) => `
{
	admin off
	auto_https off
}
${included ? `import ${snippets}/caddy/todo-fcgi.caddy` : ''}
http://site.example.test:${at}, http://127.0.0.1:${at} {
	bind 127.0.0.1
	${included ? 'import todo-fcgi-api' : ''}
	header X-Site yes
	@front path /
	header @front +Set-Cookie site=1
	header @front +Set-Cookie shop=2
	respond /private/* 403
	root * ${ground.site}
	file_server
	handle_errors {
		${included ? 'import todo-fcgi-errors' : ''}
		@missing expression {http.error.status_code} == 404
		rewrite @missing /404.html
		file_server
	}
}
http://other.example.test:${at} {
	bind 127.0.0.1
	root * ${ground.other}
	file_server
	handle_errors {
		rewrite * /404.html
		file_server
	}
}
`;

async function startCaddy(name, included) {
  const at = await freePort();
  await writeFile(`${ground.folder}/${name}.caddy`, configuration(at, included));
  await start(ground, name, asWebUser(['caddy', 'run', '--adapter', 'caddyfile', '--config', `${ground.folder}/${name}.caddy`]), [at],
    { XDG_DATA_HOME: await ownFolder(ground, 'caddy'), XDG_CONFIG_HOME: await ownFolder(ground, 'caddy') });
  return at;
}

before(async () => {
  ground = await makeGround();
  snippets = await renderSnippets(ground);
  port = await startCaddy('caddy', true);
  alone = await startCaddy('caddy-alone', false);
});
after(() => ground.clear());

test('the API tests', () => assertApi(port, 'Caddy'));
test('the other site is untouched', () => assertUntouched(port, alone));
edgeCases(() => ({ ground, port }), { down: 502 });
