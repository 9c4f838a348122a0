// Builds the site into the directory named by OUT_DIR: finished files, each with its compressed
// twins, names with a hash where the content may be cached for ever.
// Must not know: where the site is served from, or by what.
import { build } from 'esbuild'
import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const here = dirname(fileURLToPath(import.meta.url))
const out = process.env.OUT_DIR
if (!out) throw new Error('OUT_DIR must name the directory to write the site to')

const options = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  write: false,
  target: ['chrome100', 'firefox100', 'safari15.4'],
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'warning',
  // The auth client looks for server-side settings here; a page has none, and the name is unknown
  // to a browser. What it brings along for servers is not needed at all.
  alias: {
    '@better-auth/core/env': './src/core/no-server.ts',
    'better-call/error': './src/core/no-server.ts',
  },
  define: { 'process.env': '{}', 'process.env.NODE_ENV': '"production"' },
}
const site = new Map()
const text = (content) => Buffer.from(content)
const hash = (content) => createHash('sha256').update(content).digest('hex').slice(0, 10)

function addHashed(stem, extension, content) {
  const path = `assets/${stem}-${hash(content)}.${extension}`
  site.set(path, content)
  return `/${path}`
}

async function bundle(entry, more = {}) {
  const result = await build({ ...options, ...more, entryPoints: [entry] })
  return Buffer.from(result.outputFiles[0].contents)
}

// One file per language other than English, which is part of the script.
const languages = {}
for (const file of await readdir(join(here, 'src/messages'))) {
  const language = file.replace(/\.json$/, '')
  if (language.startsWith('en')) continue
  const messages = JSON.parse(await readFile(join(here, 'src/messages', file), 'utf8'))
  languages[language] = addHashed(language, 'json', text(JSON.stringify(messages)))
}

// The second part imports all of the first, so everything of the first view ends up in the one file
// that both share, and the entry of the first is nothing but a reference to it.
const code = await build({
  ...options,
  entryPoints: ['src/main.tsx', 'src/more.tsx'],
  outdir: 'assets',
  format: 'esm',
  splitting: true,
  metafile: true,
  entryNames: '[name]-[hash]',
  chunkNames: 'app-[hash]',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { ...options.define, LANGUAGE_FILES: JSON.stringify(languages) },
})
const isEntry = (name) => code.metafile.outputs[`assets/${name}`].entryPoint
let script, more
for (const file of code.outputFiles) {
  const name = basename(file.path)
  const entry = isEntry(name)
  if (entry === 'src/main.tsx') continue
  if (entry) more = `/assets/${name}`
  else if (script) throw new Error('The first view must be one file')
  else script = `/assets/${name}`
  site.set(`assets/${name}`, Buffer.from(file.contents))
}
const sheet = addHashed('app', 'css', await bundle('src/style/app.css', {
  loader: { '.svg': 'dataurl' },
}))

const page = (await readFile(join(here, 'static/index.html'), 'utf8'))
  .replace('{{script}}', script)
  .replace('{{sheet}}', sheet)
  .replace(/>\s+</g, '><')
  .trim()
site.set('index.html', text(page))
for (const name of ['manifest.webmanifest', 'icon.svg', 'icon-maskable.svg', 'openapi.json'])
  site.set(name, await readFile(join(here, 'static', name)))

// The worker keeps what the first view needs; languages are kept when they are first used.
const precache = ['/', script, sheet, more]
site.set('sw.js', await bundle('src/sw.ts', {
  define: {
    ...options.define,
    PRECACHE: JSON.stringify(precache),
    VERSION: JSON.stringify(hash(Buffer.concat([...site.values()]))),
  },
}))

await rm(out, { recursive: true, force: true })
for (const [path, content] of site) {
  const target = join(out, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, content)
  await writeFile(`${target}.gz`, gzipSync(content, { level: 9 }))
  await writeFile(`${target}.br`, brotliCompressSync(content, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  }))
}
const size = (path) => gzipSync(site.get(path.slice(1)), { level: 9 }).length
console.log(`script ${size(script)} B, later ${size(more)} B, sheet ${size(sheet)} B (gzip), page ${page.length} B`)
