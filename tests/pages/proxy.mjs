// Stands between browser and instance, to let a test deploy a new version of the pages. Everything
// else passes as it is, with the origin that the instance trusts.
import { createServer, request } from 'node:http'

export async function startProxy(base) {
  const target = new URL(base)
  let isNew = false
  const MARK = 'window.isNewVersion=true;'

  // A new version: another script under another name, so another page and another worker.
  const rewrite = (path, text) => {
    if (path.startsWith('/assets/app-') && path.endsWith('.js')) return MARK + text
    return text.replaceAll(/\/assets\/app-(\w+)\.js/g, '/assets/app-$1.new.js')
  }

  const server = createServer((incoming, outgoing) => {
    const path = incoming.url.replace('.new.js', '.js')
    const headers = { ...incoming.headers, host: target.host }
    if (headers.origin) headers.origin = target.origin
    if (headers.referer) delete headers.referer
    const changes = isNew && !path.startsWith('/api/')
    if (changes) {
      delete headers['accept-encoding']
      delete headers['if-none-match']
      delete headers['if-modified-since']
    }
    const call = request({
      host: target.hostname, port: target.port, path, method: incoming.method, headers,
    }, (answer) => {
      const type = answer.headers['content-type'] ?? ''
      if (!changes || !/html|javascript/.test(type)) {
        outgoing.writeHead(answer.statusCode, answer.headers)
        answer.pipe(outgoing)
        return
      }
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => {
        const body = Buffer.from(rewrite(path, Buffer.concat(parts).toString()))
        outgoing.writeHead(answer.statusCode, {
          ...answer.headers, 'content-length': body.length, etag: '"new"',
        })
        outgoing.end(body)
      })
    })
    call.on('error', () => outgoing.destroy())
    incoming.pipe(call)
  })
  await new Promise((done) => server.listen(0, target.hostname, done))
  return {
    url: `http://${target.hostname}:${server.address().port}`,
    deployNewVersion: () => (isNew = true),
    stop: () => new Promise((done) => {
      server.close(done)
      server.closeAllConnections()
    }),
  }
}
