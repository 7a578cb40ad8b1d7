// What every peer does as the API does: checks a request, makes a connection of it, and answers.
const NAME = /^[A-Za-z0-9._-]{1,255}$/;
const HOST = /^(?!.{254})[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The least that a create has to check. */
export function check({ profile_name, domain }) {
  if (!NAME.test(profile_name) || !HOST.test(domain)) {
    throw Object.assign(new Error("not a profile name and a domain"), { code: "bad_request" });
  }
}

/** A new connection as the API shows it. */
export function connectionOf(id, request) {
  return {
    id,
    profile_name: request.profile_name,
    domain: request.domain,
    status: "NEEDS_AUTH",
    can_reauth: false,
    can_reauth_reason: "no_prior_successful_login",
    ...(request.login_url !== undefined && { login_url: request.login_url }),
    flow_status: null,
    flow_step: null,
    flow_type: null,
    flow_expires_at: null,
    discovered_fields: null,
    mfa_options: null,
    sign_in_options: null,
    pending_sso_buttons: null,
    external_action_message: null,
    website_error: null,
    sso_provider: null,
    error_message: null,
    error_code: null,
    hosted_url: null,
    live_view_url: null,
    browser_session_id: null,
    health_check_interval: request.health_check_interval ?? 3600,
    health_checks: true,
    auto_reauth: true,
    save_credentials: true,
    record_session: request.record_session ?? false,
  };
}

export function created(connection) {
  return { outcome: "created", connection };
}

export function conflict(existing_id) {
  return {
    outcome: "conflict",
    code: "already_exists",
    message: "this profile already has an auth connection for this domain",
    existing_id,
  };
}

/** A page of what was read: one more than fits says that there is a next one. */
export function pageOf(items, limit) {
  if (items.length <= limit) return { items };
  items.length = limit;
  return { items, next_cursor: items[limit - 1].id };
}

/** Makes IDs: a moment and 64 bits that are random but for their order, each above the one before. */
export function ids(last = "") {
  let lastMs = last === "" ? 0 : Number.parseInt(last.slice(3, 13), 36);
  let high = 0;
  const pool = new Uint32Array(1024);
  let at = pool.length;
  const random = () => {
    if (at === pool.length) {
      crypto.getRandomValues(pool);
      at = 0;
    }
    return pool[at++];
  };
  return () => {
    const now = Date.now();
    if (now > lastMs || high >= 0xffff_ffff) {
      lastMs = Math.max(now, lastMs + 1);
      high = random() >>> 1;
    } else {
      high += 1;
    }
    const moment = lastMs.toString(36).padStart(10, "0");
    return `ma_${moment}${high.toString(16).padStart(8, "0")}${random().toString(16).padStart(8, "0")}`;
  };
}
