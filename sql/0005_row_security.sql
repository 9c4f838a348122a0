-- A second wall behind every statement's own "user_id = $1": a program that works as its role
-- (grants.sql) sees and writes only the tasks of the user whose token it has verified, even if it
-- forgets to ask for them. The owner of the table, who runs migrations and backups, sees all.
-- The user is a setting of the statement's transaction (lib/db.h, run_as).
ALTER TABLE task ENABLE ROW LEVEL SECURITY;

CREATE POLICY todo_owner ON task
  USING (user_id = current_setting('todo.sub', true))
  WITH CHECK (user_id = current_setting('todo.sub', true));
