// What is asked: the same requests from the same seed on every contender.
const DOMAINS = 500;

/** Numbers below 2^32 that are random but for their seed. */
export function randomOf(...seeds) {
  let state = seeds.reduce((sum, seed) => Math.imul(sum ^ seed, 0x9e37_79b1) ^ (sum >>> 15), 0x2545_f491);
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** The create that makes the `n`-th connection: a random profile, one of the domains. */
export function request(n) {
  const random = randomOf(1, n);
  const profile = ((random() & 0xffff) * 2 ** 32 + random()).toString(16).padStart(12, "0");
  return { domain: `site-${random() % DOMAINS}.example.com`, profile_name: `user-${profile}` };
}

export function requests(from, many) {
  return Array.from({ length: many }, (_, n) => request(from + n));
}

/** So many numbers below `size`, by round. */
export function picks(round, many, size) {
  const random = randomOf(2, round);
  return Array.from({ length: many }, () => random() % size);
}

/** A small random workload for the check that all contenders answer alike; connections are named by number. */
export function steps(seed, many) {
  const random = randomOf(3, seed);
  const choice = (items) => items[random() % items.length];
  const small = () => {
    // One name begins another, and so does one domain.
    const domain = choice(["a.com", "b.com", "sub.a.com", "a.company"]);
    const profile_name = choice(["a", "a.b", "user", "user-1", "user-12", "z"]) + (random() % 4);
    if (random() % 2 === 0) return { domain, profile_name };
    const more = { login_url: `https://${domain}/login`, record_session: random() % 2 === 0 };
    return { domain, profile_name, ...more, health_check_interval: 300 + (random() % 80_000) };
  };
  const several = (most) => Array.from({ length: random() % most }, small);
  const step = () => {
    switch (random() % 9) {
      case 0:
      case 1:
        return ["create", small()];
      case 2:
        return ["createMany", several(20)];
      case 3:
        return ["createTogether", several(10)];
      case 4:
        return ["get", random() % 60];
      case 5:
        return ["list", { limit: 1 + (random() % 30) }];
      case 6:
        return ["list", { profile_name: small().profile_name, limit: 1 + (random() % 5) }];
      case 7:
        return ["list", { domain: small().domain, limit: 1 + (random() % 30) }];
      default:
        return choice([
          ["profiles", { limit: 1 + (random() % 40) }],
          ["create", { domain: "a.com", profile_name: "not a name" }],
          ["create", { domain: "not/a.host", profile_name: "a" }],
        ]);
    }
  };
  return Array.from({ length: many }, step);
}
