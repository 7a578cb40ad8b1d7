// A page's side of a contender in a worker.

/** What asks the contender, once its worker is ready. */
export async function asking(worker) {
  await new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = (event) => reject(new Error(event.message || "its worker could not be loaded"));
  });
  return (command) =>
    new Promise((resolve, reject) => {
      const { port1, port2 } = new MessageChannel();
      worker.onerror = (event) => reject(new Error(event.message));
      port1.onmessage = ({ data: { answer, error } }) => {
        port1.close();
        if (error) reject(new Error(error));
        else resolve(answer);
      };
      worker.postMessage(command, [port2]);
    });
}
