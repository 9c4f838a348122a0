// `make bench-growth`: does the cost of a request stay what it is as the data grows? Prints the time
// of one request at 64 connections (1 / throughput), and what of it is CPU time of all parts.
import { Instance, load, median, quick, rounds, seconds, userId } from './instance.mjs';
import { number, writeTables } from './report.mjs';

const tasksEach = 5;
const byUsers = (quick ? [1000, 10000] : [1000, 10000, 100000, 1000000]).map((users) => ({ users, tasks: tasksEach }));
const byTasks = (quick ? [20, 1000] : [20, 100, 1000, 10000]).map((tasks) => ({ users: 200000 / tasks, tasks }));
const requestsInFile = 20000;

// Requests of users from all over the table, in no order. Task (tasks - 1) * users + n is one of user n.
function requestsOf(instance, { users, tasks }, kind) {
  const count = Math.min(users, requestsInFile);
  return Array.from({ length: count }, (_, i) => {
    const n = 1 + Math.floor(((i * 7919) % count) * (users / count));
    const user = userId(n);
    const path = { get: `/${(tasks - 1) * users + n}`, page: '?limit=50', list: '' }[kind];
    return ['GET', `/api/${user}/tasks${path}`, instance.token(user), ''];
  });
}

async function measure(instance, size) {
  process.stderr.write(`bench: ${size.users} users with ${size.tasks} tasks\n`);
  await load(instance, size.users, size.tasks);
  const result = {};
  for (const kind of ['get', 'page', 'list']) {
    const file = instance.requestFile(kind, requestsOf(instance, size, kind));
    const program = kind === 'get' ? 'task_get' : 'task_list';
    await instance.wrk('ours', file, { duration: 1 });
    const all = [];
    for (let round = 0; round < Math.min(3, rounds); round += 1) all.push(await instance.measured('ours', file, instance.pid(program), { duration: seconds }));
    result[kind] = {
      time: 1e6 / median(all.map(({ rate }) => rate)),
      cpu: median(all.map(({ cpu, requests }) => Object.values(cpu).reduce((a, b) => a + b) / requests)),
      errors: all.reduce((sum, { errors }) => sum + errors, 0),
    };
  }
  return { ...size, ...result };
}

const cell = ({ time, cpu }) => `${number(time)} (${number(cpu)})`;
const rowOf = ({ users, tasks, get, page, list }) => [String(users), String(tasks), cell(get), cell(page), cell(list),
  number(list.time / tasks), String(get.errors + page.errors + list.errors)];
const head = ['users', 'tasks each', 'get', 'page of 50', 'whole list', 'list, by row', 'errors'];

const instance = await Instance.start(process.env.WORKERS ? { WORKERS: process.env.WORKERS } : {});
const tables = [];
try {
  for (const [title, sizes] of [['More users', byUsers], ['Longer lists', byTasks]]) {
    const rows = [];
    for (const size of sizes) rows.push(rowOf(await measure(instance, size)));
    tables.push({ title: `${title}: µs of a request at 64 connections (of it CPU, all parts and cores)`, head, rows });
  }
} finally {
  await instance.stop();
}
writeTables('growth.json', tables);
