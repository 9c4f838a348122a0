// nginx as the distribution configures it, with sites of its own, and todo-fcgi included in one of them.
import { after, before, test } from 'node:test';
import { symlink, writeFile } from 'node:fs/promises';
import { assertApi, assertUntouched, makeGround, ownFolder, renderSnippets, start, userLines } from './support.mjs';
import { edgeCases } from './edges.mjs';
import { freePort } from '../common.mjs';

let ground, snippets, port, alone;

const configuration = async (at, included) => `
${userLines('user www-data;')}
daemon off;
worker_processes 1;
pid ${ground.folder}/nginx-${at}.pid;
events { worker_connections 512; }
http {
  client_body_temp_path ${await ownFolder(ground, 'body')};
  fastcgi_temp_path ${await ownFolder(ground, 'fastcgi')};
  proxy_temp_path ${await ownFolder(ground, 'proxy')};
  uwsgi_temp_path ${await ownFolder(ground, 'uwsgi')};
  scgi_temp_path ${await ownFolder(ground, 'scgi')};
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  ${included ? `include ${snippets}/nginx/todo-fcgi-http.conf;` : ''}
  server {
    listen 127.0.0.1:${at} default_server;
    server_name site.example.test;
    root ${ground.site};
    add_header X-Site yes always;
    error_page 404 /404.html;
    location = / {
      add_header X-Site yes always;
      add_header Set-Cookie site=1;
      add_header Set-Cookie shop=2;
      index index.html;
      try_files /index.html =404;
    }
    location /private/ { deny all; }
    ${included ? `include ${snippets}/nginx/todo-fcgi-api.conf;` : ''}
  }
  server {
    listen 127.0.0.1:${at};
    server_name other.example.test;
    root ${ground.other};
    error_page 404 /404.html;
  }
}
`;

async function startNginx(name, included) {
  const at = await freePort();
  await writeFile(`${ground.folder}/${name}.conf`, await configuration(at, included));
  await start(ground, name, ['nginx', '-p', ground.folder, '-e', 'stderr', '-c', `${ground.folder}/${name}.conf`], [at]);
  return at;
}

before(async () => {
  ground = await makeGround();
  snippets = await renderSnippets(ground);
  await symlink('/etc/nginx/fastcgi_params', `${ground.folder}/fastcgi_params`);
  port = await startNginx('nginx', true);
  alone = await startNginx('nginx-alone', false);
});
after(() => ground.clear());

// All of them go through nginx by themselves; these depend on what is around the include files.
test('the API tests', () => assertApi(port, 'nginx', ['tasks-http', 'tasks-paths', 'tasks-bodies']));
test('the other site is untouched', () => assertUntouched(port, alone));
edgeCases(() => ({ ground, port }));
