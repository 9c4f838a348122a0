// Every language must hold the same messages with the same places to fill as English has.
// Names that begin with "code." are extra: English shows the sentence of the server for those.
import { readFile, readdir } from 'node:fs/promises'

const folder = new URL('src/messages/', import.meta.url)
const load = async (file) => JSON.parse(await readFile(new URL(file, folder), 'utf8'))
const places = (message) => {
  const other = typeof message === 'string' ? message : message.other
  return [...other.matchAll(/\{\w+\}/g)].map(String).sort().join()
}

const english = { ...(await load('en.json')), ...(await load('en-more.json')) }
let wrong = 0
const complain = (sentence) => {
  console.error(sentence)
  wrong += 1
}
for (const file of await readdir(folder)) {
  if (file.startsWith('en')) continue
  const messages = await load(file)
  for (const key of Object.keys(english)) {
    if (!(key in messages)) complain(`${file}: ${key} is missing`)
    else if (places(messages[key]) !== places(english[key]))
      complain(`${file}: ${key} does not fill the same places as in English`)
  }
  for (const key of Object.keys(messages))
    if (!(key in english) && !key.startsWith('code.')) complain(`${file}: ${key} is not used`)
}
process.exitCode = wrong ? 1 : 0
