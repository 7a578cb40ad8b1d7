// A contender in a dedicated worker.
import { answer } from "./answering.mjs";

answer((peer) => import(`./peers/${peer}.mjs`));
