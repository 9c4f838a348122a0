-- The keys under which tasks were created (contract tasks-api, section 9), so that a request that is
-- sent again gets the first answer again. A repeat carries the texts itself, so of the request only a
-- hash is kept, and of the answer what the repeat does not know. A replay works when the task has
-- been changed or deleted since.
-- A key is kept for 24 hours, and then until the next run of the program `maintenance`, which reads
-- the whole table: an index by time would cost every creation more than it saves there.
CREATE TABLE todo_idempotency (
  user_id    text NOT NULL,
  key        text NOT NULL,
  request    bytea NOT NULL,        -- SHA-256 of the body
  task_id    bigint NOT NULL,
  created_at timestamptz NOT NULL,  -- the task's
  CONSTRAINT todo_idempotency_pkey PRIMARY KEY (user_id, key)
);

CREATE OR REPLACE FUNCTION todo_delete_tasks_of_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  DELETE FROM task WHERE user_id = OLD.id;
  DELETE FROM todo_idempotency WHERE user_id = OLD.id;
  RETURN OLD;
END
$$;
