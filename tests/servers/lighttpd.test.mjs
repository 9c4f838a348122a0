// lighttpd as the distribution configures it, with sites of its own, and todo-fcgi included in one of them.
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { edgeCases } from './edges.mjs';
import { assertApi, assertUntouched, makeGround, ownFolder, renderSnippets, start, userLines } from './support.mjs';
import { freePort } from '../common.mjs';

let ground, snippets, port, alone;

const configuration = async (at, included) => `
server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect", "mod_setenv", "mod_fastcgi", "mod_rewrite", "mod_staticfile" )
server.document-root = "${ground.other}"
server.upload-dirs = ( "${await ownFolder(ground, 'uploads')}" )
server.port = ${at}
server.bind = "127.0.0.1"
${userLines('server.username = "www-data"\nserver.groupname = "www-data"')}
# As Debian has it.
server.http-parseopts = (
  "header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
  "url-normalize-unreserved" => "enable", "url-normalize-required" => "enable", "url-ctrls-reject" => "enable",
  "url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable"
)
server.max-keep-alive-idle = 60
server.max-keep-alive-requests = 65535
index-file.names = ( "index.html" )
url.access-deny = ( "~", ".inc" )
mimetype.assign = ( ".html" => "text/html" )
server.errorfile-prefix = "${ground.other}/"
$HTTP["host"] =~ "^site\\.example\\.test|^127" {
  server.document-root = "${ground.site}"
  server.errorfile-prefix = "${ground.site}/"
  setenv.add-response-header = ( "X-Site" => "yes" )
  $HTTP["url"] == "/" {
    setenv.add-response-header = ( "X-Site" => "yes", "Set-Cookie" => "site=1" )
  }
  $HTTP["url"] =~ "^/private/" { url.access-deny = ( "" ) }
  ${included ? `include "${snippets}/lighttpd/todo-fcgi-api.conf"` : ''}
}
`;

async function startLighttpd(name, included) {
  const at = await freePort();
  await writeFile(`${ground.folder}/${name}.conf`, await configuration(at, included));
  await start(ground, name, ['lighttpd', '-D', '-f', `${ground.folder}/${name}.conf`], [at]);
  return at;
}

before(async () => {
  ground = await makeGround();
  snippets = await renderSnippets(ground);
  port = await startLighttpd('lighttpd', true);
  alone = await startLighttpd('lighttpd-alone', false);
});
after(() => ground.clear());

test('the API tests', () => assertApi(port, 'lighttpd'));
test('the other site is untouched', () => assertUntouched(port, alone, ['site=1']));
edgeCases(() => ({ ground, port }), { decodes: true });
