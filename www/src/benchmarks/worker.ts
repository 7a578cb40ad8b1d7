// A contender in a dedicated worker.
import { answer } from "../../../benches/javascript/answering.mjs";
import { load } from "./peers.ts";

answer(load);
