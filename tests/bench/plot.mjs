// The plot of one run as SVG: how many times our throughput is that of each other, and the latency
// against the number of connections. Both axes of magnitude are logarithmic.
import { median } from './instance.mjs';

const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const text = (x, y, content, more = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(content)}</text>`;
const line = (x1, y1, x2, y2, more) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${more}/>`;
const grid = 'stroke="#ddd"';
const short = (value) => (value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2));

// A scale from [low, high] to pixels [from, to].
const logarithmic = (low, high, from, to) => (value) => from + ((Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (to - from);

function decades(low, high) {
  const all = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) if (10 ** power >= low) all.push(10 ** power);
  return all;
}

// Bars from 1 to the right where we are faster, to the left where we are not. A dark tick is the target.
function bars({ operations, ratios }, label, left, top, width) {
  const names = Object.keys(operations);
  const others = Object.keys(Object.values(operations)[0] ?? {}).filter((name) => name !== 'ours');
  const value = (name, other) => median(operations[name].ours.rate) / median(operations[name][other].rate);
  const values = names.flatMap((name) => others.map((other) => value(name, other))).filter((ratio) => ratio > 0 && Number.isFinite(ratio));
  const low = Math.min(0.1, ...values);
  const high = Math.max(30, ...values) * 1.5;
  const x = logarithmic(low, high, left + 150, left + width);
  const out = [text(left, top, 'Throughput of ours / of …', 'font-weight="bold"')];
  let y = top + 16;
  for (const other of others) {
    out.push(text(left, y + 14, label(other)));
    for (const name of names) {
      const ratio = value(name, other);
      if (!values.includes(ratio)) continue; // one of the two answered nothing at all
      out.push(`<rect x="${Math.min(x(1), x(ratio)).toFixed(1)}" y="${y}" width="${Math.abs(x(ratio) - x(1)).toFixed(1)}" height="11" fill="${colours[names.indexOf(name)]}"/>`,
        text(Math.max(x(1), x(ratio)) + 5, y + 9.5, `${short(ratio)} ${name}`, 'font-size="10"'));
      const target = ratios.find((each) => each.name === `ours / ${label(other)}` && each.operation === name)?.target.slice(2);
      if (target) out.push(line(x(target), y - 1, x(target), y + 12, 'stroke="#000" stroke-width="2"'));
      y += 14;
    }
    y += 12;
  }
  const marks = decades(low, high).flatMap((mark) => [line(x(mark), top + 10, x(mark), y, grid), text(x(mark), y + 12, mark, 'text-anchor="middle" fill="#666"')]);
  return { svg: [...marks, line(x(1), top + 10, x(1), y, 'stroke="#666"'), ...out].join('\n'), bottom: y + 20 };
}

// p50 (thin) and p99 (thick) of each subject.
function curve(name, group, label, left, top, width, height) {
  const hosts = Object.keys(group);
  const counts = Object.keys(group[hosts[0]]).map(Number).sort((a, b) => a - b);
  const times = hosts.flatMap((host) => counts.flatMap((count) => [group[host][count].p50, group[host][count].p99])).map((time) => Math.max(time, 1) / 1000);
  const x = logarithmic(counts[0], counts.at(-1), left + 40, left + width - 110);
  const low = Math.min(...times) / 1.2;
  const high = Math.max(...times) * 1.2;
  const y = logarithmic(low, high, top + height, top + 16);
  const out = [text(left, top, `${name}: p99 (thick) and p50 in ms, by connections`, 'font-weight="bold"')];
  for (const mark of decades(low, high)) out.push(line(x(counts[0]), y(mark), x(counts.at(-1)), y(mark), grid), text(left + 34, y(mark) + 4, mark, 'text-anchor="end" fill="#666"'));
  for (const count of counts) out.push(text(x(count), top + height + 16, count, 'text-anchor="middle" fill="#666"'));
  hosts.forEach((host, i) => {
    for (const [key, thickness] of [['p50', 1], ['p99', 2.5]]) {
      const points = counts.map((count) => `${x(count).toFixed(1)},${y(Math.max(group[host][count][key], 1) / 1000).toFixed(1)}`).join(' ');
      out.push(`<polyline points="${points}" fill="none" stroke="${colours[i]}" stroke-width="${thickness}"/>`);
    }
    out.push(text(x(counts.at(-1)) + 6, y(Math.max(group[host][counts.at(-1)].p99, 1) / 1000) + 4, label(host), `fill="${colours[i]}" font-size="10"`));
  });
  return out.join('\n');
}

export function plot(result, label) {
  const left = bars(result, label, 16, 40, 440);
  const curves = Object.entries(result.curve ?? {}).map(([name, group], i) => curve(name, group, label, 500, 40 + i * 220, 440, 160));
  const height = Math.max(left.bottom, curves.length * 220 + 10) + 10;
  const width = curves.length > 0 ? 960 : 480;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<rect width="${width}" height="${height}" fill="#fff"/>
${text(16, 18, `${result.date.slice(0, 10)}, ${result.machine.cores} cores, ${result.settings.connections} connections, medians of ${result.settings.rounds} rounds`, 'fill="#666"')}
${[left.svg, ...curves].join('\n')}
</svg>
`;
}
