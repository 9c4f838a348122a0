// Prints what this suite leaves to another test: the blocks below a heading of a document that say so.
//   node tests/docs/block.mjs README.md 'On a server, in five minutes'
import { readFileSync } from 'node:fs';
import { blocksOf } from './support.mjs';

const [file, heading] = process.argv.slice(2);
const blocks = blocksOf(file, readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).filter((block) => block.heading === heading && block.reason);
if (blocks.length === 0) throw new Error(`${file} has no such block below "${heading}"`);
console.log(blocks.map((block) => block.text).join('\n'));
