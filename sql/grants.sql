-- One role for each program, with exactly what its statements need: a statement that should not be
-- there fails. (Against foreign code in a program, which could reset its role, give that program a
-- login of its own that is a member of its role only.) sql/migrate runs this after every migration; it can be
-- run again at any time, and takes back what is too much.
-- A program logs in with DATABASE_URL and works as todo_PROGRAM (lib/db.h), so the one who runs this
-- becomes a member of each role. Where programs log in as somebody else: GRANT todo_PROGRAM TO them.
-- tests/http/roles.test.mjs compares this list with what the server says.

CREATE TEMPORARY TABLE todo_grant (program text, tables text, privileges text) ON COMMIT DROP;
INSERT INTO todo_grant VALUES
  -- Tasks. The key table is only read by who verifies, and never the private half.
  ('task_list',      'task', 'SELECT'),
  ('task_get',       'task', 'SELECT'),
  ('task_create',    'task', 'SELECT, INSERT (user_id, title, description)'),
  ('task_create',    'todo_idempotency', 'SELECT, INSERT'),
  ('task_update',    'task', 'SELECT, UPDATE (title, description, completed, updated_at)'),
  ('task_complete',  'task', 'SELECT, UPDATE (completed, updated_at)'),
  ('task_delete',    'task', 'SELECT, DELETE'),
  ('task_list task_get task_create task_update task_complete task_delete',
                     'jwks', 'SELECT (id, "publicKey", alg, "createdAt", "expiresAt")'),

  -- Who signs in and up.
  ('signup',         'user', 'SELECT, INSERT'),
  ('signup',         'account', 'INSERT'),
  ('signup',         'session', 'INSERT'),
  ('signin',         'user', 'SELECT'),
  ('signin',         'account', 'SELECT'),
  ('signin',         'session', 'INSERT'),
  ('signout',        'session', 'SELECT (token), DELETE'),

  -- Who asks for a session: it may be prolonged, or deleted when it has expired.
  ('session sessions token account change_email delete_user verification',
                     'user', 'SELECT'),
  ('session sessions token account change_email delete_user verification',
                     'session', 'SELECT, UPDATE ("expiresAt", "updatedAt"), DELETE'),

  -- Who signs tokens makes the first key.
  ('session token jwks', 'jwks', 'SELECT, INSERT'),

  ('account',        'user', 'UPDATE (name, image, "updatedAt")'),
  ('account',        'account', 'SELECT, UPDATE (password, "updatedAt"), DELETE'),
  ('account',        'session', 'INSERT'),
  ('delete_user',    'user', 'DELETE'),
  ('delete_user',    'account', 'SELECT, DELETE'),
  ('delete_user',    'verification', 'SELECT, INSERT, DELETE'),
  ('verification',   'user', 'UPDATE (email, "emailVerified", "updatedAt")'),
  ('password_reset', 'user', 'SELECT'),
  ('password_reset', 'account',
      'SELECT (id, "userId", "providerId"), INSERT, UPDATE (password, "updatedAt")'),
  ('password_reset', 'session', 'SELECT ("userId"), DELETE'),
  ('password_reset', 'verification', 'SELECT, INSERT, DELETE'),
  ('signup change_email delete_user verification password_reset',
                     'todo_mail', 'INSERT'),

  -- Every request below the auth path is counted.
  ('account change_email delete_user error fallback health jwks password_reset session sessions '
   'signin signout signup token verification',
                     'rateLimit', 'SELECT, INSERT, UPDATE'),

  -- Programs without routes.
  ('mailer',         'todo_mail', 'SELECT, UPDATE (attempts, next_try), DELETE'),
  ('maintenance',    'session verification rateLimit jwks', 'SELECT, DELETE'),
  ('maintenance',    'todo_idempotency', 'SELECT (created_at), DELETE');

DO $grants$
DECLARE
  role_name text;
  row record;
  privilege text;
BEGIN
  FOR role_name IN
    SELECT DISTINCT 'todo_' || regexp_split_to_table(program, ' ') FROM todo_grant
  LOOP
    BEGIN
      IF to_regrole(role_name) IS NULL THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- made meanwhile from another database of this server
    END;
    -- Since PostgreSQL 16 who made a role is a member that may not work as it (set_option).
    IF NOT EXISTS (SELECT FROM pg_auth_members AS membership
                    WHERE roleid = to_regrole(role_name)
                      AND member = to_regrole(quote_ident(current_user))
                      AND coalesce((to_jsonb(membership) ->> 'set_option')::boolean, true)) THEN
      EXECUTE format('GRANT %I TO %I', role_name, current_user);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', current_schema(),
                   role_name);
  END LOOP;
  FOR row IN
    SELECT 'todo_' || regexp_split_to_table(program, ' ') AS role, one_table, privileges
      FROM todo_grant, LATERAL regexp_split_to_table(tables, ' ') AS one_table
  LOOP
    -- "SELECT (id), DELETE": a comma inside brackets does not end a privilege.
    FOR privilege IN
      SELECT (regexp_matches(row.privileges, '[A-Z]+(?: \([^)]*\))?', 'g'))[1]
    LOOP
      EXECUTE format('GRANT %s ON %I TO %I', privilege, row.one_table, row.role);
    END LOOP;
  END LOOP;
END
$grants$;
