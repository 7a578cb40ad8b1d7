// Brings the benchmark to life.
import { render } from "preact";
import { tidyUp } from "./leftovers.ts";
import { Live } from "./live.tsx";

const place = document.querySelector("#live");
if (place) render(<Live isAlive />, place);

// What cannot be removed now is removed by the next run.
tidyUp().catch(() => {});
