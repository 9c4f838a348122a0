-- Rate limits, shared by all processes and hosts, in the table that Better Auth uses for the same
-- (contract better-auth-wire, section 8.6).
CREATE TABLE IF NOT EXISTS "rateLimit" (
  "id"          text NOT NULL PRIMARY KEY,
  "key"         text NOT NULL UNIQUE,
  "count"       integer NOT NULL,
  "lastRequest" bigint NOT NULL
);

-- Mail that is to be sent (lib/mail.h says why it is queued).
CREATE TABLE todo_mail (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  template   text NOT NULL,
  recipient  text NOT NULL,
  name       text NOT NULL,
  link       text NOT NULL,
  attempts   integer NOT NULL DEFAULT 0,
  next_try   timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX todo_mail_due ON todo_mail (next_try);
