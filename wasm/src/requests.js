// What requests.rs asks of JavaScript: a text crosses the border at once, an array member by member.

/** Pairs as lines: a name, its value, and so on. What has lines itself gets what no header may have. */
function linesOfPairs(pairs) {
  let lines = "";
  for (const pair of pairs) for (let n = 0; n < 2; n += 1) lines += `${String(pair[n]).replaceAll("\n", "\0")}\n`;
  return lines;
}

/** A response, its headers as such lines. */
function responseOf(status, lines, body, cause) {
  const headers = [];
  const texts = lines.split("\n");
  for (let n = 0; n + 1 < texts.length; n += 2) headers.push([texts[n], texts[n + 1]]);
  return { status, headers, body, cause };
}
