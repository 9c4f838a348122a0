// The task routes on Fastify and pg: a pool for each process, named (so prepared) statements, and a
// schema for each body in and out, which Fastify compiles into a validator and a serialiser.
import cluster from 'node:cluster';
import Fastify from 'fastify';
import jwt from '@fastify/jwt';
import pg from 'pg';

const columns = 'id, title, description, completed, user_id, created_at, updated_at';
const touched = "updated_at = GREATEST(now(), updated_at + interval '1 microsecond')";
const statements = {
  list: `SELECT ${columns} FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC`,
  get: `SELECT ${columns} FROM task WHERE user_id = $1 AND id = $2`,
  create: `INSERT INTO task (user_id, title, description) VALUES ($1, $2, $3) RETURNING ${columns}`,
  toggle: `UPDATE task SET completed = NOT completed, ${touched} WHERE user_id = $1 AND id = $2 RETURNING ${columns}`,
};

const task = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    title: { type: 'string' },
    description: { type: 'string', nullable: true },
    completed: { type: 'boolean' },
    user_id: { type: 'string' },
    created_at: { type: 'string', format: 'date-time' },
    updated_at: { type: 'string', format: 'date-time' },
  },
};
const taskCreate = {
  type: 'object',
  required: ['title'],
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200 },
    description: { type: 'string', nullable: true, maxLength: 5000 },
  },
};
const user = { user_id: { type: 'string' } };
const collection = { type: 'object', properties: user };
const member = { type: 'object', properties: { ...user, id: { type: 'integer' } } };

async function serve() {
  pg.types.setTypeParser(pg.types.builtins.INT8, Number);
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, application_name: 'fastify' });
  const run = async (name, values) => (await pool.query({ name, text: statements[name], values })).rows;

  const fail = (status, message) => Object.assign(new Error(message), { statusCode: status });
  const app = Fastify({ logger: false, schemaErrorFormatter: ([first]) => fail(422, first.message) });
  await app.register(jwt, { secret: process.env.BETTER_AUTH_SECRET, verify: { algorithms: ['HS256'], requiredClaims: ['sub', 'exp'] } });
  app.addHook('onRequest', async (request) => {
    await request.jwtVerify();
    if (request.user.sub !== request.params.user_id) throw fail(401, 'Unauthorized');
  });
  const one = (rows) => {
    if (rows.length === 0) throw fail(404, 'Not found');
    return rows[0];
  };

  app.get('/api/:user_id/tasks', { schema: { params: collection, response: { 200: { type: 'array', items: task } } } },
    ({ params }) => run('list', [params.user_id]));
  app.get('/api/:user_id/tasks/:id', { schema: { params: member, response: { 200: task } } },
    async ({ params }) => one(await run('get', [params.user_id, params.id])));
  app.post('/api/:user_id/tasks', { schema: { params: collection, body: taskCreate, response: { 201: task } } },
    async ({ params, body }, reply) => {
      const [row] = await run('create', [params.user_id, body.title, body.description ?? null]);
      return reply.code(201).header('location', `/api/${params.user_id}/tasks/${row.id}`).send(row);
    });
  app.patch('/api/:user_id/tasks/:id/complete', { schema: { params: member, response: { 200: task } } },
    async ({ params }) => one(await run('toggle', [params.user_id, params.id])));
  await app.listen({ path: process.env.SOCKET });
}

if (cluster.isPrimary) {
  const stop = () => process.exit(0);
  process.on('SIGTERM', stop).on('SIGINT', stop);
  cluster.on('exit', (worker, code) => {
    console.error(`worker ended with ${code}`);
    process.exit(1);
  });
  for (let i = 0; i < Number(process.env.WORKERS); i += 1) cluster.fork();
} else {
  await serve();
}
