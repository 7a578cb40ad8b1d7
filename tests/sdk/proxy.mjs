// A proxy in front of the server that counts requests and can lose an answer on its way back.
import { createServer, request } from "node:http";

/** Starts a proxy to `target`; `lose(n)` makes it drop the next n answers after the server has given them. */
export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  let requests = 0;
  let toLose = 0;
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === "/-/count") {
      outgoing.end(String(requests));
      requests = 0;
      return;
    }
    if (incoming.url === "/-/lose") {
      toLose += 1;
      outgoing.end();
      return;
    }
    requests += 1;
    const headers = { ...incoming.headers, host: `${hostname}:${port}` };
    const forwarded = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers },
      (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => {
          if (toLose > 0) {
            toLose -= 1;
            outgoing.destroy();
            return;
          }
          outgoing.writeHead(answer.statusCode, answer.headers);
          outgoing.end(Buffer.concat(chunks));
        });
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    lose: () => (toLose += 1),
    /** The requests since the last call. */
    count: () => {
      const counted = requests;
      requests = 0;
      return counted;
    },
    close: () => server.close(),
  };
}

// On its own, for clients in other languages: prints its address and serves until it is stopped.
if (process.argv[1] === import.meta.filename) {
  const { url } = await startProxy(process.argv[2]);
  console.log(url);
}
