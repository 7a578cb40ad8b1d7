// What alike.rs asks of JavaScript: copying an object costs little there, and much from the other side.

/** An object that is quick to copy: made at once, not member by member. */
function quickToCopy(object) {
  return JSON.parse(JSON.stringify(object));
}

/** A copy of a connection with these members set anew. */
function copyWith(connection, id, profile_name, domain, login_url) {
  return login_url === undefined
    ? { ...connection, id, profile_name, domain }
    : { ...connection, id, profile_name, domain, login_url };
}

/** A conflict that names another holder. */
function conflictWith(conflict, existing_id) {
  return { outcome: "conflict", ...conflict, existing_id };
}

/** The answer to a create that has a connection. */
function createdAs(outcome, connection) {
  return { outcome, connection };
}
