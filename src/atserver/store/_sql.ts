/** Every statement of the SQLite store by name, for the schema of `_schema.ts`. */

export const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  addAtSign: "INSERT INTO at_signs (at_sign, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
  removeAtSign: "DELETE FROM at_signs WHERE id = ?",
  countAtSigns: "SELECT count(*) AS n FROM at_signs",
  countQueued: "SELECT count(*) AS n FROM notifications WHERE status = 'queued'",
  atSignId: "SELECT id FROM at_signs WHERE at_sign = ?",
  listAtSigns: `SELECT at_sign, created_at, EXISTS (
      SELECT 1 FROM keys WHERE owner = at_signs.id AND key = 'public:publickey' || at_sign
    ) AS activated FROM at_signs ORDER BY at_sign`,
  getKey: "SELECT value, metadata FROM keys WHERE owner = ? AND key = ?",
  putKey:
    `INSERT INTO keys (owner, key, value, metadata, available_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value, metadata = excluded.metadata,
      available_at = excluded.available_at, expires_at = excluded.expires_at`,
  deleteKey: "DELETE FROM keys WHERE owner = ? AND key = ?",
  listKeys: "SELECT key, available_at, expires_at FROM keys WHERE owner = ? ORDER BY key",
  listKeysFrom:
    "SELECT key, available_at, expires_at FROM keys WHERE owner = ? AND key >= ? AND key < ? ORDER BY key",
  countKeys: "SELECT count(*) AS n FROM keys WHERE owner = ?",
  expiredKeys: `SELECT at_sign, key FROM keys JOIN at_signs ON at_signs.id = owner
    WHERE expires_at < ? LIMIT ?`,
  storedChars: "SELECT coalesce(sum(length(value)), 0) AS n FROM keys WHERE owner = ?",
  nextCommit:
    "UPDATE at_signs SET next_commit_id = next_commit_id + 1 WHERE id = ? RETURNING next_commit_id",
  putCommit: `INSERT INTO commits (owner, key, commit_id, operation) VALUES (?, ?, ?, ?)
    ON CONFLICT (owner, key) DO UPDATE SET commit_id = excluded.commit_id, operation = excluded.operation`,
  lastCommit: "SELECT max(commit_id) AS n FROM commits WHERE owner = ?",
  commitsDown: "SELECT key, commit_id FROM commits WHERE owner = ? ORDER BY commit_id DESC",
  commits: "SELECT key, commit_id, operation FROM commits WHERE owner = ? ORDER BY commit_id",
  commitsAfter:
    "SELECT key, commit_id, operation FROM commits WHERE owner = ? AND commit_id > ? ORDER BY commit_id",
  countDeletions: "SELECT count(*) AS n FROM commits WHERE owner = ? AND operation = '-'",
  forgetDeletions: `DELETE FROM commits WHERE owner = ? AND operation = '-' AND commit_id <= (
      SELECT commit_id FROM commits WHERE owner = ? AND operation = '-'
      ORDER BY commit_id DESC LIMIT 1 OFFSET ?)`,
  // from the atSigns on: keys have no index of their own
  holders:
    `SELECT at_sign FROM at_signs CROSS JOIN keys ON keys.owner = at_signs.id AND keys.key = ?
    ORDER BY at_sign`,
  addNotification: `INSERT INTO notifications
      (owner, id, from_at_sign, to_at_sign, type, status, tries, epoch_millis, expires_at, key, value, details, notifier)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  getNotification:
    "SELECT * FROM notifications WHERE owner = ? AND id = ? ORDER BY epoch_millis LIMIT 1",
  notificationsById: "SELECT * FROM notifications WHERE owner = ? AND id = ? ORDER BY epoch_millis",
  removeNotification: "DELETE FROM notifications WHERE owner = ? AND id = ? AND from_at_sign = ?",
  notificationKinds: `SELECT type, status, details ->> '$.operation' AS operation,
      details ->> '$.messageType' AS message_type, count(*) AS n
    FROM notifications WHERE owner = ? GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
  expiredNotifications: `SELECT at_sign, count(*) AS n FROM notifications
    JOIN at_signs ON at_signs.id = owner WHERE expires_at <= ? GROUP BY owner`,
  received: `SELECT * FROM notifications
    WHERE owner = ? AND epoch_millis > ? AND expires_at > ? AND (type = 'received' OR (type = 'self' AND ?))
    ORDER BY epoch_millis LIMIT ?`,
  lastEpoch: "SELECT coalesce(max(epoch_millis), 0) AS n FROM notifications WHERE owner = ?",
  countNotifications: "SELECT count(*) AS n FROM notifications WHERE owner = ?",
  evict: `DELETE FROM notifications WHERE row IN (
      SELECT row FROM notifications WHERE owner = ?
      ORDER BY type = 'sent' AND status <> 'queued' DESC, from_at_sign = ? DESC, epoch_millis LIMIT ?)`,
  purge: "DELETE FROM notifications WHERE expires_at <= ?",
  queuedPairs: `SELECT DISTINCT at_sign, to_at_sign FROM notifications
    JOIN at_signs ON at_signs.id = owner WHERE status = 'queued'`,
  nextQueued: `SELECT * FROM notifications
    WHERE owner = ? AND to_at_sign = ? AND status = 'queued' AND not_before <= ?
    ORDER BY epoch_millis LIMIT 1`,
  nextTryAt: `SELECT min(not_before) AS n FROM notifications
    WHERE owner = ? AND to_at_sign = ? AND status = 'queued'`,
  setStatus: "UPDATE notifications SET status = ? WHERE owner = ? AND id = ? AND type = 'sent'",
  refuse: `UPDATE notifications SET not_before = ?, tries = tries + 1,
      status = CASE WHEN tries + 1 >= ? THEN 'errored' ELSE 'queued' END
    WHERE owner = ? AND to_at_sign = ? AND status = 'queued' AND id = ?`,
  absent: `UPDATE notifications SET tries = tries + 1,
      status = CASE WHEN tries + 1 >= ? THEN 'errored' ELSE 'queued' END
    WHERE owner = ? AND to_at_sign = ? AND status = 'queued'`,
  trimQueue: `UPDATE notifications SET status = 'errored' WHERE row IN (
      SELECT row FROM notifications WHERE owner = ? AND to_at_sign = ? AND status = 'queued' AND notifier = ?
        AND details ->> '$.strategy' = 'latest'
      ORDER BY epoch_millis DESC LIMIT -1 OFFSET ?)`,
  putEnrollment: `INSERT INTO enrollments (owner, id, details, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (owner, id) DO UPDATE SET details = excluded.details, expires_at = excluded.expires_at`,
  deleteEnrollment: "DELETE FROM enrollments WHERE owner = ? AND id = ?",
  expiredEnrollments: `SELECT at_sign, details FROM enrollments JOIN at_signs ON at_signs.id = owner
    WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`,
  getEnrollment: "SELECT details FROM enrollments WHERE owner = ? AND id = ?",
  putStatistic: `INSERT INTO statistics (owner, name, text) VALUES (?, ?, ?)
    ON CONFLICT (owner, name) DO UPDATE SET text = excluded.text`,
  getStatistic: "SELECT text FROM statistics WHERE owner = ? AND name = ?",
  listEnrollments: "SELECT details FROM enrollments WHERE owner = ? ORDER BY id",
} as const;
