// Faults that a program may have: [program, file, what is there, what is there instead]. Each is one
// that a review may miss, and that todo-verify must find.

const ANYBODYS = 'WHERE user_id <> $1 AND id = $2::bigint OR "';

export const FAULTS = {
  // Whose task is it?
  getsAnybodysTask: ['task_get', 'handlers/task_get.cpp', 'WHERE user_id = $1 AND id', 'WHERE $1::text IS NOT NULL AND id'],
  updatesAnybodysTask: ['task_update', 'handlers/task_update.cpp', 'WHERE " TASK_SELECTED', `${ANYBODYS} TASK_SELECTED`],
  completesAnybodysTask: ['task_complete', 'handlers/task_complete.cpp', 'WHERE " TASK_SELECTED', `${ANYBODYS} TASK_SELECTED`],
  deletesAnybodysTask: ['task_delete', 'handlers/task_delete.cpp', 'WHERE " TASK_SELECTED', `${ANYBODYS} TASK_SELECTED`],
  listsEverybodysTasks: ['task_list', 'handlers/task_list.cpp', 'FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC";\n', 'FROM task WHERE $1::text IS NOT NULL ORDER BY created_at DESC, id DESC";\n'],
  // The path is believed instead of the token.
  listsForUserInPath: ['task_list', 'lib/task.cpp', '    throw auth::unauthorized(true);\n  }\n', '    return {*in_path};\n  }\n'],
  createsForUserInPath: ['task_create', 'lib/task.cpp', '    throw auth::unauthorized(true);\n  }\n', '    return {*in_path};\n  }\n'],
  // Whose token is it?
  ignoresExp: ['task_get', 'lib/jwt.cpp', 'if (*expires <= current) return Refused::expired;', ''],
  ignoresNbf: ['task_delete', 'lib/jwt.cpp', '*begins > current + ahead', '*begins < 0 * (current + ahead)'],
  acceptsNone: ['task_update', 'lib/jwt.cpp', '  Refused reason = Refused::unknown_key;\n', '  if (header.algorithm == "none") return std::nullopt;\n  Refused reason = Refused::unknown_key;\n'],
  ignoresSignature: ['task_list', 'lib/jwt.cpp', 'if (key.verify(signed_text, signature))', 'if (key.verify(signed_text, signature) || !signature.empty())'],
  ignoresIssuer: ['task_create', 'lib/jwt.cpp', 'if (!issuer_fits(claims.find("iss"), policy)) return Refused::claims;', 'static_cast<void>(issuer_fits(claims.find("iss"), policy));'],
  ignoresFamily: ['task_complete', 'lib/auth.cpp', 'return claims.find("session") == nullptr;', 'return claims.find("session") == nullptr || true;'],
  issuesDeadTokens: ['token', 'lib/access_token.cpp', 'now + kLifetime.count()', 'now'],
  issuesEternalTokens: ['token', 'lib/access_token.cpp', 'now + kLifetime.count()', 'now + 10 * 366 * 86400'],
  keepsSessions: ['signout', 'handlers/signout.cpp', 'if (const auto token = session::token_of(request))', 'if (const auto token = session::token_of(request); token && token->empty())'],
  // Is it written down?
  createsNothing: ['task_create', 'handlers/task_create.cpp', '"INSERT INTO task (user_id, title, description) VALUES ($1, $2, $3)"\n    " RETURNING " TASK_COLUMNS;',
    '"SELECT 1::bigint, $2::text, $3::text, false, $1::text, now(), now()";'],
  completesNothing: ['task_complete', 'handlers/task_complete.cpp', 'UPDATE task SET completed = COALESCE($5::boolean, NOT completed), " TASK_TOUCHED\n    " WHERE " TASK_SELECTED " RETURNING " TASK_COLUMNS',
    'SELECT id, title, description, COALESCE($5::boolean, NOT completed), user_id, created_at, now() FROM task WHERE " TASK_SELECTED'],
  deletesNothing: ['task_delete', 'handlers/task_delete.cpp', 'DELETE FROM task WHERE " TASK_SELECTED " RETURNING id"', 'SELECT id FROM task WHERE " TASK_SELECTED'],
  losesDescriptions: ['task_update', 'handlers/task_update.cpp', 'THEN $7 ELSE description END', 'THEN description ELSE coalesce(description, $7) END'],
  listsTheNewestOnly: ['task_list', 'handlers/task_list.cpp', 'WHERE user_id = $1 ORDER BY created_at DESC, id DESC";', 'WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1";'],
  showsWrongTimes: ['task_get', 'lib/task.cpp', 'created = result.time(row, 5)', 'created = result.time(row, 6)'],
  // Is it honest about what is missing?
  doesNotSay503: ['task_get', 'lib/http.cpp', 'Error error(503, "unavailable"', 'Error error(500, "unavailable"'],
};
