/** The SQLite schema and its version. A step once released is never edited: add the next one. */

/** Each entry takes the database from version `index` to `index + 1`. Times are ms since 1970. */
export const SCHEMA_STEPS: readonly string[] = [
  `
CREATE TABLE at_signs (
  id INTEGER PRIMARY KEY,
  at_sign TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  next_commit_id INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE keys (
  id INTEGER PRIMARY KEY,
  owner INTEGER NOT NULL REFERENCES at_signs (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT,
  metadata TEXT NOT NULL,
  available_at INTEGER,
  expires_at INTEGER,
  UNIQUE (owner, key)
) STRICT;
CREATE INDEX keys_expiry ON keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE commits (
  owner INTEGER NOT NULL REFERENCES at_signs (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  commit_id INTEGER NOT NULL,
  operation TEXT NOT NULL,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX commits_order ON commits (owner, commit_id);

CREATE TABLE notifications (
  row INTEGER PRIMARY KEY,
  owner INTEGER NOT NULL REFERENCES at_signs (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  from_at_sign TEXT NOT NULL,
  to_at_sign TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  tries INTEGER NOT NULL,
  not_before INTEGER NOT NULL DEFAULT 0,
  epoch_millis INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT,
  details TEXT NOT NULL,
  notifier TEXT NOT NULL,
  UNIQUE (owner, id, from_at_sign)
) STRICT;
CREATE INDEX notifications_order ON notifications (owner, epoch_millis);
CREATE INDEX notifications_expiry ON notifications (expires_at);
CREATE INDEX notifications_queue ON notifications (owner, to_at_sign, epoch_millis)
  WHERE status = 'queued';

CREATE TABLE enrollments (
  owner INTEGER NOT NULL REFERENCES at_signs (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  details TEXT NOT NULL,
  PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;
`,
  `
ALTER TABLE enrollments ADD COLUMN expires_at INTEGER;
UPDATE enrollments SET expires_at = details ->> '$.expiresAt';
CREATE INDEX enrollments_expiry ON enrollments (expires_at) WHERE expires_at IS NOT NULL;
`,
  `
CREATE TABLE statistics (
  owner INTEGER NOT NULL REFERENCES at_signs (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX commits_deleted ON commits (owner, commit_id) WHERE operation = '-';
`,
];
