// Brings the benchmark to life.
import { render } from "preact";
import { Live } from "./live.tsx";

const place = document.querySelector("#live");
if (place) render(<Live isAlive />, place);
