-- The same wall as around `task` (0005): the keys of repeated requests are seen and written only as the
-- user whose token was verified. Who removes old ones does so for all users, and is told by its role's
-- name, because roles are made after the migrations, or not at all.
ALTER TABLE todo_idempotency ENABLE ROW LEVEL SECURITY;

CREATE POLICY todo_owner ON todo_idempotency
  USING (user_id = current_setting('todo.sub', true))
  WITH CHECK (user_id = current_setting('todo.sub', true));
CREATE POLICY todo_maintenance ON todo_idempotency FOR SELECT
  USING (current_user = 'todo_maintenance');
CREATE POLICY todo_maintenance_delete ON todo_idempotency FOR DELETE
  USING (current_user = 'todo_maintenance');
